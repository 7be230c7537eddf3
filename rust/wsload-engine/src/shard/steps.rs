//! Connections that follow a scenario: what a session says is done here, and it is told what came of it.
//!
//! Scenarios of one message alone go the way of plain messages; the session then only opens the connection and answers
//! for its rules.

use wsload_core::interval::Metric;
use wsload_core::matching::Sent;
use wsload_core::plan::program::AfterClose;
use wsload_core::program::{Action, Exchange, Now, Program, Session};
use wsload_core::tally::FailureKind;

use super::settings::Drive;
use super::slot::Stage;
use super::{Phase, Shard};
use crate::os::monotonic_ns;

/// Iterations of one connection in a row before others have their turn.
const IN_A_ROW: u32 = 16;
/// Actions of one connection in a row.
const MOST_ACTIONS: u32 = 4_096;

impl Shard {
    pub(super) fn now_of(&self, index: u32) -> Now {
        let ns = monotonic_ns();
        Now { ns, unix_ns: self.clock.to_realtime(ns), slot: self.settings.global_slot(index) }
    }

    /// Gives every slot its session. One for which there is no row of data never opens.
    pub(super) fn make_sessions(&mut self, now_ns: u64) {
        let Some(program) = &self.settings.program else { return };
        let mut without = Vec::new();
        for index in 0..self.settings.slots {
            match Session::new(program, self.settings.global_slot(index)) {
                Ok(session) => self.slots[index as usize].session = Some(Box::new(session)),
                Err(is_failure) => without.push((index, is_failure)),
            }
        }
        for (index, is_failure) in without {
            self.rows_are_used_up(index, is_failure, now_ns);
            self.slots[index as usize].abandoned = true;
            self.first_over(index);
            self.finish_slot(index);
        }
    }

    /// There is no row of data for what a slot was to do: it does nothing more.
    fn rows_are_used_up(&mut self, index: u32, is_failure: bool, now_ns: u64) {
        if is_failure {
            let example = format!("connection {}: every row has been used", self.settings.global_slot(index));
            self.book.now().failures.add(FailureKind::ExpectationFailed, "rows of data ran out", 1, now_ns, &example);
        }
        self.unschedule(index);
    }

    /// Nothing more comes due for a slot.
    fn unschedule(&mut self, index: u32) {
        self.sends.remove(index);
        let slot = &mut self.slots[index as usize];
        let worked = slot.remaining > 0 || slot.next_due.is_some();
        slot.remaining = 0;
        slot.next_due = None;
        self.backlog -= std::mem::take(&mut slot.backlog);
        self.working -= u32::from(worked);
    }

    /// A connection of a scenario has opened: its first steps begin.
    pub(super) fn open_session(&mut self, index: u32) {
        let now = self.now_of(index);
        if let (Some(program), Some(session)) = (&self.settings.program, &mut self.slots[index as usize].session) {
            session.opened(program, now);
            if let (Some(clocks), Some(at_ns)) = (&mut self.clocks, session.next_clock_ns()) {
                clocks.remove(index);
                clocks.insert(index, at_ns);
            }
        }
        if self.settings.program.as_ref().is_some_and(Program::opens_at_once) {
            self.first_over(index);
        }
        self.follow(index);
    }

    /// Does what the slot's session says, until it waits.
    pub(super) fn follow(&mut self, index: u32) {
        self.follow_after(index, Vec::new());
    }

    /// The same, after what it has said already.
    pub(super) fn follow_after(&mut self, index: u32, said: Vec<Action>) {
        let mut begun = 0;
        let mut said = said.into_iter();
        for _ in 0..MOST_ACTIONS {
            let Some(action) = said.next().or_else(|| self.next_action(index)) else { break };
            let ended = matches!(action, Action::Ended { .. });
            if !self.perform(index, action) {
                break;
            }
            if ended {
                begun += 1;
                if begun == IN_A_ROW {
                    // The next look at the calendar goes on with it.
                    self.steps_later(index, monotonic_ns());
                    break;
                }
                self.begin_iteration(index);
            }
        }
        self.has_told(index);
        self.flush(index);
    }

    /// `None`: nothing can be done now.
    fn next_action(&mut self, index: u32) -> Option<Action> {
        let now = self.now_of(index);
        let Self { slots, settings, wire, .. } = self;
        let slot = &mut slots[index as usize];
        if slot.stage != Stage::Open {
            return None;
        }
        wire.echo.clear();
        Some(slot.session.as_mut()?.next(settings.program.as_ref()?, now, &mut wire.echo))
    }

