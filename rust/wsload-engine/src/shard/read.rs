//! Reading: bytes to events, events to measurements.

use std::io;
use std::os::fd::AsRawFd;

use wsload_core::connection::{Event, NO_CODE, State};
use wsload_core::error::Failure;
use wsload_core::handshake::Upgraded;
use wsload_core::matching::Sent;
use wsload_core::program::{Action, Incoming, Now, Taken};
use wsload_core::schedule::{Cursor, Think};
use wsload_core::tally::FailureKind;

use super::book::KeyedReply;
use super::connect::kind_of;
use super::settings::Drive;
use super::slot::{Slot, Stage};
use super::{Shard, Wire};
use crate::os::{Interest, monotonic_ns};

/// Reads per visit of a connection; level triggering brings it back for the rest.
const READS_PER_VISIT: usize = 4;

/// What the bytes of one read said, beside the messages, which are counted as they come.
#[derive(Debug, Default)]
struct Heard {
    answered: u32,
    messages: u32,
    pings: u32,
    /// The pong that answers our ping is among them.
    pong: bool,
    /// Bytes that belong to frames, not to the handshake.
    frame_bytes: u64,
    rare: Option<Box<Rare>>,
    /// The session took a message: what it says next, and until when it waits if it waits.
    followed: bool,
    /// A message came on a connection that plays a recording: what waited for it may follow.
    played: bool,
    actions: Vec<Action>,
    wait: Option<Option<u64>>,
}

/// What happens once or twice in a connection's life.
#[derive(Debug, Default)]
struct Rare {
    opened: Option<Box<Upgraded>>,
    /// Code and reason of the server's Close.
    close: Option<(Option<u16>, String)>,
    failure: Option<Failure>,
}

impl Heard {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

impl Shard {
    /// Reads a connection until it is empty or has had its share.
    pub(super) fn readable(&mut self, index: u32, ended: bool) {
        for _ in 0..READS_PER_VISIT {
            let Some(socket) = &self.slots[index as usize].socket else { return };
            let received = match socket.receive(&mut self.read_buffer) {
                Ok(Some(received)) => received,
                Ok(None) => return,
                Err(error) => return self.transport_over(index, Some(&error)),
            };
            if received.len == 0 {
                return self.transport_over(index, None);
            }
            let read_ns = monotonic_ns();
            let emptied_ns = self.slots[index as usize].emptied_ns;
            let stamp_ns = received.stamp_ns.and_then(|stamp| self.clock.arrival(stamp, emptied_ns, read_ns));
            let arrival_ns = stamp_ns.unwrap_or(read_ns);
            let unstamped = stamp_ns.is_none().then(|| self.book.received_so_far());
            // The buffer changes hands while it is read: whatever is heard may act on all of the shard.
            let mut buffer = std::mem::take(&mut self.read_buffer);
            let slot = &self.slots[index as usize];
            if slot.tunnel.is_some() {
                self.tunnel_heard(index, &buffer[..received.len]);
            } else if slot.tls.is_some() {
                self.decrypt(index, &mut buffer[..received.len], arrival_ns, read_ns);
            } else {
                self.take_in(index, &buffer[..received.len], arrival_ns, read_ns);
            }
            self.read_buffer = buffer;
            if unstamped.is_some_and(|before| self.book.received_so_far() > before) {
                self.book.now().counters.stamps_missing += 1;
            }
            // A short read has emptied the socket, unless its end waits to be read as well. What cannot be sent back
            // is not read.
            let full = received.len == self.read_buffer.len();
            if !full {
                self.slots[index as usize].emptied_ns = read_ns;
            }
            if !(full || ended) || self.holds_back(index) {
                return;
            }
        }
    }

    /// Whether a connection that sends back what it receives must first get rid of what it has.
    fn holds_back(&self, index: u32) -> bool {
        matches!(self.settings.drive, Drive::Echo) && self.slots[index as usize].tail.is_some()
    }

