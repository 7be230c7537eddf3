//! Sending: what is due, what a closed loop may send next, what the kernel did not take.

use std::io;

use wsload_core::connection::NotOpen;
use wsload_core::fanout::Published;
use wsload_core::matching::Sent;
use wsload_core::program::Now;
use wsload_core::tally::FailureKind;
use wsload_core::template::RenderContext;
use wsload_core::timeline::NO_NAME;

use super::connect::kind_of;
use super::settings::Drive;
use super::slot::{Slot, Stage, Tail};
use super::{BATCH, Phase, Shard, Wire};
use crate::os::{Interest, monotonic_ns};

/// Bytes encoded for one connection before they go to the kernel.
const WRITE_BYTES: usize = 64 * 1024;
/// Answers to pings may pile up behind an unsent tail to this size; a server that asks for more is cut off.
const MAX_TAIL_BYTES: usize = 1024 * 1024;

impl Shard {
    /// Serves the slots whose message is due, in order of their instants.
    pub(super) fn serve_schedule(&mut self, now_ns: u64, until_ns: u64) {
        let mut served = 0;
        while let Some(index) = self.sends.pop(now_ns) {
            let mut ready_ns = monotonic_ns();
            match self.settings.drive {
                Drive::Replay(_) => self.come_back(index),
                Drive::Open { .. } => self.come_due(index, now_ns),
                Drive::Closed { think: Some(_), .. } => ready_ns = self.thought(index, ready_ns),
                _ => {}
            }
            self.pump(index, ready_ns);
            served += 1;
            if served % BATCH == 0 && monotonic_ns() >= until_ns {
                return;
            }
        }
    }

    /// A user has thought long enough; the instant from which its message counts.
    fn thought(&mut self, index: u32, now_ns: u64) -> u64 {
        let slot = &mut self.slots[index as usize];
        if slot.next_send.seq == 0 {
            // The first message is due with the schedule.
            return now_ns;
        }
        slot.credit = u32::from(slot.stage == Stage::Open);
        slot.next_send.due_ns
    }

    /// Open loop: counts the slot's messages that have come due; they wait in its backlog until they can be sent.
    fn come_due(&mut self, index: u32, now_ns: u64) {
        let Drive::Open { schedule, .. } = &self.settings.drive else { return };
        let grain = self.settings.grain;
        let epoch_ns = self.epoch_ns.unwrap_or(now_ns);
        let slot_number = self.settings.global_slot(index);
        let slot = &mut self.slots[index as usize];
        while let Some(cursor) = slot.next_due {
            let intended_ns = grain.round_up(epoch_ns + cursor.due_ns);
            if intended_ns > now_ns {
                self.sends.insert(index, intended_ns);
                return;
            }
            if slot.backlog == 0 {
                slot.next_send = cursor;
            }
            slot.backlog += 1;
            self.backlog += 1;
            self.book.due(1, intended_ns);
            slot.next_due = schedule.next(slot_number, cursor);
        }
        self.working -= 1;
    }

    /// Sends all that the slot may send now. `ready_ns`: since when a closed loop's next send was possible.
    #[inline]
    pub(super) fn pump(&mut self, index: u32, ready_ns: u64) {
        if self.settings.program.is_some() && !self.settings.simple {
            if self.begin_iteration(index) {
                self.follow(index);
            }
            return self.flush(index);
        }
        if self.replay.is_some() {
            return self.play(index);
        }
        while self.phase <= Phase::Draining && self.encode(index, ready_ns) {
            self.flush(index);
        }
        if !self.wire.out.is_empty() {
            self.flush(index);
        }
    }

    /// Encodes a batch of messages and books them as sent; false when there is nothing to send or no room.
    #[inline]
    fn encode(&mut self, index: u32, ready_ns: u64) -> bool {
        let slot = &mut self.slots[index as usize];
        if slot.stage != Stage::Open || slot.tail.is_some() || slot.retiring {
            return false;
        }
        if slot.session.as_ref().is_some_and(|session| !session.is_free()) {
            // The connection is not logged in yet.
            return false;
        }
        let sent = match self.settings.drive {
            Drive::Closed { .. } => self.encode_closed(index, ready_ns),
            Drive::Open { .. } => self.encode_open(index),
            Drive::Idle | Drive::Echo | Drive::Replay(_) => 0,
        };
        if sent > 0 && self.settings.awaits_replies && self.settings.keys.is_none() && !self.timeouts.contains(index) {
            self.timeouts.insert(index, ready_ns + self.settings.reply_timeout_ns);
        }
        sent > 0
    }

