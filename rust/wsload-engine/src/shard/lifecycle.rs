//! The phases of a run, the end of connections, time-outs.

use std::net::SocketAddr;

use wsload_core::interval::Metric;
use wsload_core::plan::Close;
use wsload_core::tally::{FailureKind, Gauges};

use super::settings::Drive;
use super::slot::{Slot, Stage};
use super::{CLOSE_TIMEOUT_NS, Phase, Shard};
use crate::os::{monotonic_ns, resident_bytes};

/// Addresses of the target that are used; a slot numbers them in a byte.
const MAX_ADDRESSES: usize = 255;

impl Shard {
    /// Begins to open connections at `at_ns`, trying `addresses` in order.
    ///
    /// # Panics
    /// When called twice or without an address.
    pub fn connect(&mut self, addresses: &[SocketAddr], at_ns: u64) {
        assert!(self.phase == Phase::Idle && !addresses.is_empty(), "connect: once, with an address");
        self.set_addresses(addresses);
        self.begin_connecting(at_ns);
    }

    /// The target's name has been looked up, perhaps again: later attempts go to these addresses.
    ///
    /// # Panics
    /// Without an address.
    pub fn set_addresses(&mut self, addresses: &[SocketAddr]) {
        assert!(!addresses.is_empty(), "set_addresses: with an address");
        self.addresses = addresses[..addresses.len().min(MAX_ADDRESSES)].to_vec();
        self.preferred_address = 0;
        // Attempts under way go on with what they have; an index of theirs must not point beyond the end.
        let count = self.addresses.len() as u8;
        for slot in &mut self.slots {
            slot.address = slot.address.min(count - 1);
        }
    }

    /// How long the resolver took, for the phases of connecting. Counted where it is told: by one worker of a run.
    pub fn resolved_in(&mut self, span_ns: u64) {
        self.book.now().record(Metric::ConnectDns, span_ns);
    }

    /// The target's name did not resolve: every first attempt fails for that reason.
    ///
    /// # Panics
    /// When connections were begun before.
    pub fn fail_dns(&mut self, reason: &str, at_ns: u64) {
        assert!(self.phase == Phase::Idle, "fail_dns: instead of connect");
        self.begin_connecting(at_ns);
        self.ramp_next = self.settings.slots;
        let count = u64::from(self.settings.slots);
        let recorder = self.book.now();
        recorder.counters.connects_started += count;
        recorder.counters.connects_failed += count;
        recorder.failures.add(FailureKind::Dns, "", count, at_ns, reason);
        self.first_pending = 0;
        for index in 0..self.settings.slots {
            self.finish_slot(index);
        }
    }

    /// The same for a shard that takes the place of one that was lost, or goes on with an earlier run: its slots have been
    /// open before, and its intervals are numbered from `first_index` on.
    ///
    /// # Panics
    /// As [`Shard::connect`].
    pub fn connect_again(&mut self, addresses: &[SocketAddr], at_ns: u64, first_index: u64) {
        self.slots.iter_mut().for_each(|slot| slot.was_open = true);
        self.book.number_from(first_index);
        self.connect(addresses, at_ns);
    }

    fn begin_connecting(&mut self, at_ns: u64) {
        self.phase = Phase::Connecting;
        self.pace.start(at_ns);
        self.book.start(at_ns);
        self.make_sessions(at_ns);
        self.arm();
    }

    /// The schedule's epoch: the same instant on all workers.
    pub fn go(&mut self, epoch_ns: u64) {
        if self.epoch_ns.is_none() {
            self.epoch_ns = Some(epoch_ns);
            self.book.set_epoch(epoch_ns, self.settings.warmup_ns, self.settings.reply_timeout_ns);
            self.arm();
        }
    }

