//! When messages are due: a pure function of the message's index and the run's seed.
//!
//! The schedule knows nothing of how the server is doing. Instants are nanoseconds after the run's epoch and exact;
//! [`Grain`] rounds absolute instants up to a worker's ticks, so that one wake-up sends all that is due.

mod stages;
mod think;

pub use stages::{RateCurve, Stage};
pub use think::Think;

use crate::plan::Arrivals;
use crate::rng::{Purpose, draw, exponential};

/// 292 years: what is later is never due, so that an epoch can be added to any instant.
const HORIZON_NS: u64 = i64::MAX as u64;
/// Nanoseconds in a million seconds.
const MEGASECOND_NS: u128 = 1_000_000_000_000_000;

/// An open schedule over all connections of a run.
///
/// Constant arrivals: message `i` is due at `floor(i * 1e9 / rate)` and belongs to slot `i mod connections`.
/// Poisson arrivals: each slot has an independent stream of `rate / connections`.
///
/// With stages the rate changes over time; message `i` is due when `i` messages' worth of the curve have passed.
#[derive(Debug, Clone)]
pub struct OpenSchedule {
    arrivals: Arrivals,
    /// Messages per 1,000,000 s: the rate as an exact number.
    rate_micro: u64,
    /// Poisson: mean gap of one slot.
    mean_gap_ns: f64,
    curve: Option<RateCurve>,
    connections: u32,
    seed: u64,
    iterations: Option<u64>,
    end_ns: u64,
}

/// A slot's place in the schedule: with it, the next message's instant takes constant time and no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Which of its slot's messages this is, from 0.
    pub seq: u64,
    /// When it is due, ns after the epoch.
    pub due_ns: u64,
}

impl OpenSchedule {
    /// A schedule of `rate_per_s` messages over all `connections`. Messages at `end_ns` or later, and from number
    /// `iterations` on, are not in it; nor is what would be due after 292 years. With Poisson arrivals `iterations` is
    /// shared evenly among the slots.
    pub fn new(
        rate_per_s: f64,
        arrivals: Arrivals,
        connections: u32,
        seed: u64,
        iterations: Option<u64>,
        end_ns: Option<u64>,
    ) -> Self {
        Self {
            arrivals,
            rate_micro: ((rate_per_s * 1e6).round() as u64).max(1),
            mean_gap_ns: f64::from(connections) * 1e9 / rate_per_s,
            curve: None,
            connections,
            seed,
            iterations,
            end_ns: end_ns.unwrap_or(HORIZON_NS).min(HORIZON_NS),
        }
    }

    /// A schedule whose rate follows stages, and that ends with them.
    pub fn staged(stages: &[Stage], arrivals: Arrivals, connections: u32, seed: u64, iterations: Option<u64>) -> Self {
        let curve = RateCurve::new(stages);
        let end_ns = Some(curve.end_ns());
        Self { curve: Some(curve), ..Self::new(1.0, arrivals, connections, seed, iterations, end_ns) }
    }

    /// The slot's first message.
    pub fn first(&self, slot: u32) -> Option<Cursor> {
        match self.arrivals {
            Arrivals::Constant => self.constant(slot, 0),
            Arrivals::Poisson => self.poisson(slot, 0, 0),
        }
    }

    /// The slot's message after `after`; `None` at the schedule's end.
    #[inline]
    pub fn next(&self, slot: u32, after: Cursor) -> Option<Cursor> {
        match self.arrivals {
            Arrivals::Constant => self.constant(slot, after.seq + 1),
            Arrivals::Poisson => self.poisson(slot, after.seq + 1, after.due_ns),
        }
    }

    #[inline]
    fn constant(&self, slot: u32, seq: u64) -> Option<Cursor> {
        let index = seq.checked_mul(u64::from(self.connections))?.checked_add(u64::from(slot))?;
        let due_ns = match &self.curve {
            None => u64::try_from(u128::from(index) * MEGASECOND_NS / u128::from(self.rate_micro)).ok()?,
            Some(curve) => curve.instant_of(index as f64)?,
        };
        let within = due_ns < self.end_ns && self.iterations.is_none_or(|count| index < count);
        within.then_some(Cursor { seq, due_ns })
    }