    #[inline]
    fn encode_closed(&mut self, index: u32, ready_ns: u64) -> u64 {
        let Self { slots, wire, book, settings, .. } = self;
        let Slot { connection, awaiting, credit, remaining, step_ns, .. } = &mut slots[index as usize];
        let Some(message) = &settings.message else { return 0 };
        let wanted = u64::from(*credit).min(*remaining);
        if wanted == 0 || self.phase != Phase::Running {
            return 0;
        }
        let able_ns = ready_ns.max(*step_ns);
        let mut count = 0;
        if settings.varies {
            while count < wanted && self.wire.out.len() < WRITE_BYTES && self.send_varied(index, ready_ns, able_ns) {
                count += 1;
            }
        } else {
            while count < wanted && wire.out.len() < WRITE_BYTES {
                if connection.send(message.opcode, &message.bytes, &mut wire.context()) == Err(NotOpen) {
                    return 0;
                }
                count += 1;
            }
            let sent_ns = monotonic_ns();
            for _ in 0..count {
                book.sent(Some(awaiting), settings.name, ready_ns, able_ns, sent_ns);
                book.record.sent(index, sent_ns, message.opcode, settings.name, &message.bytes);
            }
        }
        self.book.due(count, ready_ns);
        let Slot { credit, remaining, .. } = &mut self.slots[index as usize];
        *credit -= count as u32;
        *remaining -= count;
        if *remaining == 0 {
            self.working -= 1;
        }
        count
    }

    /// Sends one message that is rendered anew, or whose reply is found by a key; false when the connection is closed.
    fn send_varied(&mut self, index: u32, intended_ns: u64, able_ns: u64) -> bool {
        let Self { slots, wire, book, settings, clock, keys_due_ns, .. } = self;
        let Slot { connection, awaiting, sent, session, .. } = &mut slots[index as usize];
        let Some(message) = &settings.message else { return false };
        let mut rendered = std::mem::take(&mut wire.echo);
        rendered.clear();
        let bytes = match &message.template {
            Some(template) => {
                let unix_ns = clock.to_realtime(monotonic_ns());
                let slot = settings.global_slot(index);
                match (session.as_mut(), &settings.program) {
                    (Some(session), Some(program)) => {
                        let now = Now { ns: intended_ns, unix_ns, slot };
                        // What a variable without a value leaves out is missing in the message, and told as a failure.
                        if let Err(why) = session.render(program, template, now, &mut rendered) {
                            let example = format!("connection {slot}: {why}");
                            let kind = FailureKind::ExpectationFailed;
                            book.now().failures.add(kind, "a variable holds nothing", 1, monotonic_ns(), &example);
                        }
                        session.count_sent();
                    }
                    _ => {
                        let cx = RenderContext { seed: settings.seed, slot, seq: *sent, iteration: *sent, unix_ns };
                        template.render(&cx, &mut rendered);
                    }
                }
                &rendered
            }
            None => &message.bytes,
        };
        let open = connection.send(message.opcode, bytes, &mut wire.context()).is_ok();
        if open {
            *sent += 1;
            let sent_ns = monotonic_ns();
            let what = (message.opcode, settings.name);
            match (session, &settings.program) {
                (Some(session), Some(program)) => {
                    book.record.sent_in_session(index, sent_ns, what, bytes, (session, program));
                }
                _ => book.record.sent(index, sent_ns, message.opcode, settings.name, bytes),
            }
            match &settings.keys {
                Some(keys) => {
                    book.sent(None, settings.name, intended_ns, able_ns, sent_ns);
                    let warmup = book.is_warmup(intended_ns);
                    let key = keys.sent.key_of(bytes);
                    if settings.publishers.is_some() {
                        let (publisher, number) = (index, *sent);
                        let expected = self.open;
                        let message = Published { publisher, number, intended_ns, sent_ns, warmup, expected };
                        book.publish(key, settings.slots, message);
                    } else {
                        book.await_key(
                            awaiting,
                            index,
                            key,
                            Sent { intended_ns, sent_ns, warmup, name: settings.name },
                        );
                    }
                    keys_due_ns.get_or_insert(sent_ns + settings.reply_timeout_ns);
                }
                None => {
                    book.sent(
                        settings.awaits_replies.then_some(awaiting),
                        settings.name,
                        intended_ns,
                        able_ns,
                        sent_ns,
                    );
                }
            }
        }
        self.wire.echo = rendered;
        open
    }

