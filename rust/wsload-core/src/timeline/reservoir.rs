//! A fair sample: of any number of exchanges each has the same chance to be among the `room` that stay.

use crate::rng::{Purpose, draw};

/// Algorithm R (Vitter: Random sampling with a reservoir, 1985), with draws that a seed repeats.
#[derive(Debug)]
pub(super) struct Reservoir {
    room: usize,
    seed: u64,
    worker: u32,
    drawn: u64,
    /// Exchanges of the open interval.
    seen: u64,
    /// The bytes of those that stay; buffers are reused.
    chosen: Vec<Vec<u8>>,
    used: usize,
}

impl Reservoir {
    pub(super) fn new(room: usize, seed: u64, worker: u32) -> Self {
        Self { room, seed, worker, drawn: 0, seen: 0, chosen: Vec::new(), used: 0 }
    }

    /// Another exchange: the buffer that it is to be written to, if it stays for now.
    #[inline]
    pub(super) fn offer(&mut self) -> Option<&mut Vec<u8>> {
        self.seen += 1;
        if self.used < self.room {
            self.used += 1;
            if self.chosen.len() < self.used {
                self.chosen.push(Vec::new());
            }
            return self.chosen.get_mut(self.used - 1);
        }
        self.drawn += 1;
        let random = draw(self.seed, Purpose::Timeline, self.worker, self.drawn);
        let place = ((u128::from(random) * u128::from(self.seen)) >> 64) as usize;
        // Beyond the room: it does not stay.
        if place < self.room { self.chosen.get_mut(place) } else { None }
    }

    /// The exchanges that stay, and a fresh start.
    pub(super) fn take(&mut self) -> &[Vec<u8>] {
        self.seen = 0;
        &self.chosen[..std::mem::take(&mut self.used)]
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
}