    #[inline]
    fn poisson(&self, slot: u32, seq: u64, previous_ns: u64) -> Option<Cursor> {
        let gap = exponential(draw(self.seed, Purpose::Arrivals, slot, seq));
        let due_ns = match &self.curve {
            None => previous_ns.saturating_add((gap * self.mean_gap_ns).round() as u64),
            // The slot's stream at rate 1, stretched to the curve.
            Some(curve) => curve.instant_of(curve.count_at(previous_ns) + gap * f64::from(self.connections))?,
        };
        let within =
            due_ns < self.end_ns && self.iterations.is_none_or(|count| seq < share(count, self.connections, slot));
        within.then_some(Cursor { seq, due_ns })
    }
}

/// Part `part` of `total` split as evenly as whole numbers allow; the first parts get the rest.
pub fn share(total: u64, parts: u32, part: u32) -> u64 {
    let parts = u64::from(parts);
    total / parts + u64::from(u64::from(part) < total % parts)
}

/// A worker's ticks: every `grain_ns`, shifted so that workers do not burst together.
#[derive(Debug, Clone, Copy)]
pub struct Grain {
    grain_ns: u64,
    phase_ns: u64,
}

impl Grain {
    /// Ticks of worker `worker` of `workers`: multiples of `grain_ns` plus its share of one grain.
    pub fn new(grain_ns: u64, worker: u32, workers: u32) -> Self {
        Self { grain_ns, phase_ns: grain_ns * u64::from(worker) / u64::from(workers) }
    }

    /// The first tick at or after an instant.
    #[inline]
    pub fn round_up(&self, t_ns: u64) -> u64 {
        t_ns.saturating_sub(self.phase_ns).div_ceil(self.grain_ns) * self.grain_ns + self.phase_ns
    }

    /// Distance between ticks.
    pub fn grain_ns(&self) -> u64 {
        self.grain_ns
    }

    /// Where the ticks lie within a grain.
    pub fn phase_ns(&self) -> u64 {
        self.phase_ns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn instants(schedule: &OpenSchedule, slot: u32) -> Vec<u64> {
        let mut at = schedule.first(slot);
        let mut all = Vec::new();
        while let Some(cursor) = at {
            assert_eq!(cursor.seq, all.len() as u64);
            all.push(cursor.due_ns);
            at = schedule.next(slot, cursor);
        }
        all
    }

    fn constant(rate: f64, connections: u32, iterations: Option<u64>, end_ns: Option<u64>) -> OpenSchedule {
        OpenSchedule::new(rate, Arrivals::Constant, connections, 1, iterations, end_ns)
    }

    #[test]
    fn constant_messages_take_turns_over_the_slots() {
        // 4/s over 2 slots: 0, 250, 500, 750 ms.
        let schedule = constant(4.0, 2, None, Some(SECOND));
        assert_eq!(instants(&schedule, 0), [0, 500_000_000]);
        assert_eq!(instants(&schedule, 1), [250_000_000, 750_000_000]);
    }

    #[test]
    fn thirty_seconds_at_20_000_per_second_are_600_000_messages() {
        let schedule = constant(20_000.0, 1_000, None, Some(30 * SECOND));
        let count: usize = (0..1_000).map(|slot| instants(&schedule, slot).len()).sum();
        assert_eq!(count, 600_000);
    }

    #[test]
    fn a_constant_schedule_never_drifts() {
        // 3/s: the third of a second is not a whole number of ns; after 3 * 10^9 messages it is exact again.
        let schedule = constant(3.0, 1, None, None);
        let at = |seq: u64| schedule.next(0, Cursor { seq: seq - 1, due_ns: 0 }).map(|cursor| cursor.due_ns);
        assert_eq!(at(1), Some(333_333_333));
        assert_eq!(at(3_000_000_000), Some(1_000_000_000 * SECOND));
        // A fractional rate is exact to a millionth: 2.5/s, message 10^9 at 4 * 10^8 s.
        let half = constant(2.5, 1, None, None);
        assert_eq!(half.next(0, Cursor { seq: 999_999_999, due_ns: 0 }).unwrap().due_ns, 400_000_000 * SECOND);
        // A million a second for 285 years: message 9 * 10^15 on the 10^3rd of 10^3 connections, less one turn.
        let long = constant(1e6, 1_000, None, None);
        let last = long.next(999, Cursor { seq: 8_999_999_999_998, due_ns: 0 }).unwrap();
        assert_eq!(last.due_ns, 9_000_000_000 * SECOND - 1_000);
    }

    #[test]
    fn what_would_be_due_after_292_years_is_never_due() {
        // A message in 10^6 s: number 9,223 is due at 9.223 * 10^18 ns, the horizon lies at 9.2234 * 10^18.
        let rare = constant(1e-6, 50_000, Some(50_000), None);
        assert_eq!(rare.first(9_223), Some(Cursor { seq: 0, due_ns: 9_223_000_000_000_000_000 }));
        assert_eq!((rare.first(9_224), rare.first(20_000)), (None, None));
        assert_eq!(constant(1.0, 2, None, None).next(0, Cursor { seq: u64::MAX - 1, due_ns: 0 }), None);
        let rare = OpenSchedule::new(1e-6, Arrivals::Poisson, 50_000, 1, None, None);
        assert!((0..50_000).filter_map(|slot| rare.first(slot)).all(|cursor| cursor.due_ns < HORIZON_NS));
    }

    #[test]
    fn iterations_and_the_end_bound_a_schedule_whichever_comes_first() {
        let both = |iterations, end_s: u64| {
            let schedule = constant(10.0, 3, Some(iterations), Some(end_s * SECOND));
            (0..3).map(|slot| instants(&schedule, slot).len()).sum::<usize>()
        };
        assert_eq!(both(7, 10), 7);
        assert_eq!(both(1_000, 2), 20);
        // The instant of the end itself is outside: messages at 0.0 to 1.9 s.
        assert_eq!(*instants(&constant(10.0, 1, None, Some(2 * SECOND)), 0).last().unwrap(), 1_900_000_000);
    }

    #[test]
    fn poisson_gaps_have_the_rate_and_the_variance_of_exponential_draws() {
        // 100 slots of 10/s for 100 s: 100,000 messages expected, standard deviation 316.
        let schedule = OpenSchedule::new(1_000.0, Arrivals::Poisson, 100, 42, None, Some(100 * SECOND));
        let all: Vec<Vec<u64>> = (0..100).map(|slot| instants(&schedule, slot)).collect();
        let count: usize = all.iter().map(Vec::len).sum();
        assert!((98_420..=101_580).contains(&count), "{count}");
        let gaps: Vec<f64> =
            all.iter().flat_map(|one| one.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e8)).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // Windows cut at the end lose long gaps a little (10 of 1,000 per slot), hence the room.
        assert!((mean - 1.0).abs() < 0.03 && (variance - 1.0).abs() < 0.08, "{mean} {variance}");
    }

