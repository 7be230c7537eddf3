//! When a lost connection is opened again (RFC 6455 section 7.2.3). Pure: randomness is handed in.

use serde::{Deserialize, Serialize};

/// Attempts and the pauses before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconnect {
    /// Consecutive failed attempts after which a slot stays closed; 0: a lost connection is never opened again.
    pub attempts: u32,
    /// How long to wait.
    pub pause: Pause,
}

/// The law of the pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "law", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pause {
    /// Any time up to `first_ns` before the first attempt, so that connections which fell together do not come back
    /// together; then a pause that doubles from attempt to attempt, half of it random, and never exceeds `longest_ns`.
    Backoff {
        /// Longest pause before the first attempt.
        first_ns: u64,
        /// Longest pause at all.
        longest_ns: u64,
    },
    /// All at once, and all again as often as that fails: the herd that a service fears.
    Storm {
        /// Between two attempts.
        every_ns: u64,
    },
}

impl Reconnect {
    /// How long to wait when `tried` attempts have been made since the slot was last open; `None`: it stays closed.
    /// `random` is any number, each as likely.
    pub fn pause_ns(&self, tried: u32, random: u32) -> Option<u64> {
        if tried >= self.attempts {
            return None;
        }
        let share_of = |span_ns: u64| ((u128::from(span_ns) * u128::from(random)) >> 32) as u64;
        Some(match self.pause {
            Pause::Backoff { first_ns, longest_ns } if tried == 0 => share_of(first_ns.min(longest_ns)),
            Pause::Backoff { first_ns, longest_ns } => {
                let span_ns = first_ns.saturating_mul(1 << tried.min(32)).min(longest_ns);
                span_ns / 2 + share_of(span_ns - span_ns / 2)
            }
            Pause::Storm { .. } if tried == 0 => 0,
            Pause::Storm { every_ns } => every_ns,
        })
    }

    /// Whether all are to come back at once, however many they are.
    pub fn is_storm(&self) -> bool {
        matches!(self.pause, Pause::Storm { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn backoff(attempts: u32) -> Reconnect {
        Reconnect { attempts, pause: Pause::Backoff { first_ns: SECOND, longest_ns: 30 * SECOND } }
    }

    #[test]
    fn the_first_attempt_comes_at_any_time_up_to_the_first_pause() {
        assert_eq!(backoff(1).pause_ns(0, 0), Some(0));
        assert_eq!(backoff(1).pause_ns(0, 1 << 31), Some(SECOND / 2));
        assert_eq!(backoff(1).pause_ns(0, u32::MAX), Some(SECOND - 1));
    }

    #[test]
    fn later_pauses_double_up_to_the_longest_and_are_random_by_half() {
        // The greatest random number stops a few nanoseconds short of the end.
        let end = |tried| backoff(99).pause_ns(tried, u32::MAX).unwrap().next_multiple_of(1_000);
        let span = |tried| (backoff(99).pause_ns(tried, 0).unwrap(), end(tried));
        assert_eq!(span(1), (SECOND, 2 * SECOND));
        assert_eq!(span(2), (2 * SECOND, 4 * SECOND));
        assert_eq!(span(4), (8 * SECOND, 16 * SECOND));
        assert_eq!(span(5), (15 * SECOND, 30 * SECOND));
        assert_eq!(span(98), (15 * SECOND, 30 * SECOND));
    }

    #[test]
    fn after_the_last_attempt_a_slot_stays_closed() {
        assert_eq!(backoff(0).pause_ns(0, 7), None);
        assert!(backoff(2).pause_ns(1, 7).is_some());
        assert_eq!(backoff(2).pause_ns(2, 7), None);
        assert!(backoff(u32::MAX).pause_ns(1_000_000_000, 7).is_some());
    }

    #[test]
    fn a_longest_pause_below_the_first_holds_for_the_first_as_well() {
        let short = Reconnect { attempts: 9, pause: Pause::Backoff { first_ns: SECOND, longest_ns: SECOND / 10 } };
        assert!(short.pause_ns(0, u32::MAX).unwrap() < SECOND / 10);
        assert_eq!(short.pause_ns(1, 0), Some(SECOND / 20));
    }

    #[test]
    fn a_storm_waits_for_nothing_and_tries_again_all_together() {
        let storm = Reconnect { attempts: 3, pause: Pause::Storm { every_ns: SECOND } };
        assert_eq!([0, 1, 2, 3].map(|tried| storm.pause_ns(tried, 7)), [Some(0), Some(SECOND), Some(SECOND), None]);
        assert!(storm.is_storm() && !backoff(1).is_storm());
    }

    /// A thousand connections whose server is away for `away_ns`: when each is open again, in virtual time.
    fn herd(rule: Reconnect, away_ns: u64) -> (Vec<u64>, u64) {
        let mut random = 12_345_u64;
        let mut failed = 0;
        let back = (0..1_000).map(|_| {
            let (mut at_ns, mut tried) = (0, 0);
            loop {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                at_ns += rule.pause_ns(tried, (random >> 32) as u32).unwrap();
                tried += 1;
                if at_ns >= away_ns {
                    return at_ns;
                }
                failed += 1;
            }
        });
        (back.collect(), failed)
    }

    /// Connections that are open again within the same 100 ms, at the most.
    fn peak(back: &[u64]) -> usize {
        let of = |at: u64| back.iter().filter(|one| **one / (SECOND / 10) == at).count();
        back.iter().map(|one| of(one / (SECOND / 10))).max().unwrap()
    }

    #[test]
    fn a_herd_comes_back_spread_out_and_a_storm_does_not() {
        let (spread, failed) = herd(backoff(u32::MAX), 10 * SECOND);
        // Three attempts fit into 7 s, a fourth into 7 to 15 s; the fifth follows after 8 to 16 s more.
        assert!(spread.iter().all(|at| *at < 10 * SECOND + 16 * SECOND));
        assert!((3_000..4_000).contains(&failed), "{failed}");
        assert!(peak(&spread) < 60, "{}", peak(&spread));
        let storm = Reconnect { attempts: u32::MAX, pause: Pause::Storm { every_ns: SECOND } };
        let (together, failed) = herd(storm, 10 * SECOND);
        assert_eq!((together, failed), (vec![10 * SECOND; 1_000], 10_000));
    }
}
