//! What a shard tells of its connections, and what is kept of it.

use super::budget::Budget;
use super::event::{Direction, HEAD_BYTES, Head, Kind, NO_NAME, Why};
use super::redact::{Secret, redact};
use super::reservoir::Reservoir;
use super::ring::{NOWHERE, Ring};
use super::{CUT, OUT_OF_REACH, REDACTED};
use crate::frame::opcode::Opcode;
use crate::json::{Query, hide};
use crate::tally::FailureKind;

/// Of the ring for each connection before it is rounded up, and its bounds. A small ring stays in the cache.
const RING_BYTES_PER_CONNECTION: usize = 450;
const RING_BYTES: std::ops::RangeInclusive<usize> = 256 << 10..=8 << 20;
/// Events kept from before a failure, and before a slow reply.
const FAILURE_DEPTH: usize = 50;
const SLOW_DEPTH: usize = 16;
/// Events kept after a failure: what became of the connection.
const AFTERMATH: u8 = 6;
/// Slow replies for which events are kept, in an interval.
const SLOW_PER_INTERVAL: u32 = 2;
/// How far back the send of an exchange is looked for.
const EXCHANGE_DEPTH: usize = 64;

/// Connections that are recorded whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// Every so-manieth slot, the first one among them; 0: none.
    OneIn(u32),
    /// So many of all, evenly spread.
    Count {
        /// How many.
        of: u32,
        /// All there are.
        connections: u32,
    },
}

impl Whole {
    /// Whether a slot is one of them.
    pub fn holds(self, slot: u32) -> bool {
        match self {
            Self::OneIn(0) => false,
            Self::OneIn(number) => slot.is_multiple_of(number),
            Self::Count { of, connections } => {
                let before =
                    |slot: u32| u64::from(slot) * u64::from(of.min(connections)) / u64::from(connections.max(1));
                before(slot + 1) > before(slot)
            }
        }
    }
}

/// What is to be kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Connections that are recorded whole.
    pub whole: Whole,
    /// Keep what led to a failure that is no close.
    pub on_error: bool,
    /// Keep what led to an unexpected close or reset.
    pub on_close: bool,
    /// Keep what led to a reply slower than this share of the interval before.
    pub slow_quantile: Option<f64>,
    /// Exchanges to sample in each interval.
    pub exchanges: u32,
    /// Most of a payload that is kept.
    pub payload_bytes: usize,
    /// Most of all events together, in bytes.
    pub limit_bytes: u64,
    /// Over so long a run.
    pub length_ns: u64,
    /// Values that must not be stored.
    pub secrets: Vec<Secret>,
    /// Values in JSON texts that must not be stored.
    pub redact: Vec<Query>,
    /// Seed of the sample.
    pub seed: u64,
    /// Slots are `worker + k * workers`.
    pub worker: u32,
    /// Of so many.
    pub workers: u32,
    /// Slots of this worker.
    pub slots: u32,
}

impl Settings {
    /// The run's number of a worker's own.
    fn slot(&self, index: u32) -> u32 {
        self.worker + index * self.workers
    }
}

/// The message that a received one answers.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// When it was to be sent.
    pub intended_ns: u64,
    /// When it was.
    pub sent_ns: u64,
}

/// What an interval brought.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Events as bytes, see [`super::decode`].
    pub events: Vec<u8>,
    /// Events that were kept, by the bit of [`Why`].
    pub counts: [u64; 4],
    /// All events there were.
    pub seen: u64,
    /// Of them, those that were to be kept and went beyond the budget.
    pub over_budget: u64,
}

/// A connection's part of the flight recorder.
#[derive(Debug, Clone, Copy)]
struct Flight {
    /// Offset of its last event in the ring that has not been kept for a failure.
    last: u64,
    attempt: u32,
    seq: u32,
    /// Events that are still kept because of a failure before.
    aftermath: u8,
    whole: bool,
}

/// Recorder of one shard. `index` is the worker's own number of a slot.
#[derive(Debug)]
pub struct Timeline {
    settings: Settings,
    ring: Ring,
    flights: Vec<Flight>,
    reservoir: Reservoir,
    budget: Budget,
    kept: Kept,
    /// By place of the message name: above this latency a reply is an outlier.
    slow_ns: Vec<u64>,
    slow_left: u32,
    scratch: Vec<u64>,
    redacted: Vec<u8>,
}

