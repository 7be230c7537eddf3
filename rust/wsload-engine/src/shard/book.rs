//! Bookkeeping of what is measured: which message is in flight, and into which interval what happened is counted.

use std::collections::VecDeque;
use std::sync::Arc;

use wsload_core::deflate::CompressedBytes;
use wsload_core::fanout::{Delivery, FanOut, Published, Reach};
use wsload_core::interval::{Metric, Recorder, RecorderPool, Snapshot};
use wsload_core::matching::{InFlight, KeyedInFlight, Queue, Received, Sent};
use wsload_core::plan::program::Name;
use wsload_core::tally::{FailureKind, Gauges};
use wsload_core::timeline::Kept;

use super::record::Recording;
use crate::os::{CpuTime, cpu_time};

/// Recorders of the open interval. A message counts where its intended instant lies, so the last replies of the
/// warm-up do not leak into the result; what belongs to no message counts where the clock stands.
#[derive(Debug)]
pub(super) struct Book {
    measured: Box<Recorder>,
    warming: Box<Recorder>,
    in_flight: InFlight,
    keyed: KeyedInFlight,
    fan_out: FanOut,
    /// Replies are matched by key: queues hold keys, and belong to `keyed`.
    by_key: bool,
    intervals: Intervals,
    cpu: CpuTime,
    finished: VecDeque<Snapshot>,
    message_names: Arc<[Box<str>]>,
    /// By place of the name: its exchanges count in the totals.
    in_total: Vec<bool>,
    pool: RecorderPool,
    /// What is kept of messages.
    pub(super) record: Recording,
}

/// What a message received by key was.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyedReply {
    /// The reply to this message.
    Answer(Sent),
    /// Late, a duplicate, or another connection's: counted as that.
    Told,
    /// Nothing that was asked for.
    Push,
}

/// Boundaries of intervals: every `length_ns`, and cut at the epoch and at the end of the warm-up.
#[derive(Debug)]
struct Intervals {
    length_ns: u64,
    index: u64,
    start_ns: u64,
    end_ns: u64,
    epoch_ns: u64,
    warmup_end_ns: u64,
    /// Until when replies to warm-up messages may still come in.
    warmup_tail_ns: u64,
    /// End of the schedule, once it has ended.
    schedule_end_ns: u64,
}

impl Intervals {
    fn boundary_after(&self, start_ns: u64) -> u64 {
        let regular = start_ns + self.length_ns;
        [self.epoch_ns, self.warmup_end_ns].into_iter().filter(|cut| *cut > start_ns).fold(regular, u64::min)
    }

    /// How much of the open interval the schedule ran, if the interval ends at `end_ns`.
    fn running_ns(&self, end_ns: u64) -> u64 {
        end_ns.min(self.schedule_end_ns).saturating_sub(self.start_ns.max(self.epoch_ns))
    }

    fn is_warmup(&self) -> bool {
        self.start_ns >= self.epoch_ns && self.start_ns < self.warmup_end_ns
    }

    /// Whether warm-up counts may exist: decided by the clock alone, so that all workers hand up the same blocks.
    fn may_hold_warmup(&self) -> bool {
        self.warmup_end_ns > self.epoch_ns && self.start_ns >= self.epoch_ns && self.start_ns < self.warmup_tail_ns
    }
}

impl Book {
    pub(super) fn new(interval_ns: u64, names: &[Name], by_key: bool, record: Recording) -> Self {
        let pool = RecorderPool::default();
        Self {
            measured: pool.take(),
            warming: pool.take(),
            in_flight: InFlight::default(),
            keyed: KeyedInFlight::default(),
            fan_out: FanOut::default(),
            by_key,
            intervals: Intervals {
                length_ns: interval_ns,
                index: 0,
                start_ns: 0,
                end_ns: u64::MAX,
                epoch_ns: u64::MAX,
                warmup_end_ns: u64::MAX,
                warmup_tail_ns: u64::MAX,
                schedule_end_ns: u64::MAX,
            },
            cpu: cpu_time(),
            finished: VecDeque::new(),
            message_names: names.iter().map(|name| name.name.as_str().into()).collect(),
            in_total: names.iter().map(|name| name.total).collect(),
            pool,
            record,
        }
    }

    /// The first interval has this number.
    pub(super) fn number_from(&mut self, index: u64) {
        self.intervals.index = index;
    }