    #[test]
    fn poisson_repeats_with_the_seed_and_slots_are_independent() {
        let of = |seed| OpenSchedule::new(50.0, Arrivals::Poisson, 5, seed, None, Some(10 * SECOND));
        assert_eq!(instants(&of(1), 3), instants(&of(1), 3));
        assert_ne!(instants(&of(1), 3), instants(&of(2), 3));
        assert_ne!(instants(&of(1), 3), instants(&of(1), 4));
    }

    #[test]
    fn bounds_cut_a_poisson_schedule_and_change_nothing_before() {
        let of = |iterations, end_s| {
            instants(&OpenSchedule::new(50.0, Arrivals::Poisson, 5, 9, iterations, Some(end_s * SECOND)), 2)
        };
        let long = of(None, 100);
        assert!(long.starts_with(&of(None, 10)) && long.starts_with(&of(Some(250), 100)));
        assert_eq!(of(Some(250), 100).len(), 50);
    }

    #[test]
    fn a_schedule_goes_on_the_same_from_any_cursor() {
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let schedule = OpenSchedule::new(70.0, arrivals, 7, 3, None, Some(10 * SECOND));
            let all = instants(&schedule, 4);
            for seq in 0..all.len() - 1 {
                let kept = Cursor { seq: seq as u64, due_ns: all[seq] };
                assert_eq!(schedule.next(4, kept).map(|cursor| cursor.due_ns), Some(all[seq + 1]));
            }
        }
    }

    #[test]
    fn poisson_shares_its_iterations() {
        let schedule = OpenSchedule::new(50.0, Arrivals::Poisson, 3, 1, Some(7), None);
        assert_eq!((0..3).map(|slot| instants(&schedule, slot).len()).collect::<Vec<_>>(), [3, 2, 2]);
    }

    #[test]
    fn stages_that_stay_level_are_the_plain_schedule() {
        let stages =
            [Stage { duration_ns: 0, target_per_s: 80.0 }, Stage { duration_ns: 5 * SECOND, target_per_s: 80.0 }];
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let plain = OpenSchedule::new(80.0, arrivals, 4, 7, None, Some(5 * SECOND));
            let staged = OpenSchedule::staged(&stages, arrivals, 4, 7, None);
            for slot in 0..4 {
                let (plain, staged) = (instants(&plain, slot), instants(&staged, slot));
                assert_eq!(plain.len(), staged.len());
                // Of the Poisson stream each instant goes on from the rounded one before.
                assert!(plain.iter().zip(&staged).all(|(one, other)| one.abs_diff(*other) <= 1_000));
            }
        }
    }

    #[test]
    fn a_poisson_ramp_has_as_many_messages_as_its_curve() {
        let stages = [Stage { duration_ns: 100 * SECOND, target_per_s: 1_000.0 }];
        let schedule = OpenSchedule::staged(&stages, Arrivals::Poisson, 50, 3, None);
        let all: Vec<u64> = (0..50).flat_map(|slot| instants(&schedule, slot)).collect();
        // 50,000 expected, standard deviation 224; a quarter of them in the first half.
        assert!((48_880..=51_120).contains(&all.len()), "{}", all.len());
        let early = all.iter().filter(|due_ns| **due_ns < 50 * SECOND).count();
        assert!((11_900..=13_100).contains(&early), "{early}");
    }

    #[test]
    fn ticks_of_two_workers_lie_half_a_grain_apart() {
        let (first, second) = (Grain::new(250_000, 0, 2), Grain::new(250_000, 1, 2));
        assert_eq!((first.round_up(1), first.round_up(250_000), first.round_up(250_001)), (250_000, 250_000, 500_000));
        assert_eq!(
            (second.round_up(1), second.round_up(125_000), second.round_up(125_001)),
            (125_000, 125_000, 375_000)
        );
    }

    proptest! {
        #[test]
        fn every_message_of_a_constant_schedule_belongs_to_one_slot_and_is_due_when_its_index_says(
            rate in 0.001_f64..1e6,
            connections in 1_u32..50,
            count in 0_u64..500,
        ) {
            let schedule = constant(rate, connections, Some(count), None);
            let all: Vec<Vec<u64>> = (0..connections).map(|slot| instants(&schedule, slot)).collect();
            prop_assert_eq!(all.iter().map(Vec::len).sum::<usize>() as u64, count);
            let micro = (rate * 1e6).round() as u128;
            for index in 0..count {
                let (slot, seq) = (index % u64::from(connections), index / u64::from(connections));
                let expected = u128::from(index) * 1_000_000_000_000_000 / micro;
                prop_assert_eq!(u128::from(all[slot as usize][seq as usize]), expected);
            }
        }

        #[test]
        fn the_number_of_constant_messages_is_rate_times_duration_rounded_up(
            rate in 1_u64..10_000_000, duration_ns in 1_u64..1 << 50,
        ) {
            let schedule = constant(rate as f64, 1, None, Some(duration_ns));
            let count = (u128::from(rate) * u128::from(duration_ns)).div_ceil(u128::from(SECOND)) as u64;
            let after = |seq: u64| schedule.next(0, Cursor { seq, due_ns: 0 });
            prop_assert!(count == 1 || after(count - 2).is_some(), "too few");
            prop_assert!(after(count - 1).is_none(), "too many");
        }

        #[test]
        fn instants_of_a_slot_never_go_back(seed: u64, slot in 0_u32..10, rate in 0.1_f64..1e6) {
            for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
                let schedule = OpenSchedule::new(rate, arrivals, 10, seed, Some(1_000), None);
                let all = instants(&schedule, slot);
                prop_assert_eq!(all.len(), 100);
                prop_assert!(all.is_sorted());
            }
        }

        #[test]
        fn shares_add_up_and_differ_by_one_at_most(total in 0_u64..1_000_000, parts in 1_u32..100) {
            let shares: Vec<u64> = (0..parts).map(|part| share(total, parts, part)).collect();
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }

        #[test]
        fn rounding_goes_up_and_by_less_than_a_grain(
            t in 1_000_000_u64..1 << 50, grain in 1_000_u64..1_000_000, workers in 1_u32..9, worker in 0_u32..9,
        ) {
            let ticks = Grain::new(grain, worker % workers, workers);
            let tick = ticks.round_up(t);
            prop_assert!(tick >= t && tick - t < grain);
            prop_assert_eq!(ticks.round_up(tick), tick);
        }
    }
}
