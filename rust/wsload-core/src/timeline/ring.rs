//! A bounded ring of events. A connection finds its own by links back: it holds the offset of its last one.

use super::event::{HEAD_BYTES, Head};

/// Offset that stands for no event.
pub(super) const NOWHERE: u64 = u64::MAX;
const LINK_BYTES: usize = 8;

/// Events of all connections of a shard, the newest overwriting the oldest. Offsets only grow; a record lies in one
/// piece.
#[derive(Debug)]
pub(super) struct Ring {
    bytes: Box<[u8]>,
    /// Offset of the next record.
    head: u64,
}

impl Ring {
    /// A ring of at least `size` bytes, which must be a few times the longest event. It is a power of two: a place is
    /// found without a division.
    pub(super) fn new(size: usize) -> Self {
        Self { bytes: vec![0; size.next_power_of_two()].into_boxed_slice(), head: 0 }
    }

    /// Writes an event linked to the one at `before`; its offset.
    #[inline]
    pub(super) fn push(&mut self, before: u64, head: &Head, payload: &[u8]) -> u64 {
        let size = self.bytes.len() as u64;
        let len = (LINK_BYTES + HEAD_BYTES + payload.len()) as u64;
        let to_end = size - (self.head & (size - 1));
        if to_end < len {
            // Records are only reached by links: what is left of the end is skipped.
            self.head += to_end;
        }
        let offset = self.head;
        let start = (offset & (size - 1)) as usize;
        let record = &mut self.bytes[start..start + len as usize];
        let (link, rest) = record.split_at_mut(LINK_BYTES);
        link.copy_from_slice(&before.to_le_bytes());
        head.write(payload, rest);
        self.head += len;
        offset
    }

    /// The event at `offset` and the link to the one before it; `None` once it has been overwritten.
    pub(super) fn at(&self, offset: u64) -> Option<(u64, Head, &[u8])> {
        let size = self.bytes.len() as u64;
        if offset == NOWHERE || offset + size < self.head {
            return None;
        }
        let start = (offset & (size - 1)) as usize;
        let (link, rest) = self.bytes.get(start..)?.split_first_chunk::<LINK_BYTES>()?;
        let (head, payload) = Head::read(rest)?;
        Some((u64::from_le_bytes(*link), head, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{Direction, Kind, NO_NAME};
    use super::*;

    fn head(seq: u32) -> Head {
        Head {
            kind: Kind::Text,
            direction: Direction::Sent,
            flags: 0,
            why: 0,
            at_ns: u64::from(seq),
            slot: 0,
            attempt: 1,
            seq,
            size: 0,
            latency_ns: None,
            name: NO_NAME,
            code: 0,
        }
    }

    /// How many events the links lead back to, the newest first.
    fn chain(ring: &Ring, mut offset: u64) -> Vec<(u32, usize)> {
        let mut found = Vec::new();
        while let Some((before, head, payload)) = ring.at(offset) {
            found.push((head.seq, payload.len()));
            offset = before;
        }
        found
    }

    #[test]
    fn links_lead_back_as_far_as_the_ring_reaches() {
        let mut ring = Ring::new(1_024);
        let mut last = NOWHERE;
        for seq in 0..100 {
            let payload = vec![7; (seq % 13) as usize];
            last = ring.push(last, &head(seq), &payload);
            let found = chain(&ring, last);
            // Every event found is whole, and they are the latest ones in unbroken order.
            for (back, (found_seq, len)) in found.iter().enumerate() {
                assert_eq!((*found_seq, *len as u32), (seq - back as u32, (seq - back as u32) % 13));
            }
            assert!(found.len() >= 14.min(seq as usize + 1) && found.len() <= 18, "{seq}: {}", found.len());
        }
    }

    #[test]
    fn connections_share_the_ring_and_do_not_mix() {
        let mut ring = Ring::new(4_000);
        let mut last = [NOWHERE; 3];
        for seq in 0..30 {
            let slot = (seq % 3) as usize;
            last[slot] = ring.push(last[slot], &head(seq), b"");
        }
        for (slot, offset) in last.into_iter().enumerate() {
            let found = chain(&ring, offset);
            assert_eq!(found.len(), 10);
            assert!(found.iter().all(|(seq, _)| *seq as usize % 3 == slot));
        }
    }

    #[test]
    fn an_empty_ring_has_nothing() {
        assert!(Ring::new(500).at(NOWHERE).is_none());
    }
}
