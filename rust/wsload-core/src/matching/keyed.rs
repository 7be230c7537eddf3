//! Messages awaiting a reply that names them.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};

use super::{InFlight, Queue, Sent};

/// Keys remembered after their message was answered or given up. What comes later than that is a push.
const TOMBSTONES: usize = 65_536;

/// A message and the slot that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    slot: u32,
    sent: Sent,
}

/// What became of a key that is no longer awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tombstone {
    Answered,
    GivenUp(Sent),
}

/// What a received key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The reply to a message of this slot.
    Answer(Sent),
    /// The reply to a message that had been given up.
    Late(Sent),
    /// A second reply, or a message that its sender has had its reply to.
    Duplicate,
    /// A message of another slot, still awaited there: somebody sends it on to many.
    Elsewhere,
    /// A key that was never sent, or long ago.
    Unknown,
}

/// Messages of all connections of a shard, by key. A key is one message of a connection: sent again, it is awaited anew.
#[derive(Debug, Default)]
pub struct KeyedInFlight {
    pending: HashMap<u64, Pending>,
    /// Where connections number their own messages: those with a key that is in `pending` for another slot.
    shared: HashMap<(u64, u32), Sent>,
    /// Keys of each slot, oldest first; those that are no longer awaited are skipped.
    by_slot: InFlight<u64>,
    /// Time, key and slot in the order of their sends, which is that of their time-outs; what is answered is skipped.
    by_age: VecDeque<(u64, u64, u32)>,
    tombstones: HashMap<u64, Tombstone>,
    /// Oldest first: makes room.
    buried: VecDeque<u64>,
}

impl KeyedInFlight {
    /// A message went out. Gives back one of this slot with the same key that was still awaited: nothing can tell their
    /// replies apart any more.
    pub fn push(&mut self, queue: &mut Queue, key: u64, slot: u32, sent: Sent) -> Option<Sent> {
        self.trim(queue, slot);
        self.by_slot.push(queue, key);
        self.by_age.push_back((sent.sent_ns, key, slot));
        match self.pending.entry(key) {
            Entry::Occupied(mut of) if of.get().slot == slot => Some(of.insert(Pending { slot, sent }).sent),
            Entry::Occupied(_) => self.shared.insert((key, slot), sent),
            Entry::Vacant(place) => {
                place.insert(Pending { slot, sent });
                self.take_shared(key, slot)
            }
        }
    }

    /// A message with this key came in on a connection of `slot`.
    pub fn received(&mut self, queue: &mut Queue, key: u64, slot: u32) -> Received {
        if let Some(sent) = self.take(key, slot) {
            self.bury(key, Tombstone::Answered);
            self.trim(queue, slot);
            return Received::Answer(sent);
        }
        if self.pending.contains_key(&key) {
            return Received::Elsewhere;
        }
        match self.tombstones.get_mut(&key) {
            Some(tombstone @ Tombstone::GivenUp(_)) => {
                let Tombstone::GivenUp(sent) = std::mem::replace(tombstone, Tombstone::Answered) else {
                    return Received::Duplicate;
                };
                Received::Late(sent)
            }
            Some(Tombstone::Answered) => Received::Duplicate,
            None => Received::Unknown,
        }
    }

    /// Gives up what was sent before `before_ns`, oldest first: slot and message.
    pub fn expire(&mut self, before_ns: u64, mut each: impl FnMut(u32, Sent)) {
        while let Some((sent_ns, key, slot)) = self.by_age.front().copied() {
            let awaited = self.awaited(key, slot).is_some_and(|sent| sent.sent_ns == sent_ns);
            if awaited && sent_ns >= before_ns {
                return;
            }
            self.by_age.pop_front();
            if awaited && let Some(sent) = self.take(key, slot) {
                self.bury(key, Tombstone::GivenUp(sent));
                each(slot, sent);
            }
        }
    }

    /// Gives up all that a slot awaits: its connection is gone.
    pub fn give_up(&mut self, queue: &mut Queue, slot: u32, mut each: impl FnMut(Sent)) {
        while let Some(key) = self.by_slot.pop(queue) {
            if let Some(sent) = self.take(key, slot) {
                self.bury(key, Tombstone::GivenUp(sent));
                each(sent);
            }
        }
    }