    /// Does one thing; false: the session waits, or its connection is over.
    pub(super) fn perform(&mut self, index: u32, action: Action) -> bool {
        match action {
            Action::Send { opcode, name, intended_ns, able_ns } => {
                let Self { slots, settings, wire, book, .. } = self;
                let slot = &mut slots[index as usize];
                let rendered = std::mem::take(&mut wire.echo);
                let sent = slot.connection.send(opcode, &rendered, &mut wire.context()).is_ok();
                let sent_ns = monotonic_ns();
                if let (true, Some(session), Some(program)) = (sent, &mut slot.session, &settings.program) {
                    session.sent(program, sent_ns);
                    book.record.sent_in_session(index, sent_ns, (opcode, name), &rendered, (session, program));
                    book.sent_by_step(name, intended_ns, able_ns, sent_ns);
                }
                wire.echo = rendered;
                if !sent {
                    return false;
                }
            }
            Action::Ping => {
                let _ = self.slots[index as usize].connection.ping(&[], &mut self.wire.context());
                self.book.now().counters.pings_sent += 1;
                self.book.record.ping_sent(index, monotonic_ns(), &[]);
            }
            Action::Mark(text) => self.book.record.marked(index, monotonic_ns(), &text),
            Action::Wait(until_ns) => {
                if let Some(until_ns) = until_ns {
                    self.steps_later(index, until_ns);
                } else if let Some(steps) = &mut self.steps {
                    steps.remove(index);
                }
                return false;
            }
            Action::Failed { detail, example } => {
                self.fail(index, FailureKind::ExpectationFailed, &detail, &example);
            }
            Action::ScriptFailed { detail, example } => {
                self.fail(index, FailureKind::ScriptFailed, &detail, &example);
            }
            Action::Unanswered(exchange) => {
                let now_ns = monotonic_ns();
                self.book.unanswered_step(exchange, now_ns);
                let what = "no reply within the reply time-out";
                self.book.record.failed(index, now_ns, FailureKind::Unanswered, what);
            }
            Action::Opened { failed } => return self.session_opened(index, failed),
            Action::Ended { failed, due_ns, end_ns } => {
                self.busy -= 1;
                self.book.iteration_ended(due_ns, end_ns, failed);
                return self.after_iteration(index, end_ns);
            }
            Action::Close { code, reason } => {
                self.close_by_step(index, code, &reason, true);
                return false;
            }
            Action::Reconnect => {
                self.close_by_step(index, 1000, "", true);
                return false;
            }
            Action::Abandon => {
                self.unschedule(index);
                self.slots[index as usize].abandoned = true;
                self.close_by_step(index, 1000, "", false);
                return false;
            }
        }
        true
    }

    fn steps_later(&mut self, index: u32, at_ns: u64) {
        if let Some(steps) = &mut self.steps {
            steps.remove(index);
            steps.insert(index, self.settings.grain.round_up(at_ns));
        }
    }

    /// The steps of a new connection are over.
    fn session_opened(&mut self, index: u32, failed: bool) -> bool {
        self.first_over(index);
        if failed {
            // It was refused, or is of no use: `--reconnect` decides whether it is tried again.
            let unanswered = self.book.unanswered_so_far();
            self.book.now().counters.connections_lost += 1;
            self.mark_lost(index, monotonic_ns(), unanswered);
            self.close_by_step(index, 1000, "", false);
            return false;
        }
        self.recovered(index, monotonic_ns());
        self.slots[index as usize].step_ns = monotonic_ns();
        self.start_sending(index);
        true
    }

    /// Between two iterations: a closed loop may send again, or thinks.
    fn after_iteration(&mut self, index: u32, end_ns: u64) -> bool {
        let slot = &mut self.slots[index as usize];
        if slot.retiring {
            self.flush(index);
            self.retire(index);
            return false;
        }
        match self.settings.drive {
            Drive::Closed { think: Some(think), .. } => self.think(index, think, end_ns),
            Drive::Closed { .. } => slot.credit = 1,
            _ => {}
        }
        true
    }