    /// Ends the run early: nothing more is sent, replies are awaited, connections closed.
    pub fn stop(&mut self) {
        if matches!(self.phase, Phase::Connecting | Phase::Ready | Phase::Running) {
            let now_ns = monotonic_ns();
            self.drop_backlog(now_ns);
            self.drain(now_ns);
            self.arm();
        } else if self.phase == Phase::Idle {
            self.phase = Phase::Done;
        }
    }

    /// Ends the run at once: sockets are closed as they stand, what was measured is handed up.
    pub fn abort(&mut self) {
        if matches!(self.phase, Phase::Idle | Phase::Done) {
            self.phase = Phase::Done;
            return;
        }
        let now_ns = monotonic_ns();
        self.drop_recording(now_ns);
        for index in 0..self.settings.slots {
            self.cut_session(index, now_ns);
            self.part_is_over(index, now_ns, ("run aborted", "the run was stopped before the reply came"));
            let queue = &mut self.slots[index as usize].awaiting;
            self.book.give_up(queue, index, now_ns, ("run aborted", "the run was stopped before the reply came"));
            self.release(index);
        }
        self.open = 0;
        self.book.end_schedule(now_ns);
        self.finish(now_ns);
        // The loop learns of the new phase from the next poll.
        self.timer.set(Some(1));
        self.armed_ns = Some(1);
    }

    /// Goes to the next phase when this one is over.
    pub(super) fn step(&mut self, now_ns: u64) {
        if self.phase == Phase::Connecting && self.first_pending == 0 {
            self.phase = Phase::Ready;
        }
        if self.phase == Phase::Ready && self.epoch_ns.is_some_and(|epoch| now_ns >= epoch) {
            self.begin_schedule();
        }
        if self.phase == Phase::Running && self.schedule_is_over(now_ns) {
            self.drain(now_ns);
        }
        if self.phase == Phase::Draining && self.is_drained(now_ns) {
            self.close_all(now_ns);
        }
        if self.phase == Phase::Closing && self.open == 0 && self.live == 0 {
            self.finish(now_ns);
        }
    }

    fn begin_schedule(&mut self) {
        self.phase = Phase::Running;
        let Some(epoch_ns) = self.epoch_ns else { return };
        let mut lazily = self.begin_recording(epoch_ns);
        for index in 0..self.settings.slots {
            let slot = &self.slots[index as usize];
            match &self.settings.drive {
                Drive::Closed { .. } => self.sends.insert(index, epoch_ns),
                Drive::Open { lazy, .. } => {
                    lazily = *lazy;
                    if let Some(cursor) = slot.next_due {
                        self.sends.insert(index, self.settings.grain.round_up(epoch_ns + cursor.due_ns));
                    }
                }
                Drive::Idle | Drive::Echo | Drive::Replay(_) => {}
            }
        }
        self.read_lazily(lazily);
    }

    fn schedule_is_over(&self, now_ns: u64) -> bool {
        if self.live == 0 || (self.settings.iterations.is_some() && self.working == 0) {
            return true;
        }
        // The last messages of an open schedule fall due on the tick after its end, later still when we are late.
        let all_due = self.working == 0 || !matches!(self.settings.drive, Drive::Open { .. });
        all_due && self.schedule_end_ns().is_some_and(|end| now_ns >= end)
    }

    /// When the schedule ends, if its length is set.
    pub(super) fn schedule_end_ns(&self) -> Option<u64> {
        self.epoch_ns.zip(self.settings.length_ns).map(|(epoch, length)| epoch + length)
    }

    /// Nothing new comes due; what is late is still sent, what is awaited still counted.
    fn drain(&mut self, now_ns: u64) {
        self.phase = Phase::Draining;
        // The last ticks lie a grain beyond the end that was asked for: they do not make the schedule longer.
        self.book.end_schedule(self.schedule_end_ns().map_or(now_ns, |end| end.min(now_ns)));
        self.read_lazily(false);
        self.drain_until_ns = now_ns + self.settings.reply_timeout_ns;
        for index in 0..self.settings.slots {
            match self.slots[index as usize].stage {
                Stage::Unopened | Stage::Waiting => {
                    self.timeouts.remove(index);
                    self.finish_slot(index);
                }
                _ => {}
            }
        }
        self.reopen.clear();
        self.ramp_next = self.settings.slots;
    }