    /// The first interval begins.
    pub(super) fn start(&mut self, at_ns: u64) {
        self.intervals.start_ns = at_ns;
        self.intervals.end_ns = self.intervals.boundary_after(at_ns);
        self.cpu = cpu_time();
    }

    /// The schedule will begin at `epoch_ns`; replies to warm-up messages are possible for `reply_timeout_ns` more.
    pub(super) fn set_epoch(&mut self, epoch_ns: u64, warmup_ns: u64, reply_timeout_ns: u64) {
        let intervals = &mut self.intervals;
        intervals.epoch_ns = epoch_ns;
        intervals.warmup_end_ns = epoch_ns + warmup_ns;
        intervals.warmup_tail_ns = intervals.warmup_end_ns + reply_timeout_ns + intervals.length_ns;
        intervals.end_ns = intervals.boundary_after(intervals.start_ns);
    }

    /// The schedule has ended.
    pub(super) fn end_schedule(&mut self, at_ns: u64) {
        self.intervals.schedule_end_ns = self.intervals.schedule_end_ns.min(at_ns);
    }

    /// End of the open interval.
    pub(super) fn interval_end_ns(&self) -> u64 {
        self.intervals.end_ns
    }

    /// Whether a message intended at `intended_ns` belongs to the warm-up.
    #[inline]
    pub(super) fn is_warmup(&self, intended_ns: u64) -> bool {
        intended_ns < self.intervals.warmup_end_ns
    }

    /// Whether the open interval is one of the warm-up.
    pub(super) fn warms_up_now(&self) -> bool {
        self.intervals.is_warmup()
    }

    /// Where what belongs to no message is counted.
    #[inline]
    pub(super) fn now(&mut self) -> &mut Recorder {
        if self.intervals.is_warmup() { &mut self.warming } else { &mut self.measured }
    }

    /// Whether exchanges of this name count in the totals.
    #[inline]
    pub(super) fn counts(&self, name: u16) -> bool {
        self.in_total.get(usize::from(name)).copied().unwrap_or(true)
    }

    #[inline]
    pub(super) fn of(&mut self, warmup: bool) -> &mut Recorder {
        if warmup { &mut self.warming } else { &mut self.measured }
    }

    /// `count` messages intended at `intended_ns` have come due.
    #[inline]
    pub(super) fn due(&mut self, count: u64, intended_ns: u64) {
        let warmup = self.is_warmup(intended_ns);
        self.of(warmup).counters.due += count;
    }

    /// A message goes to the kernel, which could have taken it at `able_ns`; with `queue`, a reply is awaited.
    #[inline]
    pub(super) fn sent(&mut self, queue: Option<&mut Queue>, name: u16, intended_ns: u64, able_ns: u64, sent_ns: u64) {
        let warmup = self.is_warmup(intended_ns);
        let recorder = self.of(warmup);
        recorder.counters.sent += 1;
        recorder.record_between_as(Metric::SendLag, name, able_ns, sent_ns);
        if let Some(queue) = queue {
            self.in_flight.push(queue, Sent { intended_ns, sent_ns, warmup, name });
        }
    }

    /// A message arrived and was read at `read_ns`; it answers the oldest of `queue`, if any: that one is given back.
    #[inline]
    pub(super) fn received(&mut self, queue: &mut Queue, arrival_ns: u64, read_ns: u64) -> Option<Sent> {
        let sent = self.in_flight.pop(queue)?;
        self.answered(sent, arrival_ns, read_ns);
        Some(sent)
    }

    /// The same by key: a reply may come out of order, late or twice. `None` for what answers nothing.
    pub(super) fn received_key(
        &mut self,
        queue: &mut Queue,
        slot: u32,
        key: Option<u64>,
        (arrival_ns, read_ns): (u64, u64),
    ) -> KeyedReply {
        let Some(key) = key else { return KeyedReply::Push };
        if !self.fan_out.is_empty() {
            return self.delivered(key, slot, arrival_ns);
        }
        match self.keyed.received(queue, key, slot) {
            Received::Answer(sent) => {
                self.answered(sent, arrival_ns, read_ns);
                return KeyedReply::Answer(sent);
            }
            Received::Late(sent) => self.of(sent.warmup).counters.late += 1,
            Received::Duplicate => self.now().counters.duplicates += 1,
            Received::Elsewhere => self.now().counters.forwarded += 1,
            Received::Unknown => return KeyedReply::Push,
        }
        self.now().counters.received += 1;
        KeyedReply::Told
    }