    /// Forgets keys at the front of a slot's queue that are no longer awaited.
    fn trim(&mut self, queue: &mut Queue, slot: u32) {
        while self.by_slot.oldest(queue).is_some_and(|key| self.awaited(key, slot).is_none()) {
            self.by_slot.pop(queue);
        }
    }

    #[inline]
    fn awaited(&self, key: u64, slot: u32) -> Option<&Sent> {
        match self.pending.get(&key) {
            Some(pending) if pending.slot == slot => Some(&pending.sent),
            _ if self.shared.is_empty() => None,
            _ => self.shared.get(&(key, slot)),
        }
    }

    #[inline]
    fn take(&mut self, key: u64, slot: u32) -> Option<Sent> {
        match self.pending.get(&key) {
            Some(pending) if pending.slot == slot => self.pending.remove(&key).map(|pending| pending.sent),
            _ => self.take_shared(key, slot),
        }
    }

    fn take_shared(&mut self, key: u64, slot: u32) -> Option<Sent> {
        if self.shared.is_empty() { None } else { self.shared.remove(&(key, slot)) }
    }

    /// The send that has waited longest.
    pub fn oldest_ns(&mut self) -> Option<u64> {
        while let Some((sent_ns, key, slot)) = self.by_age.front().copied() {
            if self.awaited(key, slot).is_some_and(|sent| sent.sent_ns == sent_ns) {
                return Some(sent_ns);
            }
            self.by_age.pop_front();
        }
        None
    }

    /// Messages awaiting their reply.
    pub fn len(&self) -> usize {
        self.pending.len() + self.shared.len()
    }

