//! Randomness: mask keys nobody can predict, and counter-based draws anybody can repeat.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Mask keys, one per frame, unpredictable to the server (RFC 6455 section 10.3).
#[derive(Debug)]
pub struct MaskKeys(ChaCha8Rng);

impl MaskKeys {
    /// Keys from a seed that must come from the operating system, not from the run's seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// A key no earlier frame had, but by chance.
    #[inline]
    pub fn next_key(&mut self) -> [u8; 4] {
        self.0.next_u32().to_le_bytes()
    }
}

/// What a draw is for: draws for different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Gaps of a Poisson schedule.
    Arrivals = 1,
    /// Think times of a closed loop.
    Think = 2,
    /// Random values in messages.
    Template = 3,
    /// Which exchanges are sampled for the timeline.
    Timeline = 4,
}

/// The draw number `sequence` of `slot`: a pure function of its arguments, uniform over all `u64`.
///
/// The SplitMix64 finaliser (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) over seed and
/// purpose, then the slot, then the sequence; a ChaCha block per draw would cost tens of nanoseconds for nothing a
/// schedule needs.
#[inline]
pub fn draw(seed: u64, purpose: Purpose, slot: u32, sequence: u64) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let key = finalise(seed.wrapping_add((purpose as u64).wrapping_mul(GOLDEN)));
    let stream = finalise(key ^ u64::from(slot).wrapping_mul(GOLDEN).wrapping_add(GOLDEN));
    finalise(stream.wrapping_add(sequence.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// An exponential draw of mean 1 from a uniform `u64`, never infinite (at most 37).
#[inline]
pub fn exponential(uniform: u64) -> f64 {
    // The half step keeps the argument of the logarithm above 0 and below 1.
    let unit = ((uniform >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    -unit.ln()
}

#[inline]
fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn mask_keys_repeat_with_the_seed_and_differ_from_frame_to_frame() {
        let keys = |seed: u8| {
            let mut keys = MaskKeys::from_seed([seed; 32]);
            (0..1_000).map(|_| keys.next_key()).collect::<Vec<_>>()
        };
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
        assert!(keys(1).iter().collect::<HashSet<_>>().len() > 990);
    }

    #[test]
    fn draws_depend_on_every_argument_and_on_nothing_else() {
        let base = draw(1, Purpose::Arrivals, 2, 3);
        assert_eq!(base, draw(1, Purpose::Arrivals, 2, 3));
        for other in
            [draw(2, Purpose::Arrivals, 2, 3), draw(1, Purpose::Arrivals, 3, 3), draw(1, Purpose::Arrivals, 2, 4)]
        {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn draws_are_those_of_an_independent_implementation() {
        // SplitMix64's own first output of seed 1234567 and draws computed from its definition elsewhere: the same seed
        // must give the same run in every release.
        assert_eq!(finalise(1_234_567 + 0x9e37_79b9_7f4a_7c15), 6_457_827_717_110_365_317);
        assert_eq!(draw(42, Purpose::Arrivals, 0, 0), 0x5541_7331_f90c_3204);
        assert_eq!(draw(42, Purpose::Arrivals, 0, 1), 0x2b2f_bcc3_bde9_946f);
        assert_eq!(draw(42, Purpose::Arrivals, 7, 0), 0x6583_6111_94f8_dd8e);
        assert_eq!(draw(0x7f3a, Purpose::Arrivals, 999, 1_000_000_000_000), 0xd9be_9b64_1dc5_331c);
    }

    #[test]
    fn draws_of_many_slots_do_not_collide() {
        let all: HashSet<u64> =
            (0..100).flat_map(|slot| (0..1_000).map(move |seq| draw(7, Purpose::Arrivals, slot, seq))).collect();
        assert_eq!(all.len(), 100_000);
    }

    #[test]
    fn each_bit_of_a_draw_is_set_half_of_the_time() {
        let draws: Vec<u64> = (0..20_000).map(|seq| draw(7, Purpose::Arrivals, 0, seq)).collect();
        for bit in 0..64 {
            let set = draws.iter().filter(|draw| *draw >> bit & 1 == 1).count();
            // Five standard deviations of 20,000 fair coins: 5 * sqrt(20,000 / 4) = 354.
            assert!((9_646..=10_354).contains(&set), "bit {bit}: {set}");
        }
    }

    #[test]
    fn exponential_draws_have_mean_and_variance_one_and_are_finite() {
        assert!(exponential(u64::MAX) > 0.0 && exponential(0) < 37.0);
        let draws: Vec<f64> = (0..50_000).map(|seq| exponential(draw(3, Purpose::Arrivals, 1, seq))).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        // Standard errors: 1 / sqrt(50,000) = 0.0045 and sqrt(8 / 50,000) = 0.0126; five of each.
        assert!((mean - 1.0).abs() < 0.023 && (variance - 1.0).abs() < 0.064, "{mean} {variance}");
    }
}
