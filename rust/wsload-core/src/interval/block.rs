//! Intervals as bytes.
//!
//! A block is a u32 (little-endian) length, a JSON header of that length, and the V2-deflate histograms that the
//! header lists, one after the other, then the events that were kept. It is the only thing that travels between workers, machines and processes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Agreement, FailureRecord, Failures, Metric, Negotiated, Snapshot};
use crate::histogram::{HistogramError, MergedHistogram};
use crate::tally::{Counters, Gauges};
use crate::timeline::{self, EventError};

/// Message names kept apart; the rest goes under [`OTHER`].
const MAX_NAMES: usize = 100;
const OTHER: &str = "other";

/// Bytes that are no block, or blocks that do not belong together.
#[derive(Debug, thiserror::Error)]
pub enum IntervalError {
    /// Cut off, or its lengths do not add up.
    #[error("an interval block of {0} bytes is damaged")]
    Damaged(usize),
    /// Its header is not of this version's shape.
    #[error("an interval block has a header of another shape: {0}")]
    Header(#[from] serde_json::Error),
    /// One of its histograms cannot be read.
    #[error("an interval block: {0}")]
    Histogram(#[from] HistogramError),
    /// Its events cannot be read.
    #[error("an interval block: {0}")]
    Events(#[from] EventError),
    /// Blocks of different intervals.
    #[error("interval {0} cannot be merged with interval {1}")]
    Different(u64, u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    index: u64,
    warmup: bool,
    start_ns: u64,
    end_ns: u64,
    counters: Counters,
    gauges: Gauges,
    close_codes: BTreeMap<u16, u64>,
    failures: Vec<FailureRecord>,
    negotiated: Vec<Agreement>,
    histograms: Vec<Listed>,
    event_names: Vec<String>,
    event_bytes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    metric: Metric,
    message: String,
    bytes: u32,
}

/// One interval of one worker, or of several merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Number of the interval, the same on all workers.
    pub index: u64,
    /// Holds the messages that were intended during the warm-up.
    pub warmup: bool,
    /// First instant, monotonic ns.
    pub start_ns: u64,
    /// First instant after it.
    pub end_ns: u64,
    /// Sums.
    pub counters: Counters,
    /// How things stood at its end.
    pub gauges: Gauges,
    /// How often each close code was received.
    pub close_codes: BTreeMap<u16, u64>,
    /// What went wrong.
    pub failures: Failures,
    /// What new connections agreed on with the server.
    pub negotiated: Negotiated,
    /// By metric and message name (empty where a metric has none).
    pub histograms: BTreeMap<(Metric, Arc<str>), MergedHistogram>,
    /// Names of messages, by the place that events give.
    pub event_names: Vec<String>,
    /// Events that were kept, see [`timeline::decode`].
    pub events: Vec<u8>,
}

impl Snapshot {
    /// The block of this interval.
    pub fn encode(&self) -> Vec<u8> {
        let recorded = self.recorder.histograms().map(|(metric, name, histogram)| {
            let name = self.message_names.get(name).filter(|_| metric.per_message());
            let message = name.map_or_else(String::new, ToString::to_string);
            (metric, message, histogram.encode())
        });
        let header = Header {
            index: self.index,
            warmup: self.warmup,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            counters: self.recorder.counters.clone(),
            gauges: self.gauges.clone(),
            close_codes: self.recorder.close_codes.clone(),
            failures: self.recorder.failures.records().to_vec(),
            negotiated: self.recorder.negotiated.agreements().to_vec(),
            histograms: Vec::new(),
            event_names: self.message_names.iter().map(ToString::to_string).collect(),
            event_bytes: self.kept.events.len() as u32,
        };
        write_block(header, recorded, &self.kept.events)
    }
}

impl Interval {
    /// Reads a block. It may come from anywhere: no claimed length is believed.
    pub fn decode(block: &[u8]) -> Result<Self, IntervalError> {
        let damaged = || IntervalError::Damaged(block.len());
        let (length, rest) = block.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (header, mut blobs) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(damaged)?;
        let header: Header = serde_json::from_slice(header)?;
        let mut histograms: BTreeMap<(Metric, Arc<str>), MergedHistogram> = BTreeMap::new();
        for listed in &header.histograms {
            let (blob, after) = blobs.split_at_checked(listed.bytes as usize).ok_or_else(damaged)?;
            blobs = after;
            if !listed.metric.per_message() && !listed.message.is_empty() {
                return Err(damaged());
            }
            add_to(&mut histograms, listed.metric, &listed.message, &MergedHistogram::decode(blob)?);
        }
        if blobs.len() != header.event_bytes as usize {
            return Err(damaged());
        }
        timeline::decode(blobs)?;
        let mut failures = Failures::default();
        failures.merge(&header.failures);
        let mut negotiated = Negotiated::default();
        negotiated.merge(&header.negotiated);
        let Header { index, warmup, start_ns, end_ns, counters, gauges, close_codes, event_names, .. } = header;
        Ok(Self {
            index,
            warmup,
            start_ns,
            end_ns,
            counters,
            gauges,
            close_codes,
            failures,
            negotiated,
            histograms,
            event_names,
            events: blobs.to_vec(),
        })
    }

    /// Moves every instant to a clock that shows `by_ns` more, as that of another machine may.
    pub fn shift(&mut self, by_ns: i64) {
        self.start_ns = self.start_ns.saturating_add_signed(by_ns);
        self.end_ns = self.end_ns.saturating_add_signed(by_ns);
        self.failures.shift(by_ns);
        timeline::shift(&mut self.events, by_ns);
    }

    /// Adds what another worker saw of the same interval.
    pub fn merge(&mut self, other: &Self) -> Result<(), IntervalError> {
        if (self.index, self.warmup) != (other.index, other.warmup) {
            return Err(IntervalError::Different(self.index, other.index));
        }
        self.start_ns = self.start_ns.min(other.start_ns);
        self.end_ns = self.end_ns.max(other.end_ns);
        self.counters.merge(&other.counters);
        self.gauges.merge(&other.gauges);
        for (code, count) in &other.close_codes {
            let sum = self.close_codes.entry(*code).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.failures.merge(other.failures.records());
        self.negotiated.merge(other.negotiated.agreements());
        for ((metric, message), histogram) in &other.histograms {
            add_to(&mut self.histograms, *metric, message, histogram);
        }
        // Workers of one run have the same names; who kept nothing may have named none.
        if self.event_names.is_empty() {
            self.event_names.clone_from(&other.event_names);
        }
        self.events.extend_from_slice(&other.events);
        Ok(())
    }

    /// The block of this interval.
    pub fn encode(&self) -> Vec<u8> {
        let recorded = self.histograms.iter();
        let recorded =
            recorded.map(|((metric, message), histogram)| (*metric, message.to_string(), histogram.encode()));
        let header = Header {
            index: self.index,
            warmup: self.warmup,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            counters: self.counters.clone(),
            gauges: self.gauges.clone(),
            close_codes: self.close_codes.clone(),
            failures: self.failures.records().to_vec(),
            negotiated: self.negotiated.agreements().to_vec(),
            histograms: Vec::new(),
            event_names: self.event_names.clone(),
            event_bytes: self.events.len() as u32,
        };
        write_block(header, recorded, &self.events)
    }
}

/// Adds a histogram under its name, or under `other` once there are too many names.
fn add_to(
    all: &mut BTreeMap<(Metric, Arc<str>), MergedHistogram>,
    metric: Metric,
    message: &str,
    histogram: &MergedHistogram,
) {
    let key = (metric, Arc::from(message));
    let room = all.contains_key(&key) || all.keys().filter(|(other, _)| *other == metric).count() < MAX_NAMES;
    all.entry(if room { key } else { (metric, Arc::from(OTHER)) }).or_default().add(histogram);
}

fn write_block(
    mut header: Header,
    histograms: impl Iterator<Item = (Metric, String, Vec<u8>)>,
    events: &[u8],
) -> Vec<u8> {
    let mut blobs = Vec::new();
    for (metric, message, blob) in histograms {
        header.histograms.push(Listed { metric, message, bytes: blob.len() as u32 });
        blobs.extend(blob);
    }
    // A header of plain data cannot fail to serialise.
    let json = serde_json::to_vec(&header).unwrap_or_default();
    let mut block = Vec::with_capacity(4 + json.len() + blobs.len() + events.len());
    block.extend((json.len() as u32).to_le_bytes());
    block.extend(json);
    block.extend(blobs);
    block.extend(events);
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::RecorderPool;
    use super::*;
    use crate::tally::FailureKind;
    use crate::timeline::Kept;

    fn snapshot(index: u64, values: &[u64]) -> Snapshot {
        let pool = RecorderPool::default();
        let mut recorder = pool.take();
        for value in values {
            recorder.record(Metric::ResponseTime, *value);
        }
        recorder.record(Metric::Connect, 5);
        recorder.counters.sent = values.len() as u64;
        recorder.close_codes.insert(1000, 2);
        recorder.failures.add(FailureKind::Refused, "", 1, 77 + index, "nobody there");
        let gauges = crate::tally::Gauges { open_connections: 3, ..Default::default() };
        let message_names = Arc::from(["say".into()]);
        Snapshot {
            index,
            warmup: false,
            start_ns: 100,
            end_ns: 200,
            gauges,
            message_names,
            recorder,
            kept: Kept::default(),
            pool,
        }
    }

    #[test]
    fn an_interval_survives_its_journey() {
        let interval = Interval::decode(&snapshot(4, &[10, 20, 30]).encode()).unwrap();
        assert_eq!((interval.index, interval.start_ns, interval.end_ns), (4, 100, 200));
        assert_eq!((interval.counters.sent, interval.gauges.open_connections), (3, 3));
        assert_eq!(interval.close_codes, BTreeMap::from([(1000, 2)]));
        assert_eq!(interval.failures.records()[0].example, "nobody there");
        assert_eq!(interval.histograms[&(Metric::ResponseTime, Arc::from("say"))].value_at_quantile(0.5), 20);
        assert_eq!(interval.histograms[&(Metric::Connect, Arc::from(""))].count(), 1);
        assert_eq!(Interval::decode(&interval.encode()).unwrap(), interval);
    }

    #[test]
    fn workers_add_up() {
        let mut sum = Interval::decode(&snapshot(4, &[10, 20]).encode()).unwrap();
        sum.merge(&Interval::decode(&snapshot(4, &[30]).encode()).unwrap()).unwrap();
        assert_eq!((sum.counters.sent, sum.gauges.open_connections, sum.close_codes[&1000]), (3, 6, 4));
        assert_eq!(sum.failures.records()[0].count, 2);
        assert_eq!(sum.histograms[&(Metric::ResponseTime, Arc::from("say"))].max(), 30);
    }

    #[test]
    fn the_warm_up_does_not_merge_with_what_is_measured() {
        let mut one = Interval::decode(&snapshot(4, &[]).encode()).unwrap();
        let warmup = Interval { warmup: true, ..one.clone() };
        assert!(matches!(one.merge(&warmup), Err(IntervalError::Different(4, 4))));
    }

    #[test]
    fn a_merged_interval_spans_all_of_its_parts() {
        let part =
            |start_ns, end_ns| Interval { start_ns, end_ns, ..Interval::decode(&snapshot(4, &[]).encode()).unwrap() };
        let mut sum = part(100, 200);
        sum.merge(&part(90, 210)).unwrap();
        sum.merge(&part(120, 180)).unwrap();
        assert_eq!((sum.start_ns, sum.end_ns), (90, 210));
    }

    #[test]
    fn instants_move_to_another_clock_and_nothing_else_changes() {
        let original = Interval::decode(&snapshot(4, &[10]).encode()).unwrap();
        let mut moved = original.clone();
        moved.shift(-7);
        assert_eq!((moved.start_ns, moved.end_ns), (original.start_ns - 7, original.end_ns - 7));
        assert_eq!(moved.failures.records()[0].first_ns, original.failures.records()[0].first_ns - 7);
        moved.shift(7);
        assert_eq!(moved, original);
    }

    #[test]
    fn the_layout_is_the_one_described() {
        let block = snapshot(4, &[10]).encode();
        let length = u32::from_le_bytes(block[..4].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&block[4..4 + length]).unwrap();
        let numbers = [&header["index"], &header["counters"]["sent"], &header["close_codes"]["1000"]];
        assert_eq!(numbers.map(|number| number.as_u64()), [Some(4), Some(1), Some(2)]);
        let listed: Vec<_> = header["histograms"].as_array().unwrap().iter().collect();
        assert_eq!(listed.iter().map(|one| &one["metric"]).collect::<Vec<_>>(), ["response_time", "connect"]);
        let first = listed[0]["bytes"].as_u64().unwrap() as usize;
        let blob = &block[4 + length..][..first];
        assert_eq!(MergedHistogram::decode(blob).unwrap().max(), 10);
    }

    #[test]
    fn a_connection_metric_has_no_message_name() {
        let mut interval = Interval::decode(&snapshot(4, &[]).encode()).unwrap();
        let connect = interval.histograms.remove(&(Metric::Connect, Arc::from(""))).unwrap();
        interval.histograms.insert((Metric::Connect, Arc::from("say")), connect);
        assert!(matches!(Interval::decode(&interval.encode()), Err(IntervalError::Damaged(_))));
    }

    #[test]
    fn counts_at_their_limit_stay_there() {
        let mut interval = Interval::decode(&snapshot(4, &[]).encode()).unwrap();
        interval.close_codes.insert(1000, u64::MAX);
        interval.counters.sent = u64::MAX;
        interval.merge(&interval.clone()).unwrap();
        assert_eq!((interval.close_codes[&1000], interval.counters.sent), (u64::MAX, u64::MAX));
    }

    #[test]
    fn different_intervals_do_not_merge() {
        let mut one = Interval::decode(&snapshot(4, &[]).encode()).unwrap();
        let other = Interval::decode(&snapshot(5, &[]).encode()).unwrap();
        assert!(matches!(one.merge(&other), Err(IntervalError::Different(4, 5))));
    }

    #[test]
    fn names_beyond_a_hundred_go_under_other() {
        let mut all = BTreeMap::new();
        let one = Interval::decode(&snapshot(1, &[10]).encode()).unwrap();
        let histogram = &one.histograms[&(Metric::ResponseTime, Arc::from("say"))];
        for name in 0..150 {
            add_to(&mut all, Metric::ResponseTime, &name.to_string(), histogram);
        }
        assert_eq!(all.len(), 101);
        assert_eq!(all[&(Metric::ResponseTime, Arc::from(OTHER))].count(), 50);
    }

    #[test]
    fn a_block_cut_anywhere_is_damaged() {
        let block = snapshot(4, &[10, 20, 30]).encode();
        for end in 0..block.len() {
            assert!(Interval::decode(&block[..end]).is_err(), "{end} of {}", block.len());
        }
        let mut longer = block;
        longer.push(0);
        assert!(Interval::decode(&longer).is_err());
    }

    /// What one worker may have seen: values by metric, counters, close codes and failures.
    fn worker() -> impl Strategy<Value = Interval> {
        let values = proptest::collection::vec((0..Metric::ALL.len(), 0_u64..1 << 41), 0..20);
        let codes = proptest::collection::btree_map(1000_u16..1005, 0_u64..9, 0..3);
        let failures = proptest::collection::vec((0_usize..4, "[a-c]?", 1_u64..1_000), 0..8);
        (values, codes, failures, 0_u64..1_000).prop_map(|(values, close_codes, failures, sent)| {
            let mut snapshot = snapshot(7, &[]);
            for (metric, value) in values {
                snapshot.recorder.record(Metric::ALL[metric], value);
            }
            for (kind, detail, first_ns) in failures {
                // The instant tells which example is kept, so that no two first ones differ.
                snapshot.recorder.failures.add(FailureKind::ALL[kind], &detail, 1, first_ns, &first_ns.to_string());
            }
            snapshot.recorder.close_codes = close_codes;
            snapshot.recorder.counters.sent = sent;
            Interval::decode(&snapshot.encode()).unwrap()
        })
    }

    fn merged<'a>(workers: impl IntoIterator<Item = &'a Interval>) -> Interval {
        let mut workers = workers.into_iter();
        let mut sum = workers.next().unwrap().clone();
        workers.for_each(|worker| sum.merge(worker).unwrap());
        sum
    }

    /// Failures stand in order of first merging: compared without it.
    fn failures(interval: &Interval) -> Vec<String> {
        let mut all: Vec<String> = interval.failures.records().iter().map(|record| format!("{record:?}")).collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn workers_add_up_in_any_order_and_by_any_way(workers in proptest::collection::vec(worker(), 1..5)) {
            let sum = merged(&workers);
            prop_assert_eq!(&Interval::decode(&sum.encode()).unwrap(), &sum);
            let backwards = merged(workers.iter().rev());
            prop_assert_eq!(failures(&sum), failures(&backwards));
            prop_assert_eq!(&Interval { failures: sum.failures.clone(), ..backwards }, &sum);
            let halves = workers.split_at(workers.len().div_ceil(2));
            if !halves.1.is_empty() {
                prop_assert_eq!(merged(&[merged(halves.0), merged(halves.1)]), sum);
            }
        }

        #[test]
        fn a_header_of_any_text_decodes_or_fails(text in "\\PC{0,60}", tail in proptest::collection::vec(any::<u8>(), 0..9)) {
            let mut block = (text.len() as u32).to_le_bytes().to_vec();
            block.extend(text.as_bytes());
            block.extend(tail);
            prop_assert!(Interval::decode(&block).is_err());
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Interval::decode(&bytes);
        }

        #[test]
        fn a_flipped_byte_decodes_or_fails(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
            let mut block = snapshot(4, &[10, 20_000, 30_000_000]).encode();
            let index = at.index(block.len());
            block[index] ^= flip;
            let _ = Interval::decode(&block);
        }
    }
}