    /// Begins the next iteration, if one is due and the connection is free; [`Shard::follow`] does its steps.
    pub(super) fn begin_iteration(&mut self, index: u32) -> bool {
        let slot_number = self.settings.global_slot(index);
        let Self { slots, settings, book, epoch_ns, .. } = self;
        let slot = &mut slots[index as usize];
        let (Some(program), Some(session), Some(epoch_ns)) = (&settings.program, &mut slot.session, *epoch_ns) else {
            return false;
        };
        let able = slot.stage == Stage::Open && slot.tail.is_none() && !slot.retiring && session.is_free();
        if settings.simple || !able || self.phase > Phase::Draining {
            return false;
        }
        let due_ns = match &settings.drive {
            Drive::Closed { .. } => {
                if slot.credit == 0 || slot.remaining == 0 || self.phase != Phase::Running {
                    return false;
                }
                // Thought over, or the end of the iteration before it; the first is due with the schedule.
                let since_ns = session.free_since_ns().max(slot.step_ns).max(epoch_ns);
                let due_ns = if slot.next_send.seq > 0 { slot.next_send.due_ns } else { since_ns };
                slot.credit = 0;
                slot.remaining -= 1;
                if slot.remaining == 0 {
                    self.working -= 1;
                }
                book.due(1, due_ns);
                due_ns
            }
            Drive::Open { schedule, .. } => {
                if slot.backlog == 0 {
                    return false;
                }
                let due_ns = settings.grain.round_up(epoch_ns + slot.next_send.due_ns);
                slot.backlog -= 1;
                self.backlog -= 1;
                if let Some(next) = schedule.next(slot_number, slot.next_send) {
                    slot.next_send = next;
                }
                due_ns
            }
            Drive::Idle | Drive::Echo | Drive::Replay(_) => return false,
        };
        match session.begin(program, due_ns, slot_number) {
            Ok(()) => {
                self.busy += 1;
                true
            }
            Err(is_failure) => {
                self.rows_are_used_up(index, is_failure, monotonic_ns());
                self.slots[index as usize].abandoned = true;
                self.close_by_step(index, 1000, "", false);
                false
            }
        }
    }

    /// A step, or the end of one, closes the connection. `again`: it is replaced at once.
    pub(super) fn close_by_step(&mut self, index: u32, code: u16, reason: &str, again: bool) {
        let slot = &mut self.slots[index as usize];
        if slot.stage != Stage::Open {
            return;
        }
        slot.retiring = again;
        let _ = slot.connection.close(code, reason, &mut self.wire.context());
        self.book.record.close_sent(index, monotonic_ns(), code, reason);
        self.flush(index);
        if self.slots[index as usize].stage != Stage::Open {
            return;
        }
        if again {
            self.book.now().counters.connections_closed += 1;
        }
        self.over(index, "a step closed the connection before the reply came");
        self.await_end(index);
    }

    /// The server closed the connection: whether the scenario says that it may. Its steps are then over.
    pub(super) fn is_as_expected(&mut self, index: u32, code: u16, reason: &str) -> bool {
        let program = self.settings.program.as_ref();
        let slot_number = self.settings.global_slot(index);
        let Some(then) = program.and_then(|program| program.on_close(slot_number, code, reason)) else { return false };
        if then == AfterClose::End {
            self.unschedule(index);
        }
        let slot = &mut self.slots[index as usize];
        slot.retiring = then == AfterClose::Reconnect;
        slot.abandoned |= then == AfterClose::End;
        self.book.now().counters.connections_closed += 1;
        self.over(index, "the server closed the connection before the reply came");
        true
    }

    /// An open connection is over as it should be; replies will not come.
    fn over(&mut self, index: u32, example: &str) {
        self.end_session(index, false);
        self.open -= 1;
        let queue = &mut self.slots[index as usize].awaiting;
        self.book.give_up(queue, index, monotonic_ns(), ("connection closed", example));
    }

    /// The slot's connection is over. `lost`: not by a step of its own, and so its iteration has failed.
    pub(super) fn end_session(&mut self, index: u32, lost: bool) {
        let Self { slots, settings, book, busy, .. } = self;
        let (Some(session), Some(program)) = (&mut slots[index as usize].session, &settings.program) else { return };
        let now_ns = monotonic_ns();
        let (exchange, iteration) = session.closed();
        session.forget(program);
        if let Some(exchange) = exchange {
            book.lost_step(exchange, now_ns);
        }
        if let Some(due_ns) = iteration {
            *busy -= 1;
            book.iteration_ended(due_ns, now_ns, lost);
        }
        for calendar in [&mut self.steps, &mut self.clocks].into_iter().flatten() {
            calendar.remove(index);
        }
        self.has_told(index);
        self.first_over(index);
    }