    /// Feeds bytes to the connection and acts on what they say.
    #[inline]
    pub(super) fn take_in(&mut self, index: u32, bytes: &[u8], arrival_ns: u64, read_ns: u64) {
        let mut rest = bytes;
        let heard = self.hear(index, &mut rest, arrival_ns, read_ns);
        let opened = heard.rare.as_ref().is_some_and(|rare| rare.opened.is_some());
        let token = self.slots[index as usize].token(index);
        self.act_on(index, heard, arrival_ns, read_ns);
        let slot = &self.slots[index as usize];
        if opened && !rest.is_empty() && slot.socket.is_some() && slot.token(index) == token {
            // It came before the first step could wait for it: it counts from when it could.
            let now_ns = monotonic_ns();
            let heard = self.hear(index, &mut rest, now_ns, now_ns);
            self.act_on(index, heard, now_ns, now_ns);
        }
    }

    /// Takes all of the bytes; of those that open a connection with first steps only the handshake, for what came right
    /// behind it is for these.
    #[inline]
    fn hear(&mut self, index: u32, input: &mut &[u8], arrival_ns: u64, read_ns: u64) -> Heard {
        let Self { slots, wire: Wire { config, masks, codecs, out, echo, .. }, book, settings, clock, replay, .. } =
            self;
        let Slot { connection, awaiting, ping_ns, push_ns, emptied_ns, session, .. } = &mut slots[index as usize];
        let slot_number = settings.global_slot(index);
        let mut context = wsload_core::connection::Context { config, masks, codecs, out };
        let mut heard = Heard::default();
        let mut stamped: Option<Sent> = None;
        if connection.state() != State::Opening {
            heard.frame_bytes = input.len() as u64;
        }
        loop {
            match connection.receive(input, &mut context) {
                Ok(Some(Event::Message { opcode, payload })) => {
                    heard.messages += 1;
                    // The stamp is that of the last byte: it is exact for the last message only.
                    if let Some(sent) = stamped.take() {
                        book.uncertain(sent, *emptied_ns, arrival_ns);
                    }
                    if let (Some(session), Some(program)) = (session.as_mut(), &settings.program) {
                        let unix_ns = clock.to_realtime(read_ns);
                        let now = Now { ns: read_ns, unix_ns, slot: slot_number };
                        let taken = session.hear(program, Incoming { opcode, payload }, arrival_ns, now);
                        match taken {
                            Taken::Answer(exchange) => {
                                let sent = book.answered_step(exchange, arrival_ns, read_ns);
                                book.record.heard(index, arrival_ns, opcode, payload, Some(sent), (session, program));
                                stamped = Some(sent);
                            }
                            Taken::Late(exchange) => book.late_step(exchange),
                            Taken::Taken => book.taken(),
                            Taken::Push => {}
                        }
                        if matches!(taken, Taken::Late(_) | Taken::Taken) {
                            book.record.heard(index, arrival_ns, opcode, payload, None, (session, program));
                        }
                        if taken != Taken::Push {
                            heard.followed = true;
                            // The next message of these bytes meets the step that is up by then.
                            while heard.actions.is_empty() {
                                echo.clear();
                                match session.next(program, now, echo) {
                                    Action::Wait(until_ns) => {
                                        heard.wait = Some(until_ns);
                                        break;
                                    }
                                    Action::Send { opcode, name, intended_ns, able_ns } => {
                                        if connection.send(opcode, echo, &mut context).is_err() {
                                            break;
                                        }
                                        let sent_ns = monotonic_ns();
                                        session.sent(program, sent_ns);
                                        book.sent_by_step(name, intended_ns, able_ns, sent_ns);
                                        let whose = (&**session, program);
                                        book.record.sent_in_session(index, sent_ns, (opcode, name), echo, whose);
                                    }
                                    other => heard.actions.push(other),
                                }
                            }
                            continue;
                        }
                        if !settings.simple || !session.is_free() {
                            book.record.heard(index, arrival_ns, opcode, payload, None, (session, program));
                            book.pushed(std::mem::replace(push_ns, arrival_ns), arrival_ns);
                            continue;
                        }
                    }
                    if let Some(replay) = replay {
                        let answered = replay.heard(settings, index, payload, arrival_ns);
                        stamped = answered.map(|sent| book.answered_as_recorded(sent, arrival_ns, read_ns));
                        if answered.is_none() {
                            book.pushed(std::mem::replace(push_ns, arrival_ns), arrival_ns);
                        }
                        book.record.received(index, arrival_ns, opcode, payload, stamped);
                        heard.played = true;
                        continue;
                    }
                    let reply = match &settings.keys {
                        None => {
                            book.received(awaiting, arrival_ns, read_ns).map_or(KeyedReply::Push, KeyedReply::Answer)
                        }
                        Some(keys) => {
                            let key = keys.received.key_of(payload);
                            book.received_key(awaiting, index, key, (arrival_ns, read_ns))
                        }
                    };
                    let answers = if let KeyedReply::Answer(sent) = reply { Some(sent) } else { None };
                    match (session.as_deref(), &settings.program) {
                        (Some(session), Some(program)) => {
                            book.record.heard(index, arrival_ns, opcode, payload, answers, (session, program));
                        }
                        _ => book.record.received(index, arrival_ns, opcode, payload, answers),
                    }
                    match reply {
                        KeyedReply::Answer(sent) => {
                            heard.answered += 1;
                            stamped = Some(sent);
                        }
                        KeyedReply::Told => {}
                        KeyedReply::Push => book.pushed(std::mem::replace(push_ns, arrival_ns), arrival_ns),
                    }
                    if matches!(settings.drive, Drive::Echo) {
                        echo.clear();
                        echo.extend_from_slice(payload);
                        // Refused only when the connection is closing.
                        if connection.send(opcode, echo, &mut context).is_ok() {
                            book.now().counters.sent += 1;
                            book.record.sent(index, read_ns, opcode, settings.name, echo);
                        }
                    }
                }
                Ok(Some(Event::Ping(payload))) => {
                    heard.pings += 1;
                    book.record.ping_received(index, arrival_ns, payload);
                }
                Ok(Some(Event::Pong(payload))) => {
                    heard.pong |= *ping_ns != 0 && payload == ping_ns.to_le_bytes();
                    book.record.pong_received(index, arrival_ns, payload);
                }
                Ok(Some(Event::Opened(upgraded))) => {
                    heard.rare().opened = Some(upgraded);
                    if settings.program.as_ref().is_some_and(|program| program.has_first_steps(slot_number)) {
                        break;
                    }
                    heard.frame_bytes = input.len() as u64;
                }
                Ok(Some(Event::Close { code, reason })) => {
                    book.record.close_received(index, arrival_ns, code.unwrap_or(NO_CODE), reason);
                    heard.rare().close = Some((code, reason.to_owned()));
                }
                Ok(None) => break,
                Err(failure) => {
                    heard.rare().failure = Some(failure);
                    break;
                }
            }
        }
        debug_assert!(settings.awaits_replies || heard.answered == 0);
        heard
    }

