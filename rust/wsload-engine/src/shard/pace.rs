//! Pacing of new connections.

use std::time::Duration;

/// How far behind a paced ramp may catch up at once, after the loop was held up.
const MAX_CATCH_UP: Duration = Duration::from_millis(10);

/// Lets connection attempts start one `gap_ns` apart; without a gap, at once.
#[derive(Debug)]
pub(super) struct ConnectPace {
    gap_ns: Option<u64>,
    next_ns: u64,
}

impl ConnectPace {
    pub(super) fn new(gap_ns: Option<u64>) -> Self {
        Self { gap_ns, next_ns: 0 }
    }

    /// The first attempt may start at `at_ns`.
    pub(super) fn start(&mut self, at_ns: u64) {
        self.next_ns = at_ns;
    }

    /// When the next attempt may start.
    pub(super) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// An attempt starts now. A long pause earns no burst: beyond 10 ms the debt is forgiven.
    pub(super) fn take(&mut self, now_ns: u64) {
        if let Some(gap_ns) = self.gap_ns {
            self.next_ns = (self.next_ns + gap_ns).max(now_ns.saturating_sub(MAX_CATCH_UP.as_nanos() as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_lie_one_gap_apart_and_a_late_one_does_not_shift_the_rest() {
        let mut pace = ConnectPace::new(Some(1_000));
        pace.start(50_000);
        pace.take(50_000);
        assert_eq!(pace.next_ns(), 51_000);
        pace.take(51_700);
        assert_eq!(pace.next_ns(), 52_000);
    }

    #[test]
    fn a_long_pause_earns_no_burst() {
        let mut pace = ConnectPace::new(Some(1_000));
        pace.start(0);
        pace.take(1_000_000_000);
        assert_eq!(pace.next_ns(), 990_000_000);
    }

    #[test]
    fn without_a_rate_the_next_attempt_may_start_at_once() {
        let mut pace = ConnectPace::new(None);
        pace.start(7);
        pace.take(9);
        assert_eq!(pace.next_ns(), 7);
    }
}
