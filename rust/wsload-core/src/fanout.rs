//! One message to many: who has got it, when the first, when the last.

use std::collections::{HashMap, VecDeque};

/// Pairs of publisher and subscriber whose order is watched; beyond that reordering is not looked for.
const MAX_PAIRS: usize = 4_000_000;

/// A message that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Slot that sent it.
    pub publisher: u32,
    /// Which of the publisher's messages it is.
    pub number: u64,
    /// When it was due.
    pub intended_ns: u64,
    /// When it was handed to the kernel.
    pub sent_ns: u64,
    /// It was intended during the warm-up.
    pub warmup: bool,
    /// Subscribers that were there when it was sent.
    pub expected: u32,
}

/// A published message as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// What was published.
    pub message: Published,
    /// Subscribers that have it.
    pub delivered: u32,
    /// When the first and the last of these got it; 0 if nobody did.
    pub first_ns: u64,
    /// See there.
    pub last_ns: u64,
}

/// What a delivery was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// To a subscriber that did not have it. `reordered`: it had a later one of the same publisher. `complete`: it was
    /// the last one expected.
    New {
        /// The message and what it has reached.
        reach: Reach,
        /// After a later one.
        reordered: bool,
        /// Everybody has it.
        complete: bool,
    },
    /// It had it already.
    Duplicate,
    /// Not published here, or given up, or complete long ago.
    Unknown,
}

#[derive(Debug)]
struct Pending {
    reach: Reach,
    /// A bit for each slot.
    seen: Vec<u64>,
}

/// All messages on their way to subscribers. One shard holds all of a run's connections: only then can it say who was
/// first and last.
#[derive(Debug, Default)]
pub struct FanOut {
    pending: HashMap<u64, Pending>,
    by_age: VecDeque<(u64, u64)>,
    /// Greatest number that a subscriber has of a publisher.
    newest: HashMap<(u32, u32), u64>,
    spare: Vec<Vec<u64>>,
}

impl FanOut {
    /// A message went out on a shard of `slots` connections.
    pub fn publish(&mut self, key: u64, slots: u32, message: Published) {
        let mut seen = self.spare.pop().unwrap_or_default();
        seen.clear();
        seen.resize(slots.div_ceil(64) as usize, 0);
        self.by_age.push_back((message.sent_ns, key));
        let reach = Reach { message, delivered: 0, first_ns: 0, last_ns: 0 };
        self.pending.insert(key, Pending { reach, seen });
    }

    /// A message with this key arrived at a subscriber. A complete message is kept until it expires, so that duplicates
    /// are known.
    pub fn received(&mut self, key: u64, slot: u32, arrival_ns: u64) -> Delivery {
        let Some(Pending { reach, seen }) = self.pending.get_mut(&key) else { return Delivery::Unknown };
        let Some(word) = seen.get_mut(slot as usize / 64) else { return Delivery::Unknown };
        let bit = 1 << (slot % 64);
        if *word & bit != 0 {
            return Delivery::Duplicate;
        }
        *word |= bit;
        reach.delivered += 1;
        reach.first_ns = if reach.first_ns == 0 { arrival_ns } else { reach.first_ns.min(arrival_ns) };
        reach.last_ns = reach.last_ns.max(arrival_ns);
        let Published { publisher, number, expected, .. } = reach.message;
        let mut reordered = false;
        if self.newest.len() < MAX_PAIRS || self.newest.contains_key(&(publisher, slot)) {
            let newest = self.newest.entry((publisher, slot)).or_insert(number);
            reordered = *newest > number;
            *newest = (*newest).max(number);
        }
        Delivery::New { reach: *reach, reordered, complete: reach.delivered == expected }
    }

    /// Ends what was sent before `before_ns`, oldest first.
    pub fn expire(&mut self, before_ns: u64, mut each: impl FnMut(Reach)) {
        while let Some((sent_ns, key)) = self.by_age.front().copied() {
            if sent_ns >= before_ns {
                return;
            }
            self.by_age.pop_front();
            if let Some(Pending { reach, seen }) = self.pending.remove(&key) {
                self.spare.push(seen);
                each(reach);
            }
        }
    }

    /// When the oldest message that is watched was sent.
    pub fn oldest_ns(&self) -> Option<u64> {
        self.by_age.front().map(|(sent_ns, _)| *sent_ns)
    }

    /// Messages that somebody still waits for.
    pub fn incomplete(&self) -> usize {
        self.pending.values().filter(|pending| pending.reach.delivered < pending.reach.message.expected).count()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64, sent_ns: u64) -> Published {
        Published { publisher: 0, number, intended_ns: sent_ns, sent_ns, warmup: false, expected: 3 }
    }

    #[test]
    fn the_first_the_last_and_who_has_it() {
        let mut fan = FanOut::default();
        fan.publish(7, 100, message(0, 1_000));
        assert!(matches!(fan.received(7, 99, 1_500), Delivery::New { complete: false, reordered: false, .. }));
        assert_eq!(fan.received(7, 99, 1_600), Delivery::Duplicate);
        assert!(matches!(fan.received(7, 0, 1_200), Delivery::New { complete: false, .. }));
        assert_eq!((fan.incomplete(), fan.received(8, 0, 1_200)), (1, Delivery::Unknown));
        let Delivery::New { reach, complete: true, .. } = fan.received(7, 64, 1_900) else { panic!() };
        assert_eq!((reach.delivered, reach.first_ns, reach.last_ns), (3, 1_200, 1_900));
        assert_eq!((fan.incomplete(), fan.received(7, 64, 2_000)), (0, Delivery::Duplicate));
    }

    #[test]
    fn what_expires_says_how_far_it_came() {
        let mut fan = FanOut::default();
        fan.publish(7, 10, message(0, 1_000));
        fan.publish(8, 10, message(1, 2_000));
        fan.received(7, 1, 1_100);
        let mut ended = Vec::new();
        fan.expire(1_500, |reach| ended.push((reach.delivered, reach.message.number)));
        assert_eq!((ended, fan.oldest_ns()), (vec![(1, 0)], Some(2_000)));
        assert_eq!(fan.received(7, 2, 3_000), Delivery::Unknown);
    }

    #[test]
    fn a_message_after_a_later_one_of_its_publisher_is_reordered() {
        let mut fan = FanOut::default();
        fan.publish(7, 10, message(0, 1_000));
        fan.publish(8, 10, message(1, 2_000));
        assert!(matches!(fan.received(8, 1, 3_000), Delivery::New { reordered: false, .. }));
        assert!(matches!(fan.received(7, 1, 3_100), Delivery::New { reordered: true, .. }));
        assert!(matches!(fan.received(7, 2, 3_200), Delivery::New { reordered: false, .. }));
        assert!(matches!(fan.received(8, 2, 3_300), Delivery::New { reordered: false, .. }));
    }
}