    #[inline]
    pub(super) fn answered(&mut self, sent: Sent, arrival_ns: u64, read_ns: u64) {
        let counts = self.counts(sent.name);
        let recorder = self.of(sent.warmup);
        recorder.counters.received += 1;
        recorder.counters.answered += u64::from(counts);
        recorder.counters.aside_answered += u64::from(!counts);
        recorder.record_between_as(Metric::ResponseTime, sent.name, sent.intended_ns, arrival_ns);
        recorder.record_between_as(Metric::ServiceTime, sent.name, sent.sent_ns, arrival_ns);
        recorder.record_between_as(Metric::ReceiveLag, sent.name, arrival_ns, read_ns);
    }

    /// A message arrived that answers nothing; the one before it on this connection arrived at `last_ns`, if not 0.
    pub(super) fn pushed(&mut self, last_ns: u64, arrival_ns: u64) {
        let recorder = self.now();
        recorder.counters.received += 1;
        recorder.counters.pushes += 1;
        if last_ns != 0 {
            recorder.record_between(Metric::PushGap, last_ns, arrival_ns);
        }
    }

    /// A reply that shares its stamp with a later message: it arrived at the stamp or before, but after `emptied_ns`, when
    /// nothing was there to be read.
    #[cold]
    pub(super) fn uncertain(&mut self, sent: Sent, emptied_ns: u64, arrival_ns: u64) {
        let earliest_ns = emptied_ns.max(sent.sent_ns).min(arrival_ns);
        if earliest_ns < arrival_ns {
            let recorder = self.of(sent.warmup);
            recorder.record_between_as(Metric::ResponseUncertain, sent.name, sent.intended_ns, arrival_ns);
            recorder.record_between_as(Metric::ResponseEarliest, sent.name, sent.intended_ns, earliest_ns);
        }
    }

    /// Payload bytes before and after compression, since the last call.
    pub(super) fn count_compression(&mut self, bytes: CompressedBytes) {
        let counters = &mut self.now().counters;
        counters.deflate_in_bytes += bytes.deflate_in;
        counters.deflate_out_bytes += bytes.deflate_out;
        counters.inflate_in_bytes += bytes.inflate_in;
        counters.inflate_out_bytes += bytes.inflate_out;
    }

    /// A message that went out is awaited by its key.
    pub(super) fn await_key(&mut self, queue: &mut Queue, slot: u32, key: Option<u64>, sent: Sent) {
        let clash = match key {
            Some(key) => self.keyed.push(queue, key, slot, sent),
            // Nothing can answer it.
            None => Some(sent),
        };
        if let Some(lost) = clash {
            let recorder = self.of(lost.warmup);
            recorder.counters.key_clashes += 1;
            recorder.counters.unanswered += 1;
        }
    }

    /// A message went out to all subscribers.
    pub(super) fn publish(&mut self, key: Option<u64>, slots: u32, message: Published) {
        match key {
            Some(key) => self.fan_out.publish(key, slots, message),
            None => self.of(message.warmup).counters.key_clashes += 1,
        }
    }

    fn delivered(&mut self, key: u64, slot: u32, arrival_ns: u64) -> KeyedReply {
        match self.fan_out.received(key, slot, arrival_ns) {
            Delivery::New { reach: Reach { message, first_ns, last_ns, .. }, reordered, complete } => {
                let recorder = self.of(message.warmup);
                recorder.counters.received += 1;
                recorder.counters.fan_out_delivered += 1;
                recorder.counters.fan_out_reordered += u64::from(reordered);
                recorder.record_between(Metric::FanOutEach, message.intended_ns, arrival_ns);
                if complete {
                    recorder.counters.answered += 1;
                    recorder.record_between(Metric::FanOutFirst, message.intended_ns, first_ns);
                    recorder.record_between(Metric::FanOutLast, message.intended_ns, last_ns);
                }
            }
            Delivery::Duplicate => {
                let counters = &mut self.now().counters;
                counters.received += 1;
                counters.duplicates += 1;
            }
            Delivery::Unknown => return KeyedReply::Push,
        }
        KeyedReply::Told
    }

