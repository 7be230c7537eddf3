//! A calendar of due instants: a hashed timing wheel (Varghese and Lauck, 1987) with intrusive lists.
//!
//! Each id (a slot of the shard) is in the calendar at most once, and costs 16 bytes whether it is or not. Inserting,
//! removing and popping take constant time; the next instant is found through a bitmap of the wheel's buckets.

/// Buckets of the wheel; entries further away than this many ticks wait for a later turn.
const BUCKETS: usize = 4096;
const MASK: u64 = BUCKETS as u64 - 1;
const NIL: u32 = u32::MAX;
/// `prev` of an id that is not in the calendar.
const ABSENT: u32 = u32::MAX - 1;

#[derive(Debug, Clone, Copy)]
struct Entry {
    tick: u64,
    next: u32,
    prev: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    head: u32,
    tail: u32,
    /// No entry of the bucket is earlier than this tick.
    min_tick: u64,
}

const EMPTY: Bucket = Bucket { head: NIL, tail: NIL, min_tick: u64::MAX };

/// Due instants of up to `ids` ids, on ticks.
#[derive(Debug)]
pub struct Calendar {
    tick_ns: u64,
    phase_ns: u64,
    entries: Vec<Entry>,
    buckets: Box<[Bucket]>,
    occupied: [u64; BUCKETS / 64],
    len: usize,
    /// The earliest tick that can hold an entry: all earlier ones have been popped.
    cursor: u64,
    /// Where popping goes on within the cursor's bucket; `NIL` once nothing of this tick is left there.
    scan: u32,
}

impl Calendar {
    /// A calendar whose ticks lie at `phase_ns` plus multiples of `tick_ns`.
    pub fn new(tick_ns: u64, phase_ns: u64, ids: u32) -> Self {
        Self {
            tick_ns,
            phase_ns,
            entries: vec![Entry { tick: 0, next: NIL, prev: ABSENT }; ids as usize],
            buckets: vec![EMPTY; BUCKETS].into_boxed_slice(),
            occupied: [0; BUCKETS / 64],
            len: 0,
            cursor: 0,
            scan: NIL,
        }
    }

    /// Ids in the calendar.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is due ever.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `id` is in the calendar.
    #[inline]
    pub fn contains(&self, id: u32) -> bool {
        self.entries[id as usize].prev != ABSENT
    }

    /// Enters `id` at the first tick not before `at_ns`; what lies in the past is due at once.
    ///
    /// # Panics
    /// When the id is in the calendar already.
    #[inline]
    pub fn insert(&mut self, id: u32, at_ns: u64) {
        assert!(!self.contains(id), "id {id} is in the calendar already");
        let tick = at_ns.saturating_sub(self.phase_ns).div_ceil(self.tick_ns).max(self.cursor);
        let index = (tick & MASK) as usize;
        let bucket = &mut self.buckets[index];
        self.entries[id as usize] = Entry { tick, next: NIL, prev: bucket.tail };
        match bucket.tail {
            NIL => bucket.head = id,
            tail => self.entries[tail as usize].next = id,
        }
        bucket.tail = id;
        bucket.min_tick = bucket.min_tick.min(tick);
        self.occupied[index / 64] |= 1 << (index % 64);
        self.len += 1;
        if tick == self.cursor && self.scan == NIL {
            self.scan = id;
        }
    }

    /// Takes `id` out; nothing happens when it is not in.
    #[inline]
    pub fn remove(&mut self, id: u32) {
        let entry = self.entries[id as usize];
        if entry.prev == ABSENT {
            return;
        }
        if self.scan == id {
            self.scan = entry.next;
        }
        let index = (entry.tick & MASK) as usize;
        let bucket = &mut self.buckets[index];
        match entry.prev {
            NIL => bucket.head = entry.next,
            prev => self.entries[prev as usize].next = entry.next,
        }
        match entry.next {
            NIL => bucket.tail = entry.prev,
            next => self.entries[next as usize].prev = entry.prev,
        }
        if bucket.head == NIL {
            *bucket = EMPTY;
            self.occupied[index / 64] &= !(1 << (index % 64));
        }
        self.entries[id as usize].prev = ABSENT;
        self.len -= 1;
    }