    fn is_drained(&self, now_ns: u64) -> bool {
        let recorded = self.replay.as_ref().is_some_and(|replay| replay.awaiting() > 0);
        let awaited = self.book.awaiting() > 0 || recorded;
        now_ns >= self.drain_until_ns
            || (!awaited && self.busy == 0 && self.open_backlog() == 0 && !self.scripts_await())
    }

    /// Whether scripts with no iterations to finish await replies.
    fn scripts_await(&self) -> bool {
        let awaits = |slot: &Slot| slot.session.as_ref().is_some_and(|session| session.awaits_reply());
        self.paces_itself() && self.slots.iter().any(|slot| slot.stage == Stage::Open && awaits(slot))
    }

    /// Whether scripts decide what is sent when, and not a schedule.
    pub(super) fn paces_itself(&self) -> bool {
        self.settings.program.as_ref().is_some_and(|program| program.opens_at_once())
    }

    /// Messages due on connections that can still send them.
    fn open_backlog(&self) -> u64 {
        if self.backlog == 0 {
            return 0;
        }
        self.slots.iter().filter(|slot| slot.stage == Stage::Open).map(|slot| slot.backlog).sum()
    }

    /// Sends Close 1000 on every open connection; attempts under way are dropped.
    fn close_all(&mut self, now_ns: u64) {
        self.phase = Phase::Closing;
        for index in 0..self.settings.slots {
            let slot = &mut self.slots[index as usize];
            match slot.stage {
                Stage::Open => {
                    self.cut_session(index, now_ns);
                    self.part_is_over(index, now_ns, ("run ended", "no reply within the reply time-out"));
                    let slot = &mut self.slots[index as usize];
                    let queue = &mut slot.awaiting;
                    self.book.give_up(queue, index, now_ns, ("run ended", "no reply within the reply time-out"));
                    // The connection is open: it takes the Close.
                    let Close { code, reason } = &self.settings.close;
                    let _ = slot.connection.close(*code, reason, &mut self.wire.context());
                    self.book.record.close_sent(index, now_ns, *code, reason);
                    self.open -= 1;
                    self.await_end(index);
                    self.flush(index);
                }
                Stage::Connecting | Stage::Tunnelling | Stage::Securing | Stage::Upgrading => {
                    self.release(index);
                    self.opening -= 1;
                    self.finish_slot(index);
                }
                _ => {}
            }
        }
    }

    fn finish(&mut self, now_ns: u64) {
        self.phase = Phase::Done;
        self.drop_backlog(now_ns);
        self.book.end_published(now_ns);
        self.roll(now_ns);
        let gauges = self.gauges(now_ns);
        self.book.count_compression(self.wire.codecs.take_bytes());
        self.book.cut(now_ns, gauges);
    }

    /// The open connection `index` is no longer usable: replies will not come.
    pub(super) fn lost(&mut self, index: u32) {
        self.open -= 1;
        self.book.now().counters.connections_lost += 1;
        let now_ns = monotonic_ns();
        let before = self.book.unanswered_so_far();
        self.end_session(index, true);
        let queue = &mut self.slots[index as usize].awaiting;
        let example = "the connection ended before the reply came";
        self.book.give_up(queue, index, now_ns, ("connection ended", example));
        self.part_is_over(index, now_ns, ("connection ended", example));
        self.mark_lost(index, now_ns, before);
    }

    /// The slot has no connection from now on, and `unanswered` messages were when it still had one.
    pub(super) fn mark_lost(&mut self, index: u32, now_ns: u64, unanswered: u64) {
        let slot = &mut self.slots[index as usize];
        if slot.lost_ns == 0 {
            slot.lost_ns = now_ns;
        }
        let lost = self.book.unanswered_so_far() - unanswered;
        self.book.now().counters.recover_lost += lost;
    }

