//! Recording, per message and without allocation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Failures, Metric, Negotiated};
use crate::histogram::LatencyHistogram;
use crate::tally::{Counters, Gauges};
use crate::timeline::Kept;

/// Recorders kept for reuse: those of an interval that is open, one being encoded, and their warm-up twins.
const POOLED: usize = 4;
/// Fewer values say nothing about the slowest of them.
const FEW: u64 = 100;

/// What is recorded during an interval.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Sums.
    pub counters: Counters,
    /// What went wrong.
    pub failures: Failures,
    /// How often each close code was received.
    pub close_codes: BTreeMap<u16, u64>,
    /// What new connections agreed on with the server.
    pub negotiated: Negotiated,
    /// By place of the message name. Metrics that have none stand with the first.
    histograms: Vec<OfName>,
}

/// By place of the metric; made at its first value (132 KiB each).
type OfName = [Option<Box<LatencyHistogram>>; Metric::ALL.len()];

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a latency of a metric without names.
    #[inline]
    pub fn record(&mut self, metric: Metric, value_ns: u64) {
        self.record_as(metric, 0, value_ns);
    }

    /// Records a latency under the message name at a place.
    #[inline]
    pub fn record_as(&mut self, metric: Metric, name: u16, value_ns: u64) {
        let name = usize::from(name);
        if name >= self.histograms.len() {
            self.histograms.resize_with(name + 1, || [const { None }; Metric::ALL.len()]);
        }
        let histogram = self.histograms[name][metric as usize].get_or_insert_with(Box::default);
        if !histogram.record(value_ns) {
            self.counters.clamped_latencies += 1;
        }
    }

    /// Records the time from one instant to another. A negative one is a bug or a stepped clock: it is counted and
    /// recorded as 0.
    #[inline]
    pub fn record_between(&mut self, metric: Metric, from_ns: u64, to_ns: u64) {
        self.record_between_as(metric, 0, from_ns, to_ns);
    }

    /// The same under the message name at a place.
    #[inline]
    pub fn record_between_as(&mut self, metric: Metric, name: u16, from_ns: u64, to_ns: u64) {
        if to_ns < from_ns {
            self.counters.negative_latencies += 1;
        }
        self.record_as(metric, name, to_ns.saturating_sub(from_ns));
    }

    /// The value of a metric of one message name at a quantile; `None` with too few values to tell.
    pub fn quantile(&self, metric: Metric, name: u16, quantile: f64) -> Option<u64> {
        let histogram = self.histograms.get(usize::from(name))?[metric as usize].as_deref()?;
        (histogram.count() >= FEW).then(|| histogram.value_at_quantile(quantile))
    }

    /// The metrics that have values, with the place of their message name.
    pub(super) fn histograms(&self) -> impl Iterator<Item = (Metric, usize, &LatencyHistogram)> {
        self.histograms.iter().enumerate().flat_map(|(name, of_name)| {
            let all = Metric::ALL.iter().zip(of_name);
            all.filter_map(move |(metric, histogram)| Some((*metric, name, histogram.as_deref()?)))
                .filter(|(_, _, histogram)| !histogram.is_empty())
        })
    }

    /// Forgets everything and keeps the memory.
    fn clear(&mut self) {
        self.counters = Counters::default();
        self.failures.clear();
        self.close_codes.clear();
        self.negotiated.clear();
        self.histograms.iter_mut().flatten().flatten().for_each(|histogram| histogram.clear());
    }
}

/// Recorders that come back empty once their snapshot has been dealt with, so that a new interval costs no
/// allocation on the loop's thread.
#[derive(Debug, Clone, Default)]
#[expect(clippy::vec_box, reason = "recorders change hands as boxes: nothing is moved or allocated")]
pub struct RecorderPool(Arc<Mutex<Vec<Box<Recorder>>>>);

impl RecorderPool {
    /// An empty recorder, used before if there is one.
    pub fn take(&self) -> Box<Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, mut recorder: Box<Recorder>) {
        recorder.clear();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < POOLED {
            idle.push(recorder);
        }
    }
}

/// An interval that is over, as one worker saw it. Encoding it takes a millisecond or so: not for the loop's thread.
#[derive(Debug)]
pub struct Snapshot {
    /// Number of the interval, the same on all workers.
    pub index: u64,
    /// Holds the messages that were intended during the warm-up.
    pub warmup: bool,
    /// First instant, monotonic ns.
    pub start_ns: u64,
    /// First instant after it.
    pub end_ns: u64,
    /// How things stood at its end.
    pub gauges: Gauges,
    /// Names under which per-message metrics are kept.
    pub message_names: Arc<[Box<str>]>,
    /// What was recorded; goes back to `pool`.
    pub recorder: Box<Recorder>,
    /// Events of connections that were kept.
    pub kept: Kept,
    /// Where the recorder came from.
    pub pool: RecorderPool,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.recorder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(recorder: &Recorder) -> Vec<(Metric, u64)> {
        recorder.histograms().map(|(metric, _, histogram)| (metric, histogram.count())).collect()
    }

    #[test]
    fn a_negative_latency_is_counted_and_recorded_as_zero() {
        let mut recorder = Recorder::new();
        recorder.record_between(Metric::ServiceTime, 10, 9);
        recorder.record_between(Metric::ServiceTime, 10, 10);
        assert_eq!(recorder.counters.negative_latencies, 1);
        assert_eq!(counts(&recorder), [(Metric::ServiceTime, 2)]);
    }

    #[test]
    fn a_latency_of_more_than_an_hour_is_counted() {
        let mut recorder = Recorder::new();
        recorder.record(Metric::Connect, 3_600_000_000_001);
        assert_eq!((recorder.counters.clamped_latencies, counts(&recorder)), (1, vec![(Metric::Connect, 1)]));
    }

    #[test]
    fn a_recorder_owns_no_histogram_of_a_metric_without_values() {
        let mut recorder = Recorder::new();
        assert!(recorder.histograms.is_empty());
        recorder.record(Metric::SendLag, 7);
        assert_eq!(recorder.histograms.iter().flatten().flatten().count(), 1);
    }

    #[test]
    fn a_recorder_comes_back_empty_with_its_memory() {
        let pool = RecorderPool::default();
        let mut recorder = pool.take();
        recorder.record(Metric::SendLag, 1);
        recorder.counters.sent = 3;
        recorder.close_codes.insert(1000, 1);
        drop(Snapshot {
            index: 0,
            warmup: false,
            start_ns: 0,
            end_ns: 1,
            gauges: Gauges::default(),
            message_names: Arc::new(["message".into()]),
            recorder,
            kept: Kept::default(),
            pool: pool.clone(),
        });
        let again = pool.take();
        assert!(again.histograms[0][Metric::SendLag as usize].is_some());
        assert_eq!((counts(&again), again.counters.sent, again.close_codes.len()), (Vec::new(), 0, 0));
    }
}
