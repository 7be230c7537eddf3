//! One event as bytes: a head of fixed size and what is kept of the payload.

use crate::frame::opcode::Opcode;
use crate::tally::FailureKind;

/// Length of a head, its length field included.
pub(super) const HEAD_BYTES: usize = 44;
/// Place in the table of names that stands for none.
pub const NO_NAME: u16 = u16::MAX;
const NO_LATENCY: u64 = u64::MAX;

/// Which way an event went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// Neither: something became of the connection.
    None = 0,
    /// From us to the server.
    Sent = 1,
    /// From the server to us.
    Received = 2,
}

impl Direction {
    /// Its name in the run file.
    pub fn name(self) -> &'static str {
        ["", "sent", "received"][self as usize]
    }

    /// Read back from its number.
    pub(super) fn of(number: u8) -> Option<Self> {
        [Self::None, Self::Sent, Self::Received].get(usize::from(number)).copied()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),+ $(,)?) => {
        /// What an event is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $kind),+ }

        impl Kind {
            const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Read back from its number.
            pub(super) fn of(number: u8) -> Option<Self> {
                Self::ALL.get(usize::from(number)).copied()
            }

            /// Its name in the run file.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }
        }
    };
}

kinds! {
    /// A connection attempt begins.
    Connect = "connect",
    /// The upgrade was accepted.
    Open = "open",
    /// A text message.
    Text = "text",
    /// A binary message.
    Binary = "binary",
    /// A control ping.
    Ping = "ping",
    /// A control pong.
    Pong = "pong",
    /// A Close; the payload is its reason.
    Close = "close",
    /// Something went wrong; the payload says what.
    Failed = "failed",
    /// The connection is no more.
    End = "end",
    /// A step of a scenario begins; the payload says which.
    Step = "step",
}

impl Kind {
    /// The kind of a data message.
    #[inline]
    pub fn of_message(opcode: Opcode) -> Self {
        if opcode == Opcode::Binary { Self::Binary } else { Self::Text }
    }

    fn is_message(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }
}

/// Why an event is kept; several reasons add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// Its connection is recorded whole.
    Connection = 1,
    /// It led to, or followed, a failure.
    Failure = 2,
    /// It led to a reply that took unusually long.
    Slow = 4,
    /// It is part of a sampled exchange.
    Sample = 8,
}

/// All of an event but its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Which way it went.
    pub direction: Direction,
    /// [`super::CUT`], [`super::REDACTED`], [`super::OUT_OF_REACH`].
    pub flags: u8,
    /// Bits of [`Why`]; 0 in the ring.
    pub why: u8,
    /// When, monotonic ns: arrival in the kernel, or the instant it was handed to it.
    pub at_ns: u64,
    /// Connection slot over the whole run.
    pub slot: u32,
    /// Which of the slot's connections, from 1.
    pub attempt: u32,
    /// Which of that connection's events, from 0; kept or not.
    pub seq: u32,
    /// Payload bytes, kept or not.
    pub size: u32,
    /// Of the exchange that it ends, from the intended send.
    pub latency_ns: Option<u64>,
    /// Place in the table of names, or [`NO_NAME`].
    pub name: u16,
    /// Close: its code. Failed: the place of its [`FailureKind`]. Else 0.
    pub code: u16,
}

impl Head {
    /// The event as bytes.
    #[inline]
    pub(super) fn write(&self, payload: &[u8], out: &mut [u8]) {
        let (head, rest) = out.split_at_mut(HEAD_BYTES);
        let len = (HEAD_BYTES + payload.len()) as u32;
        head[0..4].copy_from_slice(&len.to_le_bytes());
        head[4..8].copy_from_slice(&[self.kind as u8, self.direction as u8, self.flags, self.why]);
        head[8..16].copy_from_slice(&self.at_ns.to_le_bytes());
        head[16..20].copy_from_slice(&self.slot.to_le_bytes());
        head[20..24].copy_from_slice(&self.attempt.to_le_bytes());
        head[24..28].copy_from_slice(&self.seq.to_le_bytes());
        head[28..32].copy_from_slice(&self.size.to_le_bytes());
        head[32..40].copy_from_slice(&self.latency_ns.unwrap_or(NO_LATENCY).to_le_bytes());
        head[40..42].copy_from_slice(&self.name.to_le_bytes());
        head[42..44].copy_from_slice(&self.code.to_le_bytes());
        rest[..payload.len()].copy_from_slice(payload);
    }

