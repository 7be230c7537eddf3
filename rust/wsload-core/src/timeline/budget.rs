//! How many bytes of events may be kept: over the run, and in one interval.

use super::event::Why;

/// What an event takes in the file beside its payload.
const OVERHEAD_BYTES: u64 = 96;
/// Part of the limit that may be spent at once: 1/16.
const AT_ONCE: u64 = 16;

/// Bytes for one worker's events. Each purse has its own share, so that a wordy sample never crowds out the messages
/// before a failure, and fills with time, so that the last hour of a soak is kept as well as the first.
#[derive(Debug)]
pub(super) struct Budget {
    purses: [Purse; 3],
    length_ns: u64,
    start_ns: Option<u64>,
}

#[derive(Debug)]
struct Purse {
    limit: u64,
    allowed: u64,
    spent: u64,
}

impl Budget {
    /// `limit` bytes over a run of `length_ns`.
    pub(super) fn new(limit: u64, length_ns: u64) -> Self {
        let purse = |part: u64| Purse { limit: limit / part, allowed: limit / part / AT_ONCE, spent: 0 };
        // Whole connections, failures, samples and slow exchanges.
        Self { purses: [purse(4), purse(2), purse(4)], length_ns: length_ns.max(1), start_ns: None }
    }

    /// An interval begins: what may be spent in it is known.
    pub(super) fn refill(&mut self, now_ns: u64) {
        let start_ns = *self.start_ns.get_or_insert(now_ns);
        let elapsed = (now_ns - start_ns).min(self.length_ns);
        for purse in &mut self.purses {
            let at_once = purse.limit / AT_ONCE;
            let due = u128::from(purse.limit - at_once) * u128::from(elapsed) / u128::from(self.length_ns);
            // What was saved up is not spent in one interval either.
            purse.allowed = (at_once + due as u64).min(purse.spent + 2 * at_once);
        }
    }

    /// Whether an event with so much payload may be kept; it is paid for.
    pub(super) fn admit(&mut self, why: Why, payload: usize) -> bool {
        let purse = &mut self.purses[match why {
            Why::Connection => 0,
            Why::Failure => 1,
            Why::Slow | Why::Sample => 2,
        }];
        let price = OVERHEAD_BYTES + payload as u64;
        let affordable = purse.spent + price <= purse.allowed;
        if affordable {
            purse.spent += price;
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Events of 4 payload bytes (100 in all) admitted in one interval.
    fn spend(budget: &mut Budget, why: Why) -> u64 {
        (0..).take_while(|_| budget.admit(why, 4)).count() as u64
    }

    #[test]
    fn the_whole_limit_is_reached_at_the_end_and_never_passed() {
        let mut budget = Budget::new(64_000, 10 * SECOND);
        let mut each = Vec::new();
        for second in 0..=10 {
            budget.refill(5 + second * SECOND);
            each.push(spend(&mut budget, Why::Failure));
        }
        // Half of 64,000 bytes is 320 events: 20 at once, 30 in each second.
        assert_eq!(each, [20, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30]);
        budget.refill(99 * SECOND);
        assert_eq!(spend(&mut budget, Why::Failure), 0);
    }

    #[test]
    fn a_purse_does_not_pay_for_another() {
        let mut budget = Budget::new(64_000, 10 * SECOND);
        budget.refill(0);
        assert_eq!((spend(&mut budget, Why::Sample), spend(&mut budget, Why::Slow)), (10, 0));
        assert_eq!((spend(&mut budget, Why::Connection), spend(&mut budget, Why::Failure)), (10, 20));
    }

    #[test]
    fn savings_are_not_spent_in_one_interval() {
        let mut budget = Budget::new(64_000, 10 * SECOND);
        budget.refill(0);
        budget.refill(10 * SECOND);
        assert_eq!(spend(&mut budget, Why::Failure), 40);
    }
}