impl Timeline {
    /// A recorder that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        let slots = settings.slots as usize;
        let ring = (slots * RING_BYTES_PER_CONNECTION).clamp(*RING_BYTES.start(), *RING_BYTES.end());
        // The longest event must fit several times.
        let ring = ring.max(8 * (HEAD_BYTES + settings.payload_bytes));
        let flight = |index: u32| {
            let whole = settings.whole.holds(settings.slot(index));
            Flight { last: NOWHERE, attempt: 0, seq: 0, aftermath: 0, whole }
        };
        Self {
            ring: Ring::new(ring),
            flights: (0..settings.slots).map(flight).collect(),
            reservoir: Reservoir::new(settings.exchanges as usize, settings.seed, settings.worker),
            budget: Budget::new(settings.limit_bytes, settings.length_ns),
            kept: Kept::default(),
            slow_ns: Vec::new(),
            slow_left: 0,
            scratch: Vec::with_capacity(FAILURE_DEPTH),
            redacted: Vec::new(),
            settings,
        }
    }

    /// A connection attempt begins.
    pub fn begin(&mut self, index: u32, at_ns: u64) {
        let flight = &mut self.flights[index as usize];
        flight.attempt += 1;
        (flight.seq, flight.last) = (0, NOWHERE);
        self.record(index, Note::new(Kind::Connect, Direction::None, at_ns), b"");
    }

    /// The upgrade was accepted; `agreed` says on what.
    pub fn opened(&mut self, index: u32, at_ns: u64, agreed: &str) {
        self.record(index, Note::new(Kind::Open, Direction::None, at_ns), agreed.as_bytes());
    }

    /// A data message went out; `instead` of a secret payload something else is stored.
    #[inline]
    pub fn sent(
        &mut self,
        index: u32,
        at_ns: u64,
        (opcode, name): (Opcode, u16),
        payload: &[u8],
        instead: Option<&[u8]>,
    ) {
        let flags = if instead.is_some() { REDACTED } else { 0 };
        let note = Note { name, flags, ..Note::new(Kind::of_message(opcode), Direction::Sent, at_ns) };
        self.record(index, note, instead.unwrap_or(payload));
    }

    /// A data message came in, in answer to one or not.
    #[inline]
    pub fn received(
        &mut self,
        index: u32,
        at_ns: u64,
        (opcode, name): (Opcode, u16),
        payload: &[u8],
        answers: Option<Answer>,
    ) {
        let latency_ns = answers.map(|answer| at_ns.saturating_sub(answer.intended_ns));
        let note = Note { name, latency_ns, ..Note::new(Kind::of_message(opcode), Direction::Received, at_ns) };
        self.record(index, note, payload);
        let Some(answer) = answers else { return };
        if let Some(buffer) = self.reservoir.offer() {
            exchange((&self.ring, self.settings.slot(index), self.flights[index as usize]), answer.sent_ns, buffer);
        }
        if self.slow_left > 0 {
            self.judge(index, name, latency_ns);
        }
    }

    /// A control frame; of a Close the payload is its reason.
    pub fn control(&mut self, index: u32, at_ns: u64, (kind, direction): (Kind, Direction), code: u16, payload: &[u8]) {
        self.record(index, Note { code, ..Note::new(kind, direction, at_ns) }, payload);
    }

    /// Something went wrong on the connection: what led there is kept, if that is asked for.
    pub fn failed(&mut self, index: u32, at_ns: u64, kind: FailureKind, what: &str) {
        let note = Note { code: kind as u16, ..Note::new(Kind::Failed, Direction::None, at_ns) };
        self.record(index, note, what.as_bytes());
        let closed = matches!(kind, FailureKind::UnexpectedClose | FailureKind::Reset);
        if if closed { self.settings.on_close } else { self.settings.on_error } {
            self.keep(index, FAILURE_DEPTH, Why::Failure);
            let flight = &mut self.flights[index as usize];
            flight.aftermath = AFTERMATH;
            flight.last = NOWHERE;
        }
    }

    /// A step of a scenario begins.
    pub fn marked(&mut self, index: u32, at_ns: u64, text: &str) {
        self.record(index, Note::new(Kind::Step, Direction::None, at_ns), text.as_bytes());
    }

    /// The connection is no more.
    pub fn ended(&mut self, index: u32, at_ns: u64) {
        self.record(index, Note::new(Kind::End, Direction::None, at_ns), b"");
    }

    /// An interval is over: what it brought. In the next one, replies are outliers that are slower than
    /// `slow_ns` says, by the place of their message name.
    pub fn cut(&mut self, now_ns: u64, slow_ns: Vec<u64>) -> Kept {
        let Self { reservoir, budget, kept, settings, redacted, .. } = self;
        for exchange in reservoir.take() {
            let mut rest = &exchange[..];
            while let Some((head, payload)) = Head::read(rest) {
                rest = &rest[HEAD_BYTES + payload.len()..];
                emit((budget, kept, redacted), settings, head, payload, Why::Sample);
            }
        }
        self.slow_ns = slow_ns;
        self.slow_left = SLOW_PER_INTERVAL;
        self.budget.refill(now_ns);
        let room = Vec::with_capacity(self.kept.events.len());
        std::mem::replace(&mut self.kept, Kept { events: room, ..Kept::default() })
    }

    /// The share of latencies above which a reply is an outlier.
    pub fn slow_quantile(&self) -> Option<f64> {
        self.settings.slow_quantile
    }

    #[inline]
    fn record(&mut self, index: u32, note: Note, payload: &[u8]) {
        let Some(flight) = self.flights.get_mut(index as usize) else { return };
        self.kept.seen += 1;
        let cut = payload.len() > self.settings.payload_bytes;
        let head = Head {
            kind: note.kind,
            direction: note.direction,
            flags: note.flags | if cut { CUT } else { 0 },
            why: 0,
            at_ns: note.at_ns,
            // Whoever reads the ring tells it these.
            slot: 0,
            attempt: 0,
            seq: flight.seq,
            size: payload.len() as u32,
            latency_ns: note.latency_ns,
            name: note.name,
            code: note.code,
        };
        let payload = if cut { &payload[..self.settings.payload_bytes] } else { payload };
        flight.seq = flight.seq.wrapping_add(1);
        flight.last = self.ring.push(flight.last, &head, payload);
        if flight.whole || flight.aftermath > 0 {
            self.keep_last(index);
        }
    }

    /// Keeps the event that has just been recorded.
    #[cold]
    fn keep_last(&mut self, index: u32) {
        let Self { ring, flights, budget, kept, redacted, settings, .. } = self;
        let flight = &mut flights[index as usize];
        let why = if flight.whole { Why::Connection } else { Why::Failure };
        flight.aftermath = flight.aftermath.saturating_sub(1);
        let of = (settings.slot(index), flight.attempt);
        if let Some((_, head, payload)) = ring.at(flight.last, of) {
            emit((budget, kept, redacted), settings, head, payload, why);
        }
    }

    /// Keeps what led to a reply that is an outlier.
    fn judge(&mut self, index: u32, name: u16, latency_ns: Option<u64>) {
        let slow_ns = self.slow_ns.get(usize::from(name)).copied();
        if slow_ns.is_some() && latency_ns > slow_ns {
            self.slow_left -= 1;
            self.keep(index, SLOW_DEPTH, Why::Slow);
        }
    }

    /// Keeps the last events of a connection, the oldest first.
    fn keep(&mut self, index: u32, depth: usize, why: Why) {
        let Self { ring, flights, budget, kept, scratch, redacted, settings, .. } = self;
        scratch.clear();
        let flight = flights[index as usize];
        let of = (settings.slot(index), flight.attempt);
        let mut offset = flight.last;
        while scratch.len() < depth
            && let Some((before, _, _)) = ring.at(offset, of)
        {
            scratch.push(offset);
            offset = before;
        }
        // A link that leads to an event which is no longer there.
        let out_of_reach = scratch.len() < depth && offset != NOWHERE;
        for (place, offset) in scratch.iter().rev().enumerate() {
            let Some((_, mut head, payload)) = ring.at(*offset, of) else { continue };
            if place == 0 && out_of_reach {
                head.flags |= OUT_OF_REACH;
            }
            emit((budget, kept, redacted), settings, head, payload, why);
        }
    }
}

