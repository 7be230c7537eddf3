//! A fair sample: of any number of exchanges each has the same chance to be among the `room` that stay.

use crate::rng::{Purpose, draw, exponential};

/// Algorithm L (Li: Reservoir-sampling algorithms of time complexity O(n(1+log(N/n))), 1994), with draws that a seed
/// repeats: an exchange that does not stay costs a comparison.
#[derive(Debug)]
pub(super) struct Reservoir {
    room: usize,
    seed: u64,
    worker: u32,
    drawn: u64,
    /// Exchanges of the open interval.
    seen: u64,
    /// Number of the next one that stays, from 1.
    next: u64,
    /// The largest of `room` uniform draws that stand for those that stay.
    weight: f64,
    /// The bytes of those that stay; buffers are reused.
    chosen: Vec<Vec<u8>>,
    used: usize,
}

impl Reservoir {
    pub(super) fn new(room: usize, seed: u64, worker: u32) -> Self {
        let next = if room > 0 { 1 } else { u64::MAX };
        Self { room, seed, worker, drawn: 0, seen: 0, next, weight: 1.0, chosen: Vec::new(), used: 0 }
    }

    /// Another exchange: the buffer that it is to be written to, if it stays for now.
    #[inline]
    pub(super) fn offer(&mut self) -> Option<&mut Vec<u8>> {
        self.seen += 1;
        if self.seen < self.next { None } else { self.place() }
    }

    /// The exchanges that stay, and a fresh start.
    pub(super) fn take(&mut self) -> &[Vec<u8>] {
        let room = std::mem::take(&mut self.used);
        (self.seen, self.weight) = (0, 1.0);
        self.next = if self.room > 0 { 1 } else { u64::MAX };
        &self.chosen[..room]
    }

    #[cold]
    fn place(&mut self) -> Option<&mut Vec<u8>> {
        let mut place = self.used;
        if self.used < self.room {
            self.used += 1;
            if self.chosen.len() < self.used {
                self.chosen.push(Vec::new());
            }
        } else {
            place = ((u128::from(self.draw()) * self.room as u128) >> 64) as usize;
        }
        let skipped = if self.used < self.room { 0 } else { self.skip() };
        self.next = self.seen.saturating_add(skipped).saturating_add(1);
        self.chosen.get_mut(place)
    }

    /// How many do not stay from here on.
    fn skip(&mut self) -> u64 {
        self.weight *= (-exponential(self.draw()) / self.room as f64).exp();
        (-exponential(self.draw()) / (-self.weight).ln_1p()) as u64
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        draw(self.seed, Purpose::Timeline, self.worker, self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(room: usize, of: u32, seed: u64) -> Vec<u32> {
        let mut reservoir = Reservoir::new(room, seed, 0);
        for number in 0..of {
            if let Some(buffer) = reservoir.offer() {
                buffer.clear();
                buffer.extend(number.to_le_bytes());
            }
        }
        let taken = reservoir.take().iter().map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let taken = taken.collect();
        assert!(reservoir.take().is_empty());
        taken
    }

    #[test]
    fn few_exchanges_all_stay_and_many_fill_the_room() {
        assert_eq!(sample(5, 3, 1), [0, 1, 2]);
        assert_eq!(sample(5, 1_000, 1).len(), 5);
        assert!(sample(0, 1_000, 1).is_empty());
    }

    #[test]
    fn a_seed_repeats_the_sample() {
        assert_eq!(sample(5, 1_000, 7), sample(5, 1_000, 7));
        assert_ne!(sample(5, 1_000, 7), sample(5, 1_000, 8));
    }

    #[test]
    fn every_exchange_has_the_same_chance() {
        let mut counts = [0_u32; 20];
        for seed in 0..4_000 {
            for number in sample(5, 20, seed) {
                counts[number as usize] += 1;
            }
        }
        // 1,000 expected each; the standard deviation is 27.
        assert!(counts.iter().all(|count| (880..=1_120).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_same_chance_far_beyond_the_room() {
        let mut tenths = [0_u32; 10];
        for seed in 0..400 {
            for number in sample(25, 10_000, seed) {
                tenths[number as usize / 1_000] += 1;
            }
        }
        // 1,000 expected each; the standard deviation is 30.
        assert!(tenths.iter().all(|count| (880..=1_120).contains(count)), "{tenths:?}");
    }

    #[test]
    fn an_interval_begins_afresh() {
        let mut reservoir = Reservoir::new(2, 1, 0);
        for _ in 0..1_000 {
            reservoir.offer();
        }
        assert_eq!(reservoir.take().len(), 2);
        reservoir.offer().unwrap().clear();
        assert_eq!(reservoir.take(), [Vec::<u8>::new()]);
    }
}
