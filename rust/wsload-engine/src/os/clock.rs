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
/// The offset changes only when the realtime clock is stepped; slewing moves both clocks alike.
#[derive(Debug)]
pub struct ClockMap {
    realtime_minus_monotonic_ns: u64,
    taken_ns: u64,
}

impl ClockMap {
    /// How old an offset may get: a clock step distorts at most the stamps of this long.
    const MAX_AGE_NS: u64 = 10_000_000;

    /// Takes the offset now.
    pub fn new() -> Self {
        Self { realtime_minus_monotonic_ns: measure_offset(), taken_ns: monotonic_ns() }
    }

    /// Takes the offset again when it is older than 10 ms.
    #[inline]
    pub fn refresh(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.taken_ns) > Self::MAX_AGE_NS {
            self.realtime_minus_monotonic_ns = measure_offset();
            self.taken_ns = now_ns;
        }
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

    #[test]
    fn refresh_leaves_a_young_offset_alone() {
        let mut map = ClockMap { realtime_minus_monotonic_ns: 5, taken_ns: 1_000 };
        map.refresh(1_000 + ClockMap::MAX_AGE_NS);
        assert_eq!(map.to_monotonic(105), 100);
        map.refresh(1_001 + ClockMap::MAX_AGE_NS);
        assert_eq!(map.taken_ns, 1_001 + ClockMap::MAX_AGE_NS);
    }
}