    #[inline]
    fn encode_open(&mut self, index: u32) -> u64 {
        if self.settings.varies {
            return self.encode_open_varied(index);
        }
        let Self { slots, wire, book, settings, .. } = self;
        let slot_number = settings.global_slot(index);
        let Drive::Open { schedule, .. } = &settings.drive else { return 0 };
        let grain = settings.grain;
        let (Some(message), Some(epoch_ns)) = (&settings.message, self.epoch_ns) else { return 0 };
        let Slot { connection, awaiting, backlog, next_send, step_ns, .. } = &mut slots[index as usize];
        let mut count = 0;
        while *backlog > 0 && wire.out.len() < WRITE_BYTES {
            if connection.send(message.opcode, &message.bytes, &mut wire.context()) == Err(NotOpen) {
                break;
            }
            let intended_ns = grain.round_up(epoch_ns + next_send.due_ns);
            // What waited for a connection, or for the server to read, is no lateness of ours.
            let able_ns = intended_ns.max(*step_ns);
            let sent_ns = monotonic_ns();
            book.sent(settings.awaits_replies.then_some(&mut *awaiting), settings.name, intended_ns, able_ns, sent_ns);
            book.record.sent(index, sent_ns, message.opcode, settings.name, &message.bytes);
            *backlog -= 1;
            count += 1;
            if let Some(next) = schedule.next(slot_number, *next_send) {
                *next_send = next;
            }
        }
        self.backlog -= count;
        count
    }

    fn encode_open_varied(&mut self, index: u32) -> u64 {
        let Some(epoch_ns) = self.epoch_ns else { return 0 };
        let mut count = 0;
        while self.slots[index as usize].backlog > 0 && self.wire.out.len() < WRITE_BYTES {
            let slot = &self.slots[index as usize];
            let intended_ns = self.settings.grain.round_up(epoch_ns + slot.next_send.due_ns);
            let able_ns = intended_ns.max(slot.step_ns);
            if !self.send_varied(index, intended_ns, able_ns) {
                break;
            }
            let slot_number = self.settings.global_slot(index);
            let slot = &mut self.slots[index as usize];
            slot.backlog -= 1;
            count += 1;
            if let Drive::Open { schedule, .. } = &self.settings.drive
                && let Some(next) = schedule.next(slot_number, slot.next_send)
            {
                slot.next_send = next;
            }
        }
        self.backlog -= count;
        count
    }

    /// A connection has just opened: its first message goes out, the steps of its scenario begin.
    pub(super) fn greet(&mut self, index: u32) {
        if let Some(first) = &self.settings.first_message {
            let slot = &mut self.slots[index as usize];
            // The connection is open: it takes the message.
            let _ = slot.connection.send(first.opcode, &first.bytes, &mut self.wire.context());
            self.book.record.sent(index, monotonic_ns(), first.opcode, NO_NAME, &first.bytes);
        }
        if self.settings.program.is_some() {
            self.open_session(index);
        } else {
            self.start_sending(index);
        }
    }

    /// A connection can be sent on: a closed loop's share or a backlog follows.
    pub(super) fn start_sending(&mut self, index: u32) {
        let mut ready_ns = monotonic_ns();
        if let Drive::Closed { in_flight, think } = self.settings.drive {
            let slot = &mut self.slots[index as usize];
            // A user who was thinking when the connection was replaced goes on thinking; one who had finished has been
            // kept waiting since.
            slot.credit = if self.sends.contains(index) { 0 } else { in_flight };
            if think.is_some() && slot.next_send.seq > 0 {
                ready_ns = slot.next_send.due_ns;
            }
        }
        if self.phase == Phase::Running {
            self.pump(index, ready_ns);
        } else {
            self.flush(index);
        }
    }