    /// Takes the next id whose tick is not after `now_ns`, in order of ticks.
    #[inline]
    pub fn pop(&mut self, now_ns: u64) -> Option<u32> {
        let now = now_ns.checked_sub(self.phase_ns)? / self.tick_ns;
        loop {
            while self.scan != NIL && self.cursor <= now {
                let id = self.scan;
                let Entry { tick, next, .. } = self.entries[id as usize];
                self.scan = next;
                if tick == self.cursor {
                    self.remove(id);
                    return Some(id);
                }
            }
            // The cursor's bucket has been searched: what it still holds belongs to later turns.
            self.refresh_minimum();
            if self.cursor >= now {
                return None;
            }
            self.advance(now);
        }
    }

    /// The earliest tick that may hold an entry, ns. Never later than the truth; earlier only after removals.
    #[inline]
    pub fn next_ns(&self) -> Option<u64> {
        self.next_tick().map(|tick| tick * self.tick_ns + self.phase_ns)
    }

    /// Moves the cursor to the next tick that may hold an entry, at most to `now`.
    fn advance(&mut self, now: u64) {
        self.cursor = self.next_tick().map_or(now, |tick| tick.min(now)).max(self.cursor);
        self.scan = self.buckets[(self.cursor & MASK) as usize].head;
        if self.scan != NIL && self.buckets[(self.cursor & MASK) as usize].min_tick > self.cursor {
            self.scan = NIL;
        }
    }

    /// Makes the lower bound of the cursor's bucket exact, so that entries of a later turn cause no early wake-up.
    fn refresh_minimum(&mut self) {
        let index = (self.cursor & MASK) as usize;
        if self.buckets[index].min_tick > self.cursor {
            return;
        }
        let mut min_tick = u64::MAX;
        let mut id = self.buckets[index].head;
        while id != NIL {
            let entry = self.entries[id as usize];
            min_tick = min_tick.min(entry.tick);
            id = entry.next;
        }
        self.buckets[index].min_tick = min_tick;
    }

