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
/// Later than any tick.
const NEVER: u64 = u64::MAX;

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

const EMPTY: Bucket = Bucket { head: NIL, tail: NIL, min_tick: NEVER };

/// Due instants of up to `ids` ids, on ticks.
#[derive(Debug)]
pub struct Calendar {
    tick_ns: u64,
    phase_ns: u64,
    entries: Vec<Entry>,
    buckets: Box<[Bucket]>,
    occupied: [u64; BUCKETS / 64],
    len: usize,
    /// The tick that was popped last: what is entered for an earlier one goes there.
    cursor: u64,
    /// No entry is earlier than this tick; [`NEVER`] when there is none.
    earliest: u64,
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
            earliest: NEVER,
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
        self.earliest = self.earliest.min(tick);
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
        if self.len == 0 {
            self.earliest = NEVER;
        }
    }

    /// Takes the next id whose tick is not after `now_ns`, in order of ticks.
    #[inline]
    pub fn pop(&mut self, now_ns: u64) -> Option<u32> {
        let now = now_ns.checked_sub(self.phase_ns)? / self.tick_ns;
        while self.len > 0 && self.earliest <= now {
            if self.cursor < self.earliest {
                self.cursor = self.earliest;
                self.scan = self.buckets[(self.cursor & MASK) as usize].head;
            }
            while self.scan != NIL {
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
            self.earliest = self.next_tick();
        }
        None
    }

    /// The earliest tick that may hold an entry, ns. Never later than the truth; earlier only after removals.
    #[inline]
    pub fn next_ns(&self) -> Option<u64> {
        (self.len > 0).then(|| self.earliest.saturating_mul(self.tick_ns).saturating_add(self.phase_ns))
    }

    /// Makes the lower bound of the cursor's bucket exact, so that entries of a later turn cause no early wake-up.
    fn refresh_minimum(&mut self) {
        let index = (self.cursor & MASK) as usize;
        if self.buckets[index].min_tick > self.cursor {
            return;
        }
        let mut min_tick = NEVER;
        let mut id = self.buckets[index].head;
        while id != NIL {
            let entry = self.entries[id as usize];
            min_tick = min_tick.min(entry.tick);
            id = entry.next;
        }
        self.buckets[index].min_tick = min_tick;
    }

    /// The earliest tick after the cursor's that may hold an entry.
    fn next_tick(&self) -> u64 {
        let start = (self.cursor & MASK) as usize;
        let mut earliest = NEVER;
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
                    return earliest;
                }
            }
        }
        earliest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

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

    #[test]
    fn an_id_taken_out_while_its_tick_is_served_does_not_come_and_the_rest_does() {
        let mut calendar = Calendar::new(100, 0, 4);
        (0..4).for_each(|id| calendar.insert(id, 500));
        assert_eq!(calendar.pop(500), Some(0));
        calendar.remove(1);
        calendar.insert(0, 500);
        assert_eq!(pop_all(&mut calendar, 500), [2, 3, 0]);
    }

    #[test]
    fn a_removed_entry_costs_one_early_wake_up_at_most() {
        let mut calendar = Calendar::new(100, 0, 3);
        // 409,600 ns are one turn: 0 and 1 share a bucket.
        calendar.insert(0, 1_000);
        calendar.insert(1, 410_600);
        calendar.remove(0);
        assert_eq!(calendar.next_ns(), Some(1_000));
        assert_eq!(calendar.pop(1_000), None);
        assert_eq!(calendar.next_ns(), Some(410_600));
    }

    #[test]
    fn without_removals_each_wake_up_finds_something_however_far_apart_the_entries_lie() {
        // 200 ids within an hour of 250 us ticks, which are 3,516 turns.
        const HOUR_NS: u64 = 3_600_000_000_000;
        let mut calendar = Calendar::new(250_000, 0, 200);
        for id in 0..200_u32 {
            calendar.insert(id, u64::from(id + 1) * 999_999_937 * 7_919 % HOUR_NS);
        }
        let mut seen = 0;
        while let Some(next_ns) = calendar.next_ns() {
            assert_eq!(calendar.pop(next_ns - 1), None);
            let popped = pop_all(&mut calendar, next_ns);
            assert!(!popped.is_empty(), "nothing at {next_ns}");
            seen += popped.len();
        }
        assert_eq!(seen, 200);
    }

    #[test]
    fn the_end_of_time_can_be_entered() {
        let mut calendar = Calendar::new(250_000, 100, 1);
        calendar.insert(0, u64::MAX);
        assert_eq!(calendar.next_ns(), Some(u64::MAX));
        assert_eq!(calendar.pop(1 << 62), None);
        assert_eq!(calendar.len(), 1);
    }

    const TICK: u64 = 10;
    const IDS: u32 = 12;

    /// `Advance`: time passes and at most so many ids are popped.
    #[derive(Debug, Clone)]
    enum Step {
        Insert { id: u32, ahead: u64 },
        InsertPast { id: u32, behind: u64 },
        Remove(u32),
        Advance { by: u64, at_most: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        // Distances within a tick, within a turn (4096 * 10 ns), of whole turns and over many.
        let distance =
            || prop_oneof![0_u64..30, 0_u64..40_000, (0_u64..5).prop_map(|turns| turns * 40_960), 0_u64..1_000_000];
        prop_oneof![
            4 => (0..IDS, distance()).prop_map(|(id, ahead)| Step::Insert { id, ahead }),
            1 => (0..IDS, distance()).prop_map(|(id, behind)| Step::InsertPast { id, behind }),
            1 => (0..IDS).prop_map(Step::Remove),
            3 => (distance(), prop_oneof![0_usize..3, Just(usize::MAX)])
                .prop_map(|(by, at_most)| Step::Advance { by, at_most }),
        ]
    }

    /// What the calendar should hold, by brute force.
    #[derive(Default)]
    struct Model {
        now: u64,
        /// Id to instant of its tick, and whether that was over when it was entered.
        entries: BTreeMap<u32, (u64, bool)>,
        removed: BTreeSet<u64>,
    }

    impl Model {
        fn first(&self) -> Option<u64> {
            self.entries.values().map(|(tick, _)| *tick).min()
        }

        fn insert(&mut self, calendar: &mut Calendar, id: u32, at: u64, phase: u64) {
            if !calendar.contains(id) {
                calendar.insert(id, at);
                let tick = at.saturating_sub(phase).div_ceil(TICK) * TICK + phase;
                self.entries.insert(id, (tick, tick <= self.now));
            }
        }

        fn popped(&mut self, id: u32) {
            let (tick, past) = self.entries.remove(&id).expect("it was entered");
            assert!(tick <= self.now, "early");
            // What was over when it was entered is due at once, in no particular order.
            let first = self.entries.values().filter(|(_, past)| !past).map(|(tick, _)| *tick).min();
            assert!(past || first.is_none_or(|first| first >= tick), "out of order");
        }

        fn check_next(&self, calendar: &Calendar) {
            assert_eq!(calendar.len(), self.entries.len());
            let (next, first) = (calendar.next_ns(), self.first());
            assert_eq!(next.is_none(), first.is_none());
            if let (Some(next), Some(first)) = (next, first) {
                assert!(next <= first.max(self.now), "late: {next} instead of {first}");
                assert!(next >= first || next <= self.now || self.removed.contains(&next), "early: {next} for {first}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_wheel_agrees_with_a_search_of_all_entries(
            steps in proptest::collection::vec(step(), 0..300),
            phase in 0..TICK,
        ) {
            let mut calendar = Calendar::new(TICK, phase, IDS);
            let mut model = Model::default();
            let all = Step::Advance { by: 2_000_000, at_most: usize::MAX };
            for step in steps.into_iter().chain([all]) {
                match step {
                    Step::Insert { id, ahead } => model.insert(&mut calendar, id, model.now + ahead, phase),
                    Step::InsertPast { id, behind } => {
                        model.insert(&mut calendar, id, model.now.saturating_sub(behind), phase);
                    }
                    Step::Remove(id) => {
                        calendar.remove(id);
                        model.removed.extend(model.entries.remove(&id).map(|(tick, _)| tick));
                    }
                    Step::Advance { by, at_most } => {
                        model.now += by;
                        let now = model.now;
                        std::iter::from_fn(|| calendar.pop(now)).take(at_most).for_each(|id| model.popped(id));
                        if at_most == usize::MAX {
                            prop_assert!(model.first().is_none_or(|first| first > now), "late");
                            prop_assert!(calendar.next_ns().is_none_or(|next| next > now), "no rest");
                        }
                    }
                }
                model.check_next(&calendar);
                prop_assert!((0..IDS).all(|id| calendar.contains(id) == model.entries.contains_key(&id)));
            }
            prop_assert!(calendar.is_empty());
        }
    }
}