    #[inline]
    fn act_on(&mut self, index: u32, heard: Heard, arrival_ns: u64, read_ns: u64) {
        let counters = &mut self.book.now().counters;
        counters.bytes_received += heard.frame_bytes;
        counters.pings_received += u64::from(heard.pings);
        counters.stamps_shared += u64::from(heard.messages.saturating_sub(1));
        if heard.pong {
            self.pong(index, arrival_ns);
        }
        if let Some(rare) = heard.rare {
            return self.act_on_rare(index, *rare, arrival_ns);
        }
        if heard.followed {
            self.go_on(index, heard.actions, heard.wait);
            if heard.answered == 0 || self.slots[index as usize].stage != Stage::Open {
                return;
            }
        }
        if heard.played {
            return self.play(index);
        }
        let slot = &mut self.slots[index as usize];
        if let Drive::Closed { think: Some(think), .. } = self.settings.drive {
            if heard.answered > 0 {
                self.think(index, think, arrival_ns);
            }
            return self.settle(index);
        }
        slot.credit += heard.answered;
        if slot.retiring {
            self.retire(index);
        }
        let slot = &mut self.slots[index as usize];
        if slot.credit > 0 {
            self.pump(index, read_ns);
        } else if !self.wire.out.is_empty() {
            self.flush(index);
        }
    }

    /// Does what a session said while its messages were read.
    fn go_on(&mut self, index: u32, actions: Vec<Action>, wait: Option<Option<u64>>) {
        match wait {
            Some(until_ns) if actions.is_empty() => {
                self.perform(index, Action::Wait(until_ns));
                self.has_told(index);
                self.flush(index);
            }
            _ => self.follow_after(index, actions),
        }
    }