    /// Closes the books on messages published before `before_ns`: whoever has not got them will not.
    fn expire_published(&mut self, before_ns: u64, now_ns: u64) {
        let Self { fan_out, measured, warming, .. } = self;
        fan_out.expire(before_ns, |Reach { message, delivered, first_ns, .. }| {
            let recorder = if message.warmup { &mut *warming } else { &mut *measured };
            let expected = u64::from(message.expected);
            recorder.counters.fan_out_expected += expected;
            let missing = expected.saturating_sub(u64::from(delivered));
            if missing > 0 {
                recorder.counters.unanswered += 1;
                if delivered > 0 {
                    recorder.record_between(Metric::FanOutFirst, message.intended_ns, first_ns);
                }
                let example =
                    format!("{delivered} of {expected} subscribers got a message of connection {}", message.publisher);
                recorder.failures.add(FailureKind::Unanswered, "not delivered to all", missing, now_ns, &example);
            }
        });
    }

    /// Closes the books on all published messages: the run is over.
    pub(super) fn end_published(&mut self, now_ns: u64) {
        self.expire_published(u64::MAX, now_ns);
    }

    /// Gives up what was sent before `before_ns` and is awaited by its key; `each` is told the slot.
    pub(super) fn expire_keys(&mut self, before_ns: u64, now_ns: u64, mut each: impl FnMut(u32)) {
        self.expire_published(before_ns, now_ns);
        let Self { keyed, measured, warming, record, .. } = self;
        keyed.expire(before_ns, |slot, sent| {
            let recorder = if sent.warmup { &mut *warming } else { &mut *measured };
            recorder.counters.unanswered += 1;
            recorder.record_between_as(Metric::ResponseCensored, sent.name, sent.intended_ns, now_ns);
            recorder.record_between_as(Metric::ServiceCensored, sent.name, sent.sent_ns, now_ns);
            let example = "no reply within the reply time-out";
            recorder.failures.add(FailureKind::Unanswered, "reply time-out", 1, now_ns, example);
            record.failed(slot, now_ns, FailureKind::Unanswered, example);
            each(slot);
        });
    }

    /// When the oldest message awaited by its key was sent.
    pub(super) fn oldest_key_ns(&mut self) -> Option<u64> {
        self.keyed.oldest_ns().into_iter().chain(self.fan_out.oldest_ns()).min()
    }

    /// A message of a step is given up.
    pub(super) fn count_unanswered(&mut self, sent: Sent, now_ns: u64, (detail, example): (&str, &str)) {
        let counts = self.counts(sent.name);
        let recorder = self.of(sent.warmup);
        recorder.counters.unanswered += u64::from(counts);
        recorder.counters.aside_unanswered += u64::from(!counts);
        recorder.record_between_as(Metric::ResponseCensored, sent.name, sent.intended_ns, now_ns);
        recorder.record_between_as(Metric::ServiceCensored, sent.name, sent.sent_ns, now_ns);
        recorder.failures.add(FailureKind::Unanswered, detail, 1, now_ns, example);
    }

    /// Gives up all replies awaited in `queue`.
    pub(super) fn give_up(&mut self, queue: &mut Queue, slot: u32, now_ns: u64, (detail, example): (&str, &str)) {
        let Self { in_flight, keyed, by_key, measured, warming, .. } = self;
        let mut lost = [0; 2];
        let mut count = |sent: Sent| {
            lost[usize::from(sent.warmup)] += 1;
            let recorder = if sent.warmup { &mut *warming } else { &mut *measured };
            recorder.record_between_as(Metric::ResponseCensored, sent.name, sent.intended_ns, now_ns);
            recorder.record_between_as(Metric::ServiceCensored, sent.name, sent.sent_ns, now_ns);
        };
        if *by_key {
            keyed.give_up(queue, slot, &mut count);
        } else {
            in_flight.drain(queue, count);
        }
        if lost != [0, 0] {
            let what = format!("{} unanswered: {example}", lost[0] + lost[1]);
            self.record.failed(slot, now_ns, FailureKind::Unanswered, &what);
        }
        for (recorder, count) in [measured, warming].into_iter().zip(lost) {
            if count > 0 {
                recorder.counters.unanswered += count;
                recorder.failures.add(FailureKind::Unanswered, detail, count, now_ns, example);
            }
        }
    }

