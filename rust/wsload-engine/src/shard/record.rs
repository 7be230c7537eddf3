//! The timeline's place in a shard: every call is nothing when the plan records nothing.

use std::borrow::Cow;

use wsload_core::frame::opcode::Opcode;
use wsload_core::matching::Sent;
use wsload_core::plan::{Plan, Record, WholeConnections};
use wsload_core::program::{Program, Session};
use wsload_core::schedule::share;
use wsload_core::tally::FailureKind;
use wsload_core::timeline::{Answer, Direction, Kept, Kind, NO_NAME, Secret, Settings, Timeline, Whole};

/// Run length that is assumed where none is set.
const LENGTH_NS: u64 = 3_600_000_000_000;

/// Recorder of a shard, if there is one. `index` is the worker's own number of a slot.
#[derive(Debug)]
pub(super) struct Recording {
    timeline: Option<Box<Timeline>>,
}

impl Recording {
    pub(super) fn new(plan: &Plan, (worker, workers, slots): (u32, u32, u32)) -> Self {
        let Some(Record {
            connections,
            on_error,
            on_close,
            slow_quantile,
            exchanges,
            payload_bytes,
            limit_bytes,
            secrets,
        }) = &plan.record
        else {
            return Self { timeline: None };
        };
        let whole = match *connections {
            WholeConnections::OneIn(number) => Whole::OneIn(number),
            WholeConnections::Count(of) => Whole::Count { of, connections: plan.connections },
        };
        let secrets =
            secrets.iter().map(|secret| Secret { name: secret.name.clone(), value: secret.value.clone().into_bytes() });
        let timeline = Timeline::new(Settings {
            whole,
            on_error: *on_error,
            on_close: *on_close,
            slow_quantile: *slow_quantile,
            exchanges: share(u64::from(*exchanges), workers, worker) as u32,
            payload_bytes: *payload_bytes as usize,
            limit_bytes: limit_bytes / u64::from(workers),
            length_ns: plan.duration_ns.map_or(LENGTH_NS, |duration_ns| duration_ns + plan.warmup_ns),
            secrets: secrets.collect(),
            // The plan has been looked through.
            redact: plan.redacted().unwrap_or_default(),
            seed: plan.seed,
            worker,
            workers,
            slots,
        });
        Self { timeline: Some(Box::new(timeline)) }
    }

    pub(super) fn begin(&mut self, index: u32, at_ns: u64) {
        if let Some(timeline) = &mut self.timeline {
            timeline.begin(index, at_ns);
        }
    }

    pub(super) fn opened(&mut self, index: u32, at_ns: u64, agreed: &str) {
        if let Some(timeline) = &mut self.timeline {
            timeline.opened(index, at_ns, agreed);
        }
    }

    #[inline]
    pub(super) fn sent(&mut self, index: u32, at_ns: u64, opcode: Opcode, name: u16, payload: &[u8]) {
        if let Some(timeline) = &mut self.timeline {
            timeline.sent(index, at_ns, (opcode, name), payload, None);
        }
    }

    /// The same; with `stored`, that is what is kept of it.
    #[inline]
    pub(super) fn sent_instead(
        &mut self,
        index: u32,
        at_ns: u64,
        what: (Opcode, u16),
        payload: &[u8],
        stored: Option<&[u8]>,
    ) {
        if let Some(timeline) = &mut self.timeline {
            timeline.sent(index, at_ns, what, payload, stored);
        }
    }

    /// A message of a scenario, whose secret variables must not be stored.
    #[inline]
    pub(super) fn sent_in_session(
        &mut self,
        index: u32,
        at_ns: u64,
        (opcode, name): (Opcode, u16),
        payload: &[u8],
        (session, program): (&Session, &Program),
    ) {
        if let Some(timeline) = &mut self.timeline {
            let instead = match session.hide(program, payload) {
                Cow::Borrowed(_) => None,
                Cow::Owned(hidden) => Some(hidden),
            };
            timeline.sent(index, at_ns, (opcode, name), payload, instead.as_deref());
        }
    }

    #[inline]
    pub(super) fn received(&mut self, index: u32, at_ns: u64, opcode: Opcode, payload: &[u8], answers: Option<Sent>) {
        if let Some(timeline) = &mut self.timeline {
            let name = answers.map_or(NO_NAME, |sent| sent.name);
            let answers = answers.map(|sent| Answer { intended_ns: sent.intended_ns, sent_ns: sent.sent_ns });
            timeline.received(index, at_ns, (opcode, name), payload, answers);
        }
    }

    /// A message that a session was offered. A server may well say what it was told: secrets are hidden here, too.
    #[inline]
    pub(super) fn heard(
        &mut self,
        index: u32,
        at_ns: u64,
        opcode: Opcode,
        payload: &[u8],
        answers: Option<Sent>,
        (session, program): (&Session, &Program),
    ) {
        if self.timeline.is_some() {
            self.received(index, at_ns, opcode, &session.hide(program, payload), answers);
        }
    }

    pub(super) fn ping_sent(&mut self, index: u32, at_ns: u64, payload: &[u8]) {
        self.control(index, at_ns, (Kind::Ping, Direction::Sent), 0, payload);
    }

    /// Pings are answered at once.
    pub(super) fn ping_received(&mut self, index: u32, at_ns: u64, payload: &[u8]) {
        self.control(index, at_ns, (Kind::Ping, Direction::Received), 0, payload);
        self.control(index, at_ns, (Kind::Pong, Direction::Sent), 0, payload);
    }

    pub(super) fn pong_received(&mut self, index: u32, at_ns: u64, payload: &[u8]) {
        self.control(index, at_ns, (Kind::Pong, Direction::Received), 0, payload);
    }

    pub(super) fn close_sent(&mut self, index: u32, at_ns: u64, code: u16, reason: &str) {
        self.control(index, at_ns, (Kind::Close, Direction::Sent), code, reason.as_bytes());
    }

    pub(super) fn close_received(&mut self, index: u32, at_ns: u64, code: u16, reason: &str) {
        self.control(index, at_ns, (Kind::Close, Direction::Received), code, reason.as_bytes());
    }

    pub(super) fn failed(&mut self, index: u32, at_ns: u64, kind: FailureKind, what: &str) {
        if let Some(timeline) = &mut self.timeline {
            timeline.failed(index, at_ns, kind, what);
        }
    }

    pub(super) fn marked(&mut self, index: u32, at_ns: u64, text: &str) {
        if let Some(timeline) = &mut self.timeline {
            timeline.marked(index, at_ns, text);
        }
    }

    pub(super) fn ended(&mut self, index: u32, at_ns: u64) {
        if let Some(timeline) = &mut self.timeline {
            timeline.ended(index, at_ns);
        }
    }

    pub(super) fn slow_quantile(&self) -> Option<f64> {
        self.timeline.as_ref()?.slow_quantile()
    }

    pub(super) fn cut(&mut self, now_ns: u64, slow_ns: Vec<u64>) -> Kept {
        self.timeline.as_mut().map_or_else(Kept::default, |timeline| timeline.cut(now_ns, slow_ns))
    }

    fn control(&mut self, index: u32, at_ns: u64, what: (Kind, Direction), code: u16, payload: &[u8]) {
        if let Some(timeline) = &mut self.timeline {
            timeline.control(index, at_ns, what, code, payload);
        }
    }
}