    /// Gives what has been encoded to the kernel, through TLS if there is any; what it does not take waits as the
    /// slot's tail.
    #[inline]
    pub(super) fn flush(&mut self, index: u32) {
        if self.wire.out.is_empty() {
            return;
        }
        let slot = &mut self.slots[index as usize];
        if slot.stage == Stage::Open {
            self.book.now().counters.bytes_sent += self.wire.out.len() as u64;
        }
        if slot.tls.is_some() {
            self.seal(index);
        }
        self.transmit(index);
    }

    /// Replaces what has been encoded by what TLS makes of it.
    fn seal(&mut self, index: u32) {
        let Wire { out, sealed, .. } = &mut self.wire;
        let Some(tls) = &mut self.slots[index as usize].tls else { return };
        sealed.clear();
        let result = tls.seal(out, sealed);
        std::mem::swap(out, sealed);
        if let Err(fault) = result {
            self.wire.out.clear();
            self.tls_failed(index, &fault);
        }
    }

    /// Gives bytes as they are to the kernel.
    #[inline]
    pub(super) fn transmit(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let out = &mut self.wire.out;
        let Some(socket) = &slot.socket else { return out.clear() };
        if out.is_empty() {
            return;
        }
        if let Some(tail) = &mut slot.tail {
            tail.bytes.append(out);
            if tail.bytes.len() - tail.sent > MAX_TAIL_BYTES + WRITE_BYTES && slot.stage <= Stage::Open {
                self.stuck(index);
            }
            return;
        }
        let sent = socket.send(out);
        if let Ok(len) = sent
            && len == out.len()
        {
            return out.clear();
        }
        self.transmitted_in_part(index, sent);
    }

    /// The kernel took a part, nothing, or refused.
    #[cold]
    fn transmitted_in_part(&mut self, index: u32, sent: io::Result<usize>) {
        match sent {
            Ok(len) => {
                let bytes = std::mem::take(&mut self.wire.out);
                let slot = &mut self.slots[index as usize];
                slot.tail = Some(Box::new(Tail { bytes, sent: len }));
                self.book.now().counters.back_pressure += 1;
                // Who sends back what it receives must not receive more than it can send.
                let echo = matches!(self.settings.drive, Drive::Echo);
                self.watch(index, if echo { Interest::Write } else { Interest::ReadWrite });
            }
            Err(error) => {
                self.wire.out.clear();
                // What the server said before it went away may still be there to read, its Close for instance:
                // the broken socket stays readable, and reading ends with this same error.
                if kind_of(&error) != FailureKind::Reset {
                    self.transport_over(index, Some(&error));
                }
            }
        }
    }

    /// The socket takes bytes again, or the connection attempt is decided.
    pub(super) fn writable(&mut self, index: u32) {
        if self.slots[index as usize].stage == Stage::Connecting {
            return self.tcp_decided(index);
        }
        let slot = &mut self.slots[index as usize];
        let (Some(socket), Some(tail)) = (&slot.socket, &mut slot.tail) else { return };
        match socket.send(&tail.bytes[tail.sent..]) {
            Ok(len) => {
                tail.sent += len;
                if tail.sent == tail.bytes.len() {
                    slot.tail = None;
                    slot.step_ns = monotonic_ns();
                    self.watch(index, Interest::Read);
                    self.pump(index, monotonic_ns());
                }
            }
            Err(error) => self.transport_over(index, Some(&error)),
        }
    }

    /// A server that makes us answer and does not read the answers.
    fn stuck(&mut self, index: u32) {
        self.fail(index, FailureKind::LocalLimit, "unsent bytes", "the server asks for answers and reads none of them");
        if self.slots[index as usize].stage == Stage::Open {
            self.lost(index);
        }
        self.release(index);
        self.open_again_or_finish(index);
    }
}