    /// The same, appended.
    pub(super) fn append(&self, payload: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + HEAD_BYTES + payload.len(), 0);
        self.write(payload, &mut out[start..]);
    }

    /// Whether this is the data message sent at `sent_ns`.
    pub(super) fn is_message_sent_at(&self, sent_ns: u64) -> bool {
        self.direction == Direction::Sent && self.kind.is_message() && self.at_ns == sent_ns
    }

    /// Reads the event at the front of `bytes`: head, payload, and how long it is.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let payload = rest.get(..(word(0) as usize).checked_sub(HEAD_BYTES)?)?;
        let found = Self {
            kind: Kind::of(head[4])?,
            direction: Direction::of(head[5])?,
            flags: head[6],
            why: head[7],
            at_ns: long(8),
            slot: word(16),
            attempt: word(20),
            seq: word(24),
            size: word(28),
            latency_ns: Some(long(32)).filter(|latency| *latency != NO_LATENCY),
            name: short(40),
            code: short(42),
        };
        Some((found, payload))
    }
}

/// An event that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'b> {
    /// All but the payload.
    pub head: Head,
    /// What is kept of the payload.
    pub payload: &'b [u8],
}

impl Event<'_> {
    /// The kind of failure that it tells.
    pub fn failure(&self) -> Option<FailureKind> {
        (self.head.kind == Kind::Failed).then(|| FailureKind::ALL.get(usize::from(self.head.code)).copied())?
    }

    /// The code of a Close.
    pub fn close_code(&self) -> Option<u16> {
        (self.head.kind == Kind::Close).then_some(self.head.code)
    }
}

/// Bytes that are no events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the events of an interval are damaged at byte {at}")]
pub struct EventError {
    /// Where.
    pub at: usize,
}

/// The events of a block. It may come from anywhere: no claimed length is believed.
pub fn decode(bytes: &[u8]) -> Result<Vec<Event<'_>>, EventError> {
    let mut events = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (head, payload) = Head::read(&bytes[at..]).ok_or(EventError { at })?;
        at += HEAD_BYTES + payload.len();
        events.push(Event { head, payload });
    }
    Ok(events)
}

/// Moves events to a clock that shows `by_ns` more; bytes that are no events stay as they are.
pub fn shift(bytes: &mut [u8], by_ns: i64) {
    let mut at = 0;
    while let Some((head, payload)) = bytes.get(at..).and_then(Head::read) {
        let length = HEAD_BYTES + payload.len();
        bytes[at + 8..at + 16].copy_from_slice(&head.at_ns.saturating_add_signed(by_ns).to_le_bytes());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head() -> Head {
        Head {
            kind: Kind::Text,
            direction: Direction::Received,
            flags: super::super::CUT,
            why: Why::Sample as u8,
            at_ns: u64::MAX - 3,
            slot: 7,
            attempt: 2,
            seq: 9,
            size: 70_000,
            latency_ns: Some(0),
            name: 3,
            code: 1006,
        }
    }

    #[test]
    fn events_come_back_as_they_were() {
        let mut bytes = Vec::new();
        head().append(b"hello", &mut bytes);
        let second = Head { latency_ns: None, kind: Kind::Close, direction: Direction::None, ..head() };
        second.append(b"", &mut bytes);
        let events = decode(&bytes).unwrap();
        assert_eq!(events[0], Event { head: head(), payload: b"hello" });
        assert_eq!((events[1].head, events[1].close_code(), events[0].close_code()), (second, Some(1006), None));
    }

    #[test]
    fn events_move_to_another_clock_and_change_in_nothing_else() {
        let mut bytes = Vec::new();
        let (first, second) = (Head { at_ns: 1_000, ..head() }, Head { at_ns: 2_000, ..head() });
        first.append(b"hello", &mut bytes);
        second.append(b"", &mut bytes);
        shift(&mut bytes, -400);
        let events = decode(&bytes).unwrap();
        assert_eq!(events[0], Event { head: Head { at_ns: 600, ..first }, payload: b"hello" });
        assert_eq!(events[1], Event { head: Head { at_ns: 1_600, ..second }, payload: b"" });
        shift(&mut bytes, -1_000);
        assert_eq!(decode(&bytes).unwrap()[0].head.at_ns, 0);
    }

    #[test]
    fn a_failure_names_its_kind() {
        let code = FailureKind::Reset as u16;
        let failed = Event { head: Head { kind: Kind::Failed, code, ..head() }, payload: b"" };
        assert_eq!(failed.failure(), Some(FailureKind::Reset));
        assert_eq!(Event { head: Head { kind: Kind::Failed, code: 9_999, ..head() }, payload: b"" }.failure(), None);
    }

    #[test]
    fn what_is_cut_off_is_damaged() {
        let mut bytes = Vec::new();
        head().append(b"hello", &mut bytes);
        head().append(b"again", &mut bytes);
        for length in (HEAD_BYTES + 6..bytes.len()).chain(1..HEAD_BYTES + 5) {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
        bytes[4] = 200;
        assert_eq!(decode(&bytes), Err(EventError { at: 0 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_events_or_damaged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
