//! The two clocks of a shard: monotonic for everything, realtime only to translate kernel time stamps.

fn read_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec; both clocks used here exist on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Now on `CLOCK_MONOTONIC`, ns. The same clock as Python's `time.monotonic_ns`.
#[inline]
pub fn monotonic_ns() -> u64 {
    read_ns(libc::CLOCK_MONOTONIC)
}

/// Translates `CLOCK_REALTIME` stamps of the kernel into monotonic time.
///
/// The offset changes only when the realtime clock is stepped; slewing moves both clocks alike. Reading both clocks
/// once a millisecond costs less than a descriptor that tells of steps, and finds them as well.
#[derive(Debug)]
pub struct ClockMap {
    realtime_minus_monotonic_ns: u64,
    taken_ns: u64,
    /// An instant shortly before the last step; 0: there was none.
    stepped_ns: u64,
}

impl ClockMap {
    /// How old an offset may get: stamps of this long before a step is noticed are off by the step.
    const MAX_AGE_NS: u64 = 1_000_000;
    /// Two brackets of the same offset differ by less; a real step is larger.
    const STEP_NS: u64 = 100_000;

    /// Takes the offset now.
    pub fn new() -> Self {
        Self { realtime_minus_monotonic_ns: measure_offset(), taken_ns: monotonic_ns(), stepped_ns: 0 }
    }

    /// Takes the offset again when it is older than 1 ms; true: the realtime clock has been stepped since.
    #[inline]
    pub fn refresh(&mut self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.taken_ns) > Self::MAX_AGE_NS && self.take(now_ns, measure_offset())
    }

    fn take(&mut self, now_ns: u64, offset_ns: u64) -> bool {
        let stepped = offset_ns.abs_diff(self.realtime_minus_monotonic_ns) > Self::STEP_NS;
        if stepped {
            self.stepped_ns = self.taken_ns;
        }
        self.realtime_minus_monotonic_ns = offset_ns;
        self.taken_ns = now_ns;
        stepped
    }

    /// When what was read at `read_ns` arrived, by its stamp. `emptied_ns`: when the same connection was last read until
    /// it was empty. `None` for a stamp that may have been taken before a step of the clock, and so says nothing.
    #[inline]
    pub fn arrival(&self, stamp_ns: u64, emptied_ns: u64, read_ns: u64) -> Option<u64> {
        // The two clocks are joined within some 20 ns: an arrival after its read is that error.
        let arrival_ns = self.to_monotonic(stamp_ns);
        if self.stepped_ns <= emptied_ns || self.stepped_ns == 0 {
            return Some(arrival_ns.min(read_ns));
        }
        (self.stepped_ns..=read_ns + Self::STEP_NS).contains(&arrival_ns).then_some(arrival_ns.min(read_ns))
    }

    /// Realtime of a monotonic instant, ns since 1970.
    #[inline]
    pub fn to_realtime(&self, monotonic_ns: u64) -> u64 {
        monotonic_ns + self.realtime_minus_monotonic_ns
    }

    /// Monotonic instant of a realtime stamp.
    #[inline]
    pub fn to_monotonic(&self, realtime_ns: u64) -> u64 {
        realtime_ns.saturating_sub(self.realtime_minus_monotonic_ns)
    }
}

impl Default for ClockMap {
    fn default() -> Self {
        Self::new()
    }
}

/// One reading is wrong by as long as the thread was off the CPU between the two clocks, so each is bracketed
/// (monotonic, realtime, monotonic) and the tightest of three brackets counts.
fn measure_offset() -> u64 {
    let bracket = || {
        let before = monotonic_ns();
        let real = read_ns(libc::CLOCK_REALTIME);
        let after = monotonic_ns();
        (after - before, real.saturating_sub(before + (after - before) / 2))
    };
    [bracket(), bracket(), bracket()].into_iter().min().map_or(0, |(_, offset)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realtime_stamp_taken_between_two_monotonic_readings_lands_between_them() {
        let map = ClockMap::new();
        let before = monotonic_ns();
        let stamp = read_ns(libc::CLOCK_REALTIME);
        let after = monotonic_ns();
        let translated = map.to_monotonic(stamp);
        // The bracket itself is a few tens of ns wide.
        assert!(translated + 1_000 >= before && translated <= after + 1_000, "{before} {translated} {after}");
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn refresh_leaves_a_young_offset_alone() {
        let mut map = ClockMap { realtime_minus_monotonic_ns: 5, taken_ns: 1_000, stepped_ns: 0 };
        assert!(!map.refresh(1_000 + ClockMap::MAX_AGE_NS));
        assert_eq!(map.to_monotonic(105), 100);
        // The machine's own offset is another than 5 ns: that is a step.
        assert!(map.refresh(1_001 + ClockMap::MAX_AGE_NS));
        assert_eq!(map.taken_ns, 1_001 + ClockMap::MAX_AGE_NS);
    }

    #[test]
    fn a_wobble_of_the_bracket_is_no_step() {
        let mut map = ClockMap { realtime_minus_monotonic_ns: 3_600_000 * MS, taken_ns: 10 * MS, stepped_ns: 0 };
        assert!(!map.take(12 * MS, 3_600_000 * MS + 90_000));
        assert_eq!(map.arrival(3_600_000 * MS + 90_000 + 11 * MS, 0, 12 * MS), Some(11 * MS));
    }

    #[test]
    fn a_stamp_from_before_a_step_is_told_apart_from_one_after_it() {
        for (before, after) in [(1_000_000 * MS, 4_600_000 * MS), (4_600_000 * MS, 1_000_000 * MS)] {
            let mut map = ClockMap { realtime_minus_monotonic_ns: before, taken_ns: 100 * MS, stepped_ns: 0 };
            assert!(map.take(102 * MS, after));
            // Stamped at 99 ms and 101 ms by the old and the new time, read at 103 ms.
            assert_eq!(map.arrival(before + 99 * MS, 90 * MS, 103 * MS), None);
            assert_eq!(map.arrival(after + 101 * MS, 90 * MS, 103 * MS), Some(101 * MS));
            // Read empty after the step: whatever comes now was stamped after it, even if it is read late.
            assert_eq!(map.arrival(after + 104 * MS, 103 * MS, 900 * MS), Some(104 * MS));
        }
    }
}