    /// Our Close is out: the server has a bounded time to end TCP.
    pub(super) fn await_end(&mut self, index: u32) {
        self.slots[index as usize].stage = Stage::Closing;
        self.timeouts.remove(index);
        self.timeouts.insert(index, monotonic_ns() + CLOSE_TIMEOUT_NS);
    }

    /// A closing connection has ended.
    pub(super) fn ended(&mut self, index: u32) {
        let Slot { retiring: replace, abandoned, .. } = self.slots[index as usize];
        self.release(index);
        if abandoned {
            self.finish_slot(index);
        } else if replace {
            self.open_again_now(index);
        } else {
            self.open_again_or_finish(index);
        }
    }

    /// The connection has reached its lifetime: it is closed once nothing is in flight on it.
    #[cold]
    pub(super) fn retire(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.stage != Stage::Open || self.phase > Phase::Running {
            return;
        }
        slot.retiring = true;
        let busy = slot.session.as_ref().is_some_and(|session| session.is_busy());
        if slot.awaiting.is_empty() && slot.tail.is_none() && !busy {
            let _ = slot.connection.close(1000, "", &mut self.wire.context());
            self.book.record.close_sent(index, monotonic_ns(), 1000, "");
            self.flush(index);
            self.open -= 1;
            self.book.now().counters.connections_expired += 1;
            self.end_session(index, false);
            self.await_end(index);
        }
    }

    /// Closes the slot's socket and forgets what belonged to it.
    pub(super) fn release(&mut self, index: u32) {
        self.end_tls(index);
        let slot = &mut self.slots[index as usize];
        if slot.socket.is_some() {
            self.book.record.ended(index, monotonic_ns());
        }
        slot.socket = None;
        slot.tail = None;
        slot.tunnel = None;
        (slot.ping_ns, slot.push_ns, slot.emptied_ns) = (0, 0, 0);
        slot.retiring = false;
        slot.credit = 0;
        slot.connection = wsload_core::connection::Connection::new();
        self.timeouts.remove(index);
        for calendar in [&mut self.pings, &mut self.lifetimes].into_iter().flatten() {
            calendar.remove(index);
        }
    }

    /// Says goodbye in TLS (RFC 8446 section 6.1), if that can be done without waiting.
    fn end_tls(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let Some(mut tls) = slot.tls.take() else { return };
        if let (Some(socket), None) = (&slot.socket, &slot.tail) {
            let mut bytes = Vec::new();
            tls.close(&mut bytes);
            let _ = socket.send(&bytes);
        }
    }

    /// The slot stays closed.
    pub(super) fn finish_slot(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.stage != Stage::Finished {
            slot.stage = Stage::Finished;
            self.live -= 1;
            self.part_is_over(
                index,
                monotonic_ns(),
                ("connection ended", "the connection ended before the reply came"),
            );
            let slot = &mut self.slots[index as usize];
            if slot.remaining > 0 {
                slot.remaining = 0;
                self.working -= 1;
            }
        }
    }

    /// The slot's one time-out has come.
    pub(super) fn timed_out(&mut self, index: u32, now_ns: u64) {
        match self.slots[index as usize].stage {
            Stage::Connecting | Stage::Tunnelling | Stage::Securing | Stage::Upgrading => self.attempt_timed_out(index),
            Stage::Open => self.check_oldest_reply(index, now_ns),
            Stage::Closing => self.ended(index),
            Stage::Waiting => self.reopen.push_back(index),
            Stage::Unopened | Stage::Finished => {}
        }
    }

