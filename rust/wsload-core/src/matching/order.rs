//! Messages awaiting a reply, in the order in which they were sent.
//!
//! One store serves all connections of a shard. A connection holds a [`Queue`] of twelve bytes and owns memory only
//! through the messages it has in flight; under steady load nothing is allocated.

use super::Sent;

const NIL: u32 = u32::MAX;

/// The messages of one connection, oldest first. Belongs to the [`InFlight`] it was first used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    head: u32,
    tail: u32,
    len: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NIL, tail: NIL, len: 0 }
    }
}

impl Queue {
    /// Messages in it.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no reply is awaited.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[derive(Debug, Clone, Copy)]
struct Node<T> {
    value: T,
    next: u32,
}

/// The messages of all connections, or whatever stands for them.
#[derive(Debug)]
pub struct InFlight<T = Sent> {
    nodes: Vec<Node<T>>,
    free: u32,
    len: usize,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: NIL, len: 0 }
    }
}

impl<T: Copy> InFlight<T> {
    /// Adds the newest message of a connection.
    ///
    /// # Panics
    /// With more than 2^32 - 1 messages in flight.
    #[inline]
    pub fn push(&mut self, queue: &mut Queue, value: T) {
        let node = Node { value, next: NIL };
        let id = if self.free == NIL {
            assert!(self.nodes.len() < NIL as usize, "too many messages in flight");
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let id = self.free;
            self.free = std::mem::replace(&mut self.nodes[id as usize], node).next;
            id
        };
        if queue.tail == NIL {
            queue.head = id;
        } else {
            self.nodes[queue.tail as usize].next = id;
        }
        queue.tail = id;
        queue.len += 1;
        self.len += 1;
    }

    /// Takes the oldest message of a connection.
    #[inline]
    pub fn pop(&mut self, queue: &mut Queue) -> Option<T> {
        let id = queue.head;
        if id == NIL {
            return None;
        }
        let node = &mut self.nodes[id as usize];
        queue.head = std::mem::replace(&mut node.next, self.free);
        if queue.head == NIL {
            queue.tail = NIL;
        }
        self.free = id;
        queue.len -= 1;
        self.len -= 1;
        Some(node.value)
    }

    /// The oldest message of a connection.
    #[inline]
    pub fn oldest(&self, queue: &Queue) -> Option<T> {
        (queue.head != NIL).then(|| self.nodes[queue.head as usize].value)
    }

    /// Takes all messages of a connection, oldest first.
    pub fn drain(&mut self, queue: &mut Queue, mut each: impl FnMut(T)) {
        while let Some(sent) = self.pop(queue) {
            each(sent);
        }
    }

    /// Messages in flight on all connections.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn sent(at: u64) -> Sent {
        Sent { intended_ns: at, sent_ns: at + 1, warmup: false, name: 0 }
    }

    #[test]
    fn replies_meet_their_sends_in_order_on_each_connection() {
        let mut store = InFlight::default();
        let (mut a, mut b) = (Queue::default(), Queue::default());
        store.push(&mut a, sent(1));
        store.push(&mut b, sent(2));
        store.push(&mut a, sent(3));
        assert_eq!((a.len(), b.len(), store.len()), (2, 1, 3));
        assert_eq!(store.oldest(&a), Some(sent(1)));
        assert_eq!((store.pop(&mut a), store.pop(&mut a), store.pop(&mut a)), (Some(sent(1)), Some(sent(3)), None));
        assert_eq!(store.pop(&mut b), Some(sent(2)));
        assert!(store.is_empty() && a.is_empty() && b.is_empty());
    }

    #[test]
    fn steady_load_allocates_nothing() {
        let mut store = InFlight::default();
        let mut queues = vec![Queue::default(); 10];
        for round in 0..1_000 {
            for queue in &mut queues {
                store.push(queue, sent(round));
            }
            for queue in &mut queues {
                store.pop(queue);
            }
        }
        assert_eq!(store.nodes.len(), 10);
    }

    #[test]
    fn the_store_grows_to_the_most_ever_in_flight_and_no_further() {
        let mut store = InFlight::default();
        let mut queues = vec![Queue::default(); 50];
        for round in 0..200_u64 {
            // Connections take turns at having 16 in flight; one ends with all of them unanswered.
            let which = (round % 50) as usize;
            (0..16).for_each(|at| store.push(&mut queues[which], sent(round + at)));
            if round % 7 == 0 {
                store.drain(&mut queues[which], |_| {});
            }
            while store.pop(&mut queues[which]).is_some() {}
        }
        assert_eq!((store.nodes.len(), store.len()), (16, 0));
    }

    #[test]
    fn a_connection_owns_twelve_bytes() {
        assert_eq!(size_of::<Queue>(), 12);
    }

    proptest! {
        #[test]
        fn the_store_behaves_like_one_deque_per_connection(
            steps in proptest::collection::vec((0_usize..4, 0_u8..10), 0..400),
        ) {
            let mut store = InFlight::default();
            let mut queues = [Queue::default(); 4];
            let mut model = vec![VecDeque::new(); 4];
            for (step, (which, action)) in steps.into_iter().enumerate() {
                let (queue, twin) = (&mut queues[which], &mut model[which]);
                match action {
                    0..6 => {
                        store.push(queue, sent(step as u64));
                        twin.push_back(sent(step as u64));
                    }
                    6..9 => prop_assert_eq!(store.pop(queue), twin.pop_front()),
                    _ => {
                        let mut drained = Vec::new();
                        store.drain(queue, |sent| drained.push(sent));
                        prop_assert_eq!(drained, twin.drain(..).collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(store.oldest(queue), twin.front().copied());
                prop_assert_eq!(store.len(), model.iter().map(VecDeque::len).sum::<usize>());
            }
        }
    }
}
