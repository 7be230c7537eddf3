//! Reading: bytes to events, events to measurements.

use std::io;
use std::os::fd::AsRawFd;

use wsload_core::connection::{Event, State};
use wsload_core::error::Failure;
use wsload_core::tally::FailureKind;

use super::connect::kind_of;
use super::slot::{Slot, Stage};
use super::{Shard, Wire};
use crate::os::{Interest, monotonic_ns};

/// Reads per visit of a connection; level triggering brings it back for the rest.
const READS_PER_VISIT: usize = 4;

/// What the bytes of one read said, beside the messages, which are counted as they come.
#[derive(Debug, Default)]
struct Heard {
    opened: bool,
    answered: u32,
    messages: u32,
    pings: u32,
    /// Code and reason of the server's Close.
    close: Option<(Option<u16>, String)>,
    failure: Option<Failure>,
    /// Bytes that belong to frames, not to the handshake.
    frame_bytes: u64,
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
            let arrival_ns = match received.stamp_ns {
                // The two clocks are joined within some 20 ns: an arrival after its read is that error.
                Some(stamp) => self.clock.to_monotonic(stamp).min(read_ns),
                None => read_ns,
            };
            let heard = self.hear(index, received.len, arrival_ns, read_ns);
            if received.stamp_ns.is_none() && heard.messages > 0 {
                self.book.now().counters.stamps_missing += 1;
            }
            self.act_on(index, heard, arrival_ns, read_ns);
            // A short read has emptied the socket, unless its end waits to be read as well.
            if received.len < self.read_buffer.len() && !ended {
                return;
            }
        }
    }

    /// Feeds the first `len` bytes of the read buffer to the connection.
    #[inline]
    fn hear(&mut self, index: u32, len: usize, arrival_ns: u64, read_ns: u64) -> Heard {
        let Self { slots, wire: Wire { config, masks, out }, book, read_buffer, settings, .. } = self;
        let Slot { connection, awaiting, .. } = &mut slots[index as usize];
        let mut context = wsload_core::connection::Context { config, masks, out };
        let mut heard = Heard::default();
        let mut input = &read_buffer[..len];
        if connection.state() != State::Opening {
            heard.frame_bytes = len as u64;
        }
        loop {
            match connection.receive(&mut input, &mut context) {
                Ok(Some(Event::Message { .. })) => {
                    heard.messages += 1;
                    heard.answered += u32::from(book.received(awaiting, arrival_ns, read_ns));
                }
                Ok(Some(Event::Ping(_))) => heard.pings += 1,
                Ok(Some(Event::Pong(_))) => {}
                Ok(Some(Event::Opened(_))) => {
                    heard.opened = true;
                    heard.frame_bytes = input.len() as u64;
                }
                Ok(Some(Event::Close { code, reason })) => heard.close = Some((code, reason.to_owned())),
                Ok(None) => break,
                Err(failure) => {
                    heard.failure = Some(failure);
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
        if heard.opened {
            self.opened(index, arrival_ns);
        }
        if heard.failure.is_none() && heard.close.is_none() {
            let slot = &mut self.slots[index as usize];
            slot.credit += heard.answered;
            if slot.credit > 0 {
                self.pump(index, read_ns);
            } else if !self.wire.out.is_empty() {
                self.flush(index);
            }
            return;
        }
        // The Close that answers the server's, or says what it did wrong, goes out first.
        self.flush(index);
        if self.slots[index as usize].socket.is_none() {
            return;
        }
        if let Some((code, reason)) = heard.close {
            self.closed_by_server(index, code, &reason);
        }
        if let Some(failure) = heard.failure {
            self.broken_by_server(index, &failure);
        }
    }

    /// The server sent Close; the reply is on its way and the server is to end TCP.
    fn closed_by_server(&mut self, index: u32, code: Option<u16>, reason: &str) {
        let reported = code.unwrap_or(1005);
        *self.book.now().close_codes.entry(reported).or_default() += 1;
        if self.slots[index as usize].stage == Stage::Open {
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
                self.fail(index, failure.kind(), &failure.to_string(), &failure.to_string());
                self.lost(index);
                self.release(index);
                self.open_again_or_finish(index);
            }
            _ => self.ended(index),
        }
    }

    /// The transport is over: at its end, or by an error.
    pub(super) fn transport_over(&mut self, index: u32, error: Option<&io::Error>) {
        match self.slots[index as usize].stage {
            Stage::Connecting | Stage::Upgrading => self.upgrade_cut(index, error),
            Stage::Open => {
                *self.book.now().close_codes.entry(1006).or_default() += 1;
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