    /// Gives up replies by key that are overdue. What is late then is told by its key, so the connection stays; a closed
    /// loop goes on with the next message.
    pub(super) fn expire_keys(&mut self, now_ns: u64) {
        if self.keys_due_ns.is_none_or(|due| now_ns < due) {
            return;
        }
        let before_ns = (now_ns + 1).saturating_sub(self.settings.reply_timeout_ns);
        let mut freed = Vec::new();
        self.book.expire_keys(before_ns, now_ns, |slot| freed.push(slot));
        self.keys_due_ns = self.book.oldest_key_ns().map(|sent_ns| sent_ns + self.settings.reply_timeout_ns);
        if let Drive::Closed { think, .. } = self.settings.drive {
            for index in freed {
                let slot = &mut self.slots[index as usize];
                if slot.stage == Stage::Open {
                    match think {
                        Some(think) => self.think(index, think, now_ns),
                        None => {
                            slot.credit += 1;
                            self.pump(index, now_ns);
                        }
                    }
                }
            }
        }
    }

    /// The reply time-out is looked at only when it may have passed: sends do not touch the calendar.
    fn check_oldest_reply(&mut self, index: u32, now_ns: u64) {
        let slot = &mut self.slots[index as usize];
        let Some(oldest) = self.book.oldest(&slot.awaiting) else { return };
        let due_ns = oldest.sent_ns + self.settings.reply_timeout_ns;
        if now_ns < due_ns {
            self.timeouts.insert(index, due_ns);
            return;
        }
        // Matching by order assumes that no reply is lost. Whatever comes now could be this reply or the next one's:
        // the connection yields no more latencies and is replaced.
        let why = ("reply time-out", "no reply within the reply time-out");
        let before = self.book.unanswered_so_far();
        self.book.give_up(&mut slot.awaiting, index, now_ns, why);
        self.book.now().counters.matching_lost += 1;
        self.end_session(index, true);
        self.mark_lost(index, now_ns, before);
        let _ = self.slots[index as usize].connection.close(1000, "", &mut self.wire.context());
        self.book.record.close_sent(index, now_ns, 1000, "");
        self.flush(index);
        if self.slots[index as usize].stage == Stage::Open {
            self.open -= 1;
            self.release(index);
            self.open_again_now(index);
        }
    }

    /// Messages that were due and are not sent any more are counted, each with its age.
    fn drop_backlog(&mut self, now_ns: u64) {
        self.backlog = 0;
        self.drop_recording(now_ns);
        let (Drive::Open { schedule, .. }, Some(epoch_ns)) = (&self.settings.drive, self.epoch_ns) else { return };
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let slot_number = self.settings.global_slot(index as u32);
            let mut next = Some(slot.next_send);
            for _ in 0..std::mem::take(&mut slot.backlog) {
                let Some(cursor) = next else { break };
                self.book.never_sent(
                    self.settings.name,
                    self.settings.grain.round_up(epoch_ns + cursor.due_ns),
                    now_ns,
                );
                next = schedule.next(slot_number, cursor);
            }
        }
    }

    pub(super) fn gauges(&mut self, now_ns: u64) -> Gauges {
        let by_key = self.book.oldest_key_ns();
        let by_order = self.slots.iter().filter_map(|slot| self.book.oldest(&slot.awaiting)).map(|sent| sent.sent_ns);
        let recorded = self.replay.as_ref().and_then(|replay| replay.oldest_sent_ns());
        let oldest = by_order.chain(by_key).chain(recorded).min();
        let pushed = self.slots.iter().filter(|slot| slot.push_ns != 0 && slot.stage == Stage::Open);
        let silent = pushed.map(|slot| slot.push_ns).min();
        Gauges {
            open_connections: u64::from(self.open),
            in_flight: self.book.awaiting() + self.replay.as_ref().map_or(0, |replay| replay.awaiting()),
            backlog: self.backlog,
            silence_ns: silent.map_or(0, |since_ns| now_ns.saturating_sub(since_ns)),
            oldest_in_flight_ns: oldest.map_or(0, |sent_ns| now_ns.saturating_sub(sent_ns)),
            rss_bytes: resident_bytes(),
            ..Gauges::default()
        }
    }
}
