//! A rate that changes over time, in straight lines.
//!
//! A stage reaches its target linearly over its length, from where the one before it ended (the first from 0); one of
//! no length is a step. The number of messages due until an instant is the area under that line, so the instant of
//! message `i` is found by turning it round: no message is skipped or moved by how the rate changes.

use serde::{Deserialize, Serialize};

/// Reach a rate over a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// 0: at once.
    pub duration_ns: u64,
    /// Messages per second at its end, all connections together.
    pub target_per_s: f64,
}

/// Rate over time.
#[derive(Debug, Clone)]
pub struct RateCurve {
    segments: Vec<Segment>,
    end_ns: u64,
    total: f64,
}

/// A stage of some length. Rates are messages per ns.
#[derive(Debug, Clone, Copy)]
struct Segment {
    start_ns: u64,
    end_ns: u64,
    /// Messages due before it.
    count: f64,
    rate: f64,
    /// Change of the rate per ns.
    slope: f64,
}

impl Segment {
    fn count_after(&self, span_ns: f64) -> f64 {
        self.rate * span_ns + self.slope * span_ns * span_ns / 2.0
    }

    /// When `count` more messages have come due. The form that does not cancel: `slope` may be 0 or nearly so.
    fn span_of(&self, count: f64) -> f64 {
        let root = (self.rate * self.rate + 2.0 * self.slope * count).max(0.0).sqrt();
        if count <= 0.0 { 0.0 } else { 2.0 * count / (self.rate + root) }
    }
}

impl RateCurve {
    /// The curve of stages, one after the other.
    pub fn new(stages: &[Stage]) -> Self {
        let mut segments = Vec::new();
        let (mut at_ns, mut rate, mut count) = (0_u64, 0.0, 0.0);
        for stage in stages {
            let target = stage.target_per_s / 1e9;
            if stage.duration_ns > 0 {
                let span = stage.duration_ns as f64;
                let end_ns = at_ns.saturating_add(stage.duration_ns);
                let segment = Segment { start_ns: at_ns, end_ns, count, rate, slope: (target - rate) / span };
                segments.push(segment);
                count += segment.count_after(span);
                at_ns = end_ns;
            }
            rate = target;
        }
        Self { segments, end_ns: at_ns, total: count }
    }

    /// When the last stage ends.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Messages due over all stages, not rounded.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Messages due before an instant, not rounded.
    pub fn count_at(&self, at_ns: u64) -> f64 {
        let place = self.segments.partition_point(|segment| segment.end_ns <= at_ns);
        match self.segments.get(place) {
            Some(segment) => segment.count + segment.count_after((at_ns - segment.start_ns) as f64),
            None => self.total,
        }
    }

    /// The instant at which so many messages have come due; `None`: after the end.
    pub fn instant_of(&self, count: f64) -> Option<u64> {
        // The last segment that begins with no more than that: a stage at rate 0 lets time pass and nothing come due.
        let place = self.segments.partition_point(|segment| segment.count <= count);
        let segment = self.segments.get(place.checked_sub(1)?)?;
        let span = segment.span_of(count - segment.count);
        let at_ns = segment.start_ns as f64 + span;
        (span.is_finite() && at_ns < self.end_ns as f64 && count < self.total).then(|| at_ns.ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn curve(stages: &[(u64, f64)]) -> RateCurve {
        let stages: Vec<Stage> = stages
            .iter()
            .map(|(seconds, target_per_s)| Stage { duration_ns: seconds * SECOND, target_per_s: *target_per_s })
            .collect();
        RateCurve::new(&stages)
    }

    #[test]
    fn a_step_and_a_plateau_are_a_constant_rate() {
        let curve = curve(&[(0, 100.0), (10, 100.0)]);
        assert_eq!((curve.end_ns(), curve.total().round()), (10 * SECOND, 1_000.0));
        for message in 0..1_000_u64 {
            assert_eq!(curve.instant_of(message as f64), Some(message * SECOND / 100));
        }
        assert_eq!(curve.instant_of(1_000.0), None);
    }

    #[test]
    fn a_ramp_from_nothing_is_a_parabola() {
        // 10 s to 100/s: t * t * 5 messages, so message 45 is due after 3 s and message 320 after 8 s.
        let curve = curve(&[(10, 100.0)]);
        assert_eq!(curve.total().round(), 500.0);
        for (message, seconds) in [(0.0, 0), (5.0, 1), (45.0, 3), (320.0, 8)] {
            let at_ns = curve.instant_of(message).unwrap();
            assert!(at_ns.abs_diff(seconds * SECOND) <= 2, "{message}: {at_ns}");
        }
    }

    #[test]
    fn a_ramp_down_ends_and_a_pause_lets_nothing_come_due() {
        let curve = curve(&[(0, 10.0), (10, 0.0), (5, 0.0), (0, 10.0), (1, 10.0)]);
        assert_eq!(curve.total().round(), 60.0);
        // 10 t - t * t / 2 messages: number 42 after 6 s.
        assert!(curve.instant_of(42.0).unwrap().abs_diff(6 * SECOND) <= 2);
        let after_the_pause = curve.instant_of(50.0).unwrap();
        assert!(after_the_pause.abs_diff(15 * SECOND) <= 2, "{after_the_pause}");
        assert_eq!(curve.count_at(12 * SECOND).round(), 50.0);
    }

    #[test]
    fn nothing_is_due_without_stages_or_without_length() {
        assert_eq!(curve(&[]).instant_of(0.0), None);
        assert_eq!(curve(&[(0, 50.0)]).instant_of(0.0), None);
        assert_eq!(curve(&[(5, 0.0)]).instant_of(0.0), None);
    }

    #[test]
    fn three_days_at_full_rate_are_exact_to_a_microsecond() {
        let curve = curve(&[(0, 50_000.0), (259_200, 50_000.0)]);
        let last = 50_000 * 259_200 - 1_u64;
        let exact = last * 20_000;
        assert!(curve.instant_of(last as f64).unwrap().abs_diff(exact) < 1_000);
    }

    proptest! {
        #[test]
        fn instants_never_go_back_and_say_how_many_came_before(
            stages in proptest::collection::vec((0_u64..20, 0_u32..500), 1..6),
        ) {
            let stages: Vec<_> = stages.into_iter().map(|(seconds, rate)| (seconds, f64::from(rate))).collect();
            let curve = curve(&stages);
            let instants: Vec<u64> = (0..).map_while(|message| curve.instant_of(f64::from(message))).collect();
            prop_assert!((instants.len() as f64 - curve.total()).abs() <= 1.0);
            prop_assert!(instants.is_sorted());
            for (message, at_ns) in instants.iter().enumerate() {
                prop_assert!((curve.count_at(*at_ns) - message as f64).abs() < 1e-3, "{message} at {at_ns}");
            }
        }
    }
}