    /// A user who thinks before it sends again: the next message is due when it has.
    pub(super) fn think(&mut self, index: u32, think: Think, arrival_ns: u64) {
        let slot_number = self.settings.global_slot(index);
        let slot = &mut self.slots[index as usize];
        let seq = slot.next_send.seq + 1;
        let wanted_ns = arrival_ns + think.before(self.settings.seed, slot_number, seq);
        slot.next_send = Cursor { seq, due_ns: self.settings.grain.round_up(wanted_ns) };
        self.sends.insert(index, slot.next_send.due_ns);
    }

    /// Nothing is to be sent now: what is encoded goes out, a connection past its lifetime goes.
    fn settle(&mut self, index: u32) {
        if !self.wire.out.is_empty() {
            self.flush(index);
        }
        if self.slots[index as usize].retiring {
            self.retire(index);
        }
    }

    #[cold]
    fn act_on_rare(&mut self, index: u32, rare: Rare, arrival_ns: u64) {
        if let Some(upgraded) = rare.opened {
            self.opened(index, &upgraded, arrival_ns);
        }
        // What answers messages of these bytes, the Close that answers the server's, or says what it did wrong.
        self.flush(index);
        if self.slots[index as usize].socket.is_none() {
            return;
        }
        if let Some((code, reason)) = rare.close {
            self.closed_by_server(index, code, &reason);
        }
        if let Some(failure) = rare.failure {
            self.broken_by_server(index, &failure);
        }
    }

    /// The server sent Close; the reply is on its way and the server is to end TCP.
    fn closed_by_server(&mut self, index: u32, code: Option<u16>, reason: &str) {
        let reported = code.unwrap_or(1005);
        *self.book.now().close_codes.entry(reported).or_default() += 1;
        if self.closes_as_recorded(index) {
            return;
        }
        if self.slots[index as usize].stage == Stage::Open {
            if self.is_as_expected(index, reported, reason) {
                self.await_end(index);
                return;
            }
            let what = format!("the server closed with code {reported} \"{reason}\"");
            self.fail(index, FailureKind::UnexpectedClose, &reported.to_string(), &what);
            self.lost(index);
            self.await_end(index);
        }
    }

    /// The server broke the protocol: RFC 6455 section 7.1.7, fail the connection.
    fn broken_by_server(&mut self, index: u32, failure: &Failure) {
        match self.slots[index as usize].stage {
            Stage::Upgrading => self.upgrade_failed(index, failure),
            Stage::Open => {
                self.fail(index, failure.kind(), &failure.detail(), &failure.to_string());
                self.lost(index);
                // Closing at once, with bytes unread, would reset TCP and may cost the server our Close.
                self.await_end(index);
            }
            _ => self.ended(index),
        }
    }

    /// The transport is over: at its end, or by an error.
    pub(super) fn transport_over(&mut self, index: u32, error: Option<&io::Error>) {
        match self.slots[index as usize].stage {
            Stage::Connecting | Stage::Tunnelling | Stage::Securing | Stage::Upgrading => {
                self.attempt_cut(index, error)
            }
            Stage::Open => {
                *self.book.now().close_codes.entry(1006).or_default() += 1;
                if error.is_none() && self.is_as_expected(index, 1006, "") {
                    self.ended(index);
                    return;
                }
                match error {
                    Some(error) => self.fail(index, kind_of(error), "", &error.to_string()),
                    None => {
                        let what = "the server ended TCP without a Close frame";
                        self.fail(index, FailureKind::UnexpectedClose, "1006", what);
                    }
                }
                self.lost(index);
                self.release(index);
                self.open_again_or_finish(index);
            }
            _ => self.ended(index),
        }
    }

    /// Changes what the set tells about a slot's socket.
    pub(super) fn watch(&self, index: u32, interest: Interest) {
        let slot = &self.slots[index as usize];
        if let Some(socket) = &slot.socket {
            // The set holds the descriptor as long as the slot does: this cannot fail.
            let _ = self.sockets.modify(socket.as_raw_fd(), interest, slot.token(index));
        }
    }
}