    /// The run ends while the connection is open: what was under way is neither done nor failed.
    pub(super) fn cut_session(&mut self, index: u32, now_ns: u64) {
        let Self { slots, book, busy, .. } = self;
        let Some(session) = &mut slots[index as usize].session else { return };
        let (exchange, iteration) = session.closed();
        if let Some(exchange) = exchange {
            book.cut_step(exchange, now_ns);
        }
        *busy -= u32::from(iteration.is_some());
        self.has_told(index);
    }

    /// Waits of steps that are over, and what is repeated.
    pub(super) fn serve_steps(&mut self, now_ns: u64) {
        while let Some(index) = self.steps.as_mut().and_then(|steps| steps.pop(now_ns)) {
            if !self.slots[index as usize].session.as_ref().is_some_and(|session| session.is_busy()) {
                self.begin_iteration(index);
            }
            self.follow(index);
        }
        while let Some(index) = self.clocks.as_mut().and_then(|clocks| clocks.pop(now_ns)) {
            let now = self.now_of(index);
            if let (Some(program), Some(session)) = (&self.settings.program, &mut self.slots[index as usize].session) {
                session.tick(program, now);
                if let (Some(clocks), Some(at_ns)) = (&mut self.clocks, session.next_clock_ns()) {
                    clocks.insert(index, at_ns);
                }
                self.follow(index);
            }
        }
    }
}

impl super::book::Book {
    fn sent_of(&self, exchange: Exchange) -> Sent {
        let Exchange { name, intended_ns, sent_ns } = exchange;
        // What lies beside the iterations may happen before there is a schedule.
        let warmup = if self.counts(name) { self.is_warmup(intended_ns) } else { self.warms_up_now() };
        Sent { intended_ns, sent_ns, warmup, name }
    }

    /// A step sent a message.
    pub(super) fn sent_by_step(&mut self, name: u16, intended_ns: u64, able_ns: u64, sent_ns: u64) {
        if self.counts(name) {
            self.sent(None, name, intended_ns, able_ns, sent_ns);
        } else {
            self.now().counters.aside_sent += 1;
        }
    }

    /// The reply to a step's message came.
    pub(super) fn answered_step(&mut self, exchange: Exchange, arrival_ns: u64, read_ns: u64) -> Sent {
        let sent = self.sent_of(exchange);
        self.answered(sent, arrival_ns, read_ns);
        sent
    }

    /// A reply came after it had been given up.
    pub(super) fn late_step(&mut self, exchange: Exchange) {
        let counters = &mut self.now().counters;
        counters.received += 1;
        if self.counts(exchange.name) {
            self.now().counters.late += 1;
        }
    }

    /// A message that a rule or a step took, and that answers nothing.
    pub(super) fn taken(&mut self) {
        self.now().counters.received += 1;
    }

    pub(super) fn unanswered_step(&mut self, exchange: Exchange, now_ns: u64) {
        let sent = self.sent_of(exchange);
        self.count_unanswered(sent, now_ns, ("reply time-out", "no reply within the reply time-out"));
    }

    pub(super) fn lost_step(&mut self, exchange: Exchange, now_ns: u64) {
        let sent = self.sent_of(exchange);
        self.count_unanswered(sent, now_ns, ("connection ended", "the connection ended before the reply came"));
    }

    pub(super) fn cut_step(&mut self, exchange: Exchange, now_ns: u64) {
        let sent = self.sent_of(exchange);
        self.count_unanswered(sent, now_ns, ("run ended", "no reply before the run ended"));
    }

    /// An iteration is over.
    pub(super) fn iteration_ended(&mut self, due_ns: u64, end_ns: u64, failed: bool) {
        let warmup = self.is_warmup(due_ns);
        let recorder = self.of(warmup);
        recorder.counters.iterations_ended += 1;
        recorder.counters.iterations_failed += u64::from(failed);
        recorder.record_between(Metric::IterationTime, due_ns, end_ns.max(due_ns));
    }
}
