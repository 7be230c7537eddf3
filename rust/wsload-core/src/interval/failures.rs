//! Failures of an interval: counted per kind and detail, the first of each with an example.

use serde::{Deserialize, Serialize};

use crate::tally::FailureKind;

/// Distinct (kind, detail) pairs kept; the rest is counted under the detail [`OTHER`] of its kind.
const MAX_DISTINCT: usize = 32;
/// Longest example and detail kept.
const MAX_TEXT_BYTES: usize = 512;
/// Detail of what no longer fits.
const OTHER: &str = "other";

/// One kind of failure with its detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureRecord {
    /// What happened.
    pub kind: FailureKind,
    /// What tells it from others of its kind: a status, a close code, a rule; may be empty.
    pub detail: String,
    /// How often.
    pub count: u64,
    /// When first, monotonic ns.
    pub first_ns: u64,
    /// The first one, for a person to read. May hold bytes of a server: escape before printing.
    pub example: String,
}

/// The failures of an interval, bounded however a server misbehaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures(Vec<FailureRecord>);

impl Failures {
    /// Counts `count` failures first seen at `first_ns`.
    pub fn add(&mut self, kind: FailureKind, detail: &str, count: u64, first_ns: u64, example: &str) {
        let detail = cut(detail);
        let detail = if self.0.len() < MAX_DISTINCT || self.find(kind, detail).is_some() { detail } else { OTHER };
        match self.find(kind, detail) {
            Some(record) => {
                record.count = record.count.saturating_add(count);
                if first_ns < record.first_ns {
                    record.first_ns = first_ns;
                    record.example = cut(example).to_owned();
                }
            }
            None => {
                let (detail, example) = (detail.to_owned(), cut(example).to_owned());
                self.0.push(FailureRecord { kind, detail, count, first_ns, example });
            }
        }
    }

    /// Adds what another worker counted.
    pub fn merge(&mut self, other: &[FailureRecord]) {
        for record in other {
            self.add(record.kind, &record.detail, record.count, record.first_ns, &record.example);
        }
    }

    /// Moves instants to a clock that shows `by_ns` more.
    pub fn shift(&mut self, by_ns: i64) {
        for record in &mut self.0 {
            record.first_ns = record.first_ns.saturating_add_signed(by_ns);
        }
    }

    /// In order of first appearance.
    pub fn records(&self) -> &[FailureRecord] {
        &self.0
    }

    /// Whether nothing failed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn find(&mut self, kind: FailureKind, detail: &str) -> Option<&mut FailureRecord> {
        self.0.iter_mut().find(|record| record.kind == kind && record.detail == detail)
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_kind_gives_the_example_wherever_it_is_merged() {
        let mut late = Failures::default();
        late.add(FailureKind::Refused, "", 2, 90, "late");
        let mut early = Failures::default();
        early.add(FailureKind::Refused, "", 1, 50, "early");
        early.add(FailureKind::UnexpectedClose, "1001", 1, 60, "bye");
        late.merge(early.records());
        let refused = &late.records()[0];
        assert_eq!((refused.count, refused.first_ns, refused.example.as_str()), (3, 50, "early"));
        assert_eq!(late.records().len(), 2);
    }

    #[test]
    fn one_instant_and_two_workers_keep_the_example_that_was_there() {
        let mut failures = Failures::default();
        failures.add(FailureKind::Reset, "", 1, 50, "first");
        failures.add(FailureKind::Reset, "", u64::MAX, 50, "second");
        let reset = &failures.records()[0];
        assert_eq!((reset.example.as_str(), reset.count), ("first", u64::MAX));
    }

    #[test]
    fn a_server_that_fails_in_ever_new_ways_costs_no_more_memory() {
        let mut failures = Failures::default();
        for number in 0..1_000 {
            failures.add(FailureKind::UpgradeRejected, &number.to_string(), 1, number, &"é".repeat(1_000));
        }
        assert_eq!(failures.records().len(), MAX_DISTINCT + 1);
        let other = failures.records().last().unwrap();
        assert_eq!((other.detail.as_str(), other.count), (OTHER, 968));
        assert!(other.example.len() <= MAX_TEXT_BYTES);
    }
}