    /// Messages given up in the open interval.
    pub(super) fn unanswered_so_far(&self) -> u64 {
        let of = |recorder: &Recorder| recorder.counters.unanswered + recorder.counters.aside_unanswered;
        of(&self.measured) + of(&self.warming)
    }

    /// Messages received in the open interval.
    #[inline]
    pub(super) fn received_so_far(&self) -> u64 {
        self.measured.counters.received + self.warming.counters.received
    }

    /// A message that was due and will not be sent any more.
    pub(super) fn never_sent(&mut self, name: u16, intended_ns: u64, now_ns: u64) {
        let warmup = self.is_warmup(intended_ns);
        let recorder = self.of(warmup);
        recorder.counters.unsent += 1;
        recorder.record_between_as(Metric::ResponseCensored, name, intended_ns, now_ns);
    }

    /// The send that has waited longest in `queue`.
    pub(super) fn oldest(&self, queue: &Queue) -> Option<Sent> {
        if self.by_key { None } else { self.in_flight.oldest(queue) }
    }

    /// Messages awaiting a reply on all connections.
    pub(super) fn awaiting(&self) -> u64 {
        (self.in_flight.len() + self.keyed.len() + self.fan_out.incomplete()) as u64
    }

    /// Ends every interval that is over at `now_ns`.
    pub(super) fn roll(&mut self, now_ns: u64, gauges: impl Fn() -> Gauges) {
        while now_ns >= self.intervals.end_ns {
            let end_ns = self.intervals.end_ns;
            self.cut(end_ns, gauges());
        }
    }

    /// Ends the open interval at `end_ns`.
    pub(super) fn cut(&mut self, end_ns: u64, gauges: Gauges) {
        let gauges = Gauges { running_ns: self.intervals.running_ns(end_ns), ..gauges };
        let before = std::mem::replace(&mut self.cpu, cpu_time());
        let after = self.cpu;
        let counters = &mut self.now().counters;
        counters.cpu_user_ns += after.user_ns - before.user_ns;
        counters.cpu_system_ns += after.system_ns - before.system_ns;
        let kept = self.cut_timeline(end_ns);
        if self.intervals.may_hold_warmup() {
            self.hand_up(true, end_ns, gauges.clone());
        }
        if !self.intervals.is_warmup() {
            self.hand_up(false, end_ns, gauges);
        }
        if let Some(last) = self.finished.back_mut() {
            last.kept = kept;
        }
        self.intervals.index += 1;
        self.intervals.start_ns = end_ns;
        self.intervals.end_ns = self.intervals.boundary_after(end_ns);
    }

    /// What the timeline has kept in the open interval.
    fn cut_timeline(&mut self, end_ns: u64) -> Kept {
        let quantile = self.record.slow_quantile();
        let names = 0..if quantile.is_some() { self.message_names.len() as u16 } else { 0 };
        let slow_ns = names.map(|name| {
            let measured = &self.measured;
            quantile.and_then(|quantile| measured.quantile(Metric::ResponseTime, name, quantile)).unwrap_or(u64::MAX)
        });
        let slow_ns = slow_ns.collect();
        let kept = self.record.cut(end_ns, slow_ns);
        let counters = &mut self.now().counters;
        counters.events_seen += kept.seen;
        let [whole, failure, slow, sample] = kept.counts;
        counters.events_whole += whole;
        counters.events_failure += failure;
        counters.events_slow += slow;
        counters.events_sample += sample;
        counters.events_over_budget += kept.over_budget;
        kept
    }

    /// The oldest finished interval not yet taken.
    pub(super) fn take(&mut self) -> Option<Snapshot> {
        self.finished.pop_front()
    }

    /// Whether [`Book::take`] would give something.
    pub(super) fn has_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    fn hand_up(&mut self, warmup: bool, end_ns: u64, gauges: Gauges) {
        let fresh = self.pool.take();
        let recorder = std::mem::replace(if warmup { &mut self.warming } else { &mut self.measured }, fresh);
        self.finished.push_back(Snapshot {
            index: self.intervals.index,
            warmup,
            start_ns: self.intervals.start_ns,
            end_ns,
            gauges,
            message_names: Arc::clone(&self.message_names),
            recorder,
            kept: Kept::default(),
            pool: self.pool.clone(),
        });
    }
}
