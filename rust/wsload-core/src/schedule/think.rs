//! How long a user of a closed loop waits between a reply and the next message.

use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, draw, exponential};

/// A law of waiting times, repeated by the seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "law", rename_all = "snake_case", deny_unknown_fields)]
pub enum Think {
    /// Always the same.
    Fixed {
        /// How long.
        span_ns: u64,
    },
    /// Any time between two, all alike.
    Uniform {
        /// Shortest.
        low_ns: u64,
        /// Longest.
        high_ns: u64,
    },
    /// As of independent users; cut off at 37 times the mean.
    Exponential {
        /// Mean.
        mean_ns: u64,
    },
}

/// A hundred years: sums of instants must fit 64 bits.
const MAX_SPAN_NS: u64 = 100 * 365 * 86_400 * 1_000_000_000;

impl Think {
    /// Whether its times are in order and bounded.
    pub fn is_valid(&self) -> bool {
        match *self {
            Self::Fixed { span_ns } => span_ns <= MAX_SPAN_NS,
            Self::Uniform { low_ns, high_ns } => low_ns <= high_ns && high_ns <= MAX_SPAN_NS,
            Self::Exponential { mean_ns } => mean_ns <= MAX_SPAN_NS / 37,
        }
    }

    /// The wait before message `seq` of a slot, ns.
    pub fn before(&self, seed: u64, slot: u32, seq: u64) -> u64 {
        let uniform = || draw(seed, Purpose::Think, slot, seq);
        match *self {
            Self::Fixed { span_ns } => span_ns,
            Self::Uniform { low_ns, high_ns } => {
                let width = u128::from(high_ns - low_ns) + 1;
                low_ns + ((u128::from(uniform()) * width) >> 64) as u64
            }
            Self::Exponential { mean_ns } => (exponential(uniform()) * mean_ns as f64).round() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(think: Think) -> f64 {
        (0..20_000).map(|seq| think.before(7, 3, seq) as f64).sum::<f64>() / 20_000.0
    }

    #[test]
    fn each_law_has_its_mean_and_its_bounds() {
        assert_eq!(Think::Fixed { span_ns: 5 }.before(1, 2, 3), 5);
        let uniform = Think::Uniform { low_ns: 1_000, high_ns: 3_000 };
        assert!((0..1_000).all(|seq| (1_000..=3_000).contains(&uniform.before(7, 3, seq))));
        // Standard errors: 2,000 / sqrt(12) / sqrt(20,000) = 4 and 1,000 / sqrt(20,000) = 7; five of each.
        assert!((mean(uniform) - 2_000.0).abs() < 20.0);
        assert!((mean(Think::Exponential { mean_ns: 1_000 }) - 1_000.0).abs() < 36.0);
    }

    #[test]
    fn times_repeat_with_the_seed_and_differ_between_slots() {
        let think = Think::Exponential { mean_ns: 1_000_000 };
        assert_eq!(think.before(1, 2, 3), think.before(1, 2, 3));
        assert_ne!(think.before(1, 2, 3), think.before(1, 3, 3));
        assert_ne!(think.before(1, 2, 3), think.before(2, 2, 3));
    }

    #[test]
    fn what_has_no_order_or_no_end_is_not_valid() {
        assert!(!Think::Uniform { low_ns: 2, high_ns: 1 }.is_valid());
        assert!(!Think::Exponential { mean_ns: u64::MAX }.is_valid());
        assert!(Think::Uniform { low_ns: 1, high_ns: 1 }.is_valid());
    }
}