    /// Whether no reply is awaited.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.shared.is_empty()
    }

    fn bury(&mut self, key: u64, tombstone: Tombstone) {
        if self.tombstones.insert(key, tombstone).is_none() {
            self.buried.push_back(key);
        }
        if self.buried.len() > TOMBSTONES
            && let Some(oldest) = self.buried.pop_front()
        {
            self.tombstones.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(at_ns: u64) -> Sent {
        Sent { intended_ns: at_ns, sent_ns: at_ns, warmup: false, name: 0 }
    }

    #[test]
    fn replies_find_their_message_in_any_order() {
        let (mut keyed, mut queue) = (KeyedInFlight::default(), Queue::default());
        for (key, at_ns) in [(7, 100), (8, 200), (9, 300)] {
            assert_eq!(keyed.push(&mut queue, key, 1, sent(at_ns)), None);
        }
        assert_eq!(keyed.received(&mut queue, 9, 1), Received::Answer(sent(300)));
        assert_eq!(keyed.received(&mut queue, 7, 1), Received::Answer(sent(100)));
        assert_eq!((keyed.len(), keyed.oldest_ns()), (1, Some(200)));
    }

    #[test]
    fn lost_late_duplicate_and_forwarded_messages_are_told_apart() {
        let (mut keyed, mut queue) = (KeyedInFlight::default(), Queue::default());
        keyed.push(&mut queue, 7, 1, sent(100));
        keyed.push(&mut queue, 8, 1, sent(200));
        assert_eq!(keyed.received(&mut queue, 7, 2), Received::Elsewhere);
        assert_eq!(keyed.received(&mut queue, 7, 1), Received::Answer(sent(100)));
        assert_eq!(keyed.received(&mut queue, 7, 1), Received::Duplicate);
        let mut lost = Vec::new();
        keyed.expire(150, |slot, sent| lost.push((slot, sent)));
        assert_eq!(lost, []);
        keyed.expire(201, |slot, sent| lost.push((slot, sent)));
        assert_eq!(lost, [(1, sent(200))]);
        assert_eq!(keyed.received(&mut queue, 8, 1), Received::Late(sent(200)));
        assert_eq!(keyed.received(&mut queue, 8, 1), Received::Duplicate);
        assert_eq!(keyed.received(&mut queue, 99, 1), Received::Unknown);
        assert!(keyed.is_empty() && keyed.oldest_ns().is_none());
    }

    #[test]
    fn a_key_that_is_sent_again_is_awaited_anew() {
        let (mut keyed, mut queue) = (KeyedInFlight::default(), Queue::default());
        keyed.push(&mut queue, 7, 1, sent(100));
        assert_eq!(keyed.push(&mut queue, 7, 1, sent(200)), Some(sent(100)));
        // The entry of the first send does not expire the second.
        keyed.expire(150, |_, _| panic!("nothing is overdue"));
        assert_eq!(keyed.received(&mut queue, 7, 1), Received::Answer(sent(200)));
    }

    #[test]
    fn connections_that_number_their_own_messages_keep_apart() {
        let (mut keyed, mut queues) = (KeyedInFlight::default(), [(); 3].map(|()| Queue::default()));
        for round in 0..4 {
            for (queue, slot) in queues.iter_mut().zip(0..) {
                for key in 0..5 {
                    assert_eq!(keyed.push(queue, key, slot, sent(round * 1000 + u64::from(slot))), None);
                }
            }
            assert_eq!(keyed.len(), 15);
            // Answered from either end, so that those who came second outlive those who came first.
            for slot in if round % 2 == 0 { [0_u32, 1, 2] } else { [2, 1, 0] } {
                for key in 0..5 {
                    let answer = Received::Answer(sent(round * 1000 + u64::from(slot)));
                    assert_eq!(keyed.received(&mut queues[slot as usize], key, slot), answer);
                }
            }
            assert!(keyed.is_empty() && keyed.shared.is_empty());
        }
        keyed.push(&mut queues[0], 7, 0, sent(10));
        keyed.push(&mut queues[1], 7, 1, sent(20));
        assert_eq!(keyed.received(&mut queues[2], 7, 2), Received::Elsewhere);
        // Sent again by the second while the first's place is free: the one that waits is told to be lost.
        assert_eq!(keyed.received(&mut queues[0], 7, 0), Received::Answer(sent(10)));
        assert_eq!(keyed.push(&mut queues[1], 7, 1, sent(30)), Some(sent(20)));
        keyed.push(&mut queues[0], 7, 0, sent(40));
        let mut lost = Vec::new();
        keyed.expire(35, |slot, sent| lost.push((slot, sent)));
        assert_eq!((lost, keyed.oldest_ns()), (vec![(1, sent(30))], Some(40)));
        keyed.give_up(&mut queues[0], 0, |_| ());
        assert!(keyed.is_empty() && keyed.oldest_ns().is_none());
    }

    #[test]
    fn memory_is_bounded_by_what_is_in_flight_and_the_tombstones() {
        let (mut keyed, mut queue) = (KeyedInFlight::default(), Queue::default());
        for key in 0..200_000_u64 {
            keyed.push(&mut queue, key, 0, sent(key));
            assert_eq!(keyed.received(&mut queue, key, 0), Received::Answer(sent(key)));
            keyed.expire(key.saturating_sub(10), |_, _| panic!("all are answered"));
        }
        assert!(keyed.tombstones.len() <= TOMBSTONES && keyed.by_age.len() < 20);
        assert_eq!(keyed.received(&mut queue, 0, 0), Received::Unknown);
    }

    #[test]
    fn what_a_lost_connection_awaited_is_given_up_and_the_rest_stays() {
        let (mut keyed, mut queue, mut other) = (KeyedInFlight::default(), Queue::default(), Queue::default());
        for (key, at_ns) in [(7, 100), (8, 200), (9, 300)] {
            keyed.push(&mut queue, key, 1, sent(at_ns));
        }
        keyed.push(&mut other, 10, 2, sent(400));
        assert_eq!(keyed.received(&mut queue, 8, 1), Received::Answer(sent(200)));
        let mut lost = Vec::new();
        keyed.give_up(&mut queue, 1, |sent| lost.push(sent.sent_ns));
        assert_eq!((lost, keyed.len(), queue.is_empty()), (vec![100, 300], 1, true));
        assert_eq!(keyed.received(&mut queue, 9, 1), Received::Late(sent(300)));
        assert_eq!(keyed.received(&mut other, 10, 2), Received::Answer(sent(400)));
        assert!(other.is_empty());
    }
}