    fn next_tick(&self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        if self.scan != NIL {
            return Some(self.cursor);
        }
        let start = (self.cursor & MASK) as usize;
        let mut earliest = u64::MAX;
        // All words once, beginning with the cursor's, whose lower bits come last.
        for step in 0..=self.occupied.len() {
            let word_index = (start / 64 + step) % self.occupied.len();
            let mut word = self.occupied[word_index];
            if step == 0 {
                word &= u64::MAX << (start % 64);
            } else if step == self.occupied.len() {
                word &= !(u64::MAX << (start % 64));
            }
            while word != 0 {
                let index = word_index * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                let min_tick = self.buckets[index].min_tick;
                earliest = earliest.min(min_tick);
                // Buckets come in the order of this turn's ticks: one of this turn is the earliest.
                if min_tick <= self.cursor + ((index as u64).wrapping_sub(start as u64) & MASK) {
                    return Some(earliest.max(self.cursor));
                }
            }
        }
        Some(earliest.max(self.cursor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn pop_all(calendar: &mut Calendar, now_ns: u64) -> Vec<u32> {
        std::iter::from_fn(|| calendar.pop(now_ns)).collect()
    }

    #[test]
    fn ids_come_out_in_order_of_their_ticks_and_not_before() {
        let mut calendar = Calendar::new(100, 0, 4);
        calendar.insert(0, 250);
        calendar.insert(1, 200);
        calendar.insert(2, 201);
        assert_eq!(calendar.next_ns(), Some(200));
        assert_eq!(pop_all(&mut calendar, 199), [0_u32; 0]);
        assert_eq!(pop_all(&mut calendar, 299), [1]);
        assert_eq!(calendar.next_ns(), Some(300));
        assert_eq!(pop_all(&mut calendar, 300), [0, 2]);
        assert_eq!((calendar.next_ns(), calendar.len()), (None, 0));
    }

    #[test]
    fn the_phase_shifts_the_ticks() {
        let mut calendar = Calendar::new(100, 30, 1);
        calendar.insert(0, 131);
        assert_eq!(calendar.next_ns(), Some(230));
        assert_eq!(pop_all(&mut calendar, 229), [0_u32; 0]);
        assert_eq!(pop_all(&mut calendar, 230), [0]);
    }

    #[test]
    fn the_past_is_due_at_once() {
        let mut calendar = Calendar::new(100, 0, 2);
        assert_eq!(calendar.pop(1_000_000), None);
        calendar.insert(0, 5);
        assert!(calendar.next_ns().unwrap() <= 1_000_000);
        assert_eq!(calendar.pop(1_000_000), Some(0));
    }

    #[test]
    fn an_entry_many_turns_away_causes_no_early_wake_up() {
        let mut calendar = Calendar::new(250_000, 0, 2);
        // A machine that has been up for 40 days, an entry an hour away, another due now and then.
        let now = 40 * 86_400 * 1_000_000_000_u64;
        assert_eq!(calendar.pop(now), None);
        calendar.insert(0, now + 3_600_000_000_000);
        assert_eq!(calendar.next_ns(), Some(now + 3_600_000_000_000));
        for second in 1..100 {
            calendar.insert(1, now + second * 1_000_000_000);
            assert_eq!(calendar.next_ns(), Some(now + second * 1_000_000_000));
            assert_eq!(pop_all(&mut calendar, now + second * 1_000_000_000), [1]);
            assert_eq!(calendar.next_ns(), Some(now + 3_600_000_000_000));
        }
        assert_eq!(pop_all(&mut calendar, now + 3_600_000_000_000), [0]);
    }

    #[test]
    #[should_panic(expected = "in the calendar already")]
    fn an_id_cannot_be_entered_twice() {
        let mut calendar = Calendar::new(100, 0, 1);
        calendar.insert(0, 1);
        calendar.insert(0, 2);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert { id: u32, ahead: u64 },
        Remove(u32),
        Advance(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Distances within a bucket, within a turn (4096 * 10 ns) and over many turns.
        let distance = prop_oneof![0_u64..30, 0_u64..40_000, 0_u64..1_000_000];
        prop_oneof![
            3 => (0_u32..12, distance.clone()).prop_map(|(id, ahead)| Step::Insert { id, ahead }),
            1 => (0_u32..12).prop_map(Step::Remove),
            2 => distance.prop_map(Step::Advance),
        ]
    }

    proptest! {
        #[test]
        fn the_wheel_agrees_with_a_sorted_set(steps in proptest::collection::vec(step(), 0..300), phase in 0_u64..10) {
            const TICK: u64 = 10;
            let mut calendar = Calendar::new(TICK, phase, 12);
            let mut model: BTreeSet<(u64, u32)> = BTreeSet::new();
            let mut now = 0;
            for step in steps {
                match step {
                    Step::Insert { id, ahead } => if !calendar.contains(id) {
                        let at = now + ahead;
                        calendar.insert(id, at);
                        model.insert((at.saturating_sub(phase).div_ceil(TICK) * TICK + phase, id));
                    },
                    Step::Remove(id) => {
                        calendar.remove(id);
                        model.retain(|entry| entry.1 != id);
                    }
                    Step::Advance(by) => {
                        now += by;
                        let mut popped = Vec::new();
                        let mut last = 0;
                        while let Some(id) = calendar.pop(now) {
                            let entry = *model.iter().find(|entry| entry.1 == id).unwrap();
                            prop_assert!(entry.0 <= now, "early");
                            prop_assert!(entry.0 >= last, "out of order");
                            last = entry.0;
                            model.remove(&entry);
                            popped.push(id);
                        }
                        prop_assert!(model.first().is_none_or(|entry| entry.0 > now), "late");
                    }
                }
                prop_assert_eq!(calendar.len(), model.len());
                match (calendar.next_ns(), model.first()) {
                    (Some(next), Some(entry)) => prop_assert!(next <= entry.0.max(now)),
                    (next, entry) => prop_assert_eq!(next.is_none(), entry.is_none()),
                }
            }
        }
    }
}