/// Writes the exchange that has just ended with the event at `last`.
#[cold]
fn exchange((ring, slot, flight): (&Ring, u32, Flight), sent_ns: u64, buffer: &mut Vec<u8>) {
    buffer.clear();
    let of = (slot, flight.attempt);
    let Some((mut before, mut received, payload)) = ring.at(flight.last, of) else { return };
    let mut found = false;
    for _ in 0..EXCHANGE_DEPTH {
        let Some((link, head, payload)) = ring.at(before, of) else { break };
        if head.is_message_sent_at(sent_ns) {
            head.append(payload, buffer);
            found = true;
            break;
        }
        before = link;
    }
    if !found {
        received.flags |= OUT_OF_REACH;
    }
    received.append(payload, buffer);
}

/// What is told of an event beside its connection and payload.
#[derive(Debug, Clone, Copy)]
struct Note {
    kind: Kind,
    direction: Direction,
    at_ns: u64,
    latency_ns: Option<u64>,
    name: u16,
    code: u16,
    flags: u8,
}

impl Note {
    #[inline]
    fn new(kind: Kind, direction: Direction, at_ns: u64) -> Self {
        Self { kind, direction, at_ns, latency_ns: None, name: NO_NAME, code: 0, flags: 0 }
    }
}

/// Adds an event to what is kept, if that can be afforded, without secrets.
fn emit(
    (budget, kept, redacted): (&mut Budget, &mut Kept, &mut Vec<u8>),
    settings: &Settings,
    mut head: Head,
    payload: &[u8],
    why: Why,
) {
    if !budget.admit(why, payload.len()) {
        kept.over_budget += 1;
        return;
    }
    head.why = why as u8;
    kept.counts[(why as u8).trailing_zeros() as usize] += 1;
    let cut = head.flags & CUT != 0;
    let hidden = if head.kind == Kind::Text { hide(&settings.redact, payload, cut) } else { None };
    if hidden.is_some() {
        head.flags |= REDACTED;
    }
    let payload = hidden.as_deref().unwrap_or(payload);
    if head.direction == Direction::Sent && !settings.secrets.is_empty() {
        redacted.clear();
        if redact(&settings.secrets, payload, cut, redacted) {
            head.flags |= REDACTED;
            return head.append(redacted, &mut kept.events);
        }
    }
    head.append(payload, &mut kept.events);
}

#[cfg(test)]
mod tests;
