//! A bounded ring of events. A connection finds its own by links back: it holds the offset of its last one.

use super::event::{Direction, Head, Kind};

/// Offset that stands for no event.
pub(super) const NOWHERE: u64 = u64::MAX;
/// Length of what stands before a payload.
pub(super) const RECORD_BYTES: usize = 44;

/// Events of all connections of a shard, the newest overwriting the oldest. Offsets only grow; a record lies in one
/// piece. Links never lead to another connection: whoever follows them knows whose events these are.
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

    /// Writes an event linked to the one at `before`; its offset. Slot and attempt are not stored.
    #[inline]
    pub(super) fn push(&mut self, before: u64, head: &Head, payload: &[u8]) -> u64 {
        let size = self.bytes.len() as u64;
        let len = (RECORD_BYTES + payload.len()) as u64;
        let to_end = size - (self.head & (size - 1));
        if to_end < len {
            // Records are only reached by links: what is left of the end is skipped.
            self.head += to_end;
        }
        let offset = self.head;
        let start = (offset & (size - 1)) as usize;
        let (record, rest) = self.bytes[start..start + len as usize].split_at_mut(RECORD_BYTES);
        let latency_ns = head.latency_ns.map_or(0, |latency_ns| latency_ns.saturating_add(1));
        let kind = u32::from_le_bytes([head.kind as u8, head.direction as u8, head.flags, 0]);
        record[0..8].copy_from_slice(&before.to_le_bytes());
        record[8..16].copy_from_slice(&head.at_ns.to_le_bytes());
        record[16..24].copy_from_slice(&latency_ns.to_le_bytes());
        record[24..28].copy_from_slice(&head.seq.to_le_bytes());
        record[28..32].copy_from_slice(&head.size.to_le_bytes());
        record[32..36].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        record[36..40].copy_from_slice(&kind.to_le_bytes());
        record[40..42].copy_from_slice(&head.name.to_le_bytes());
        record[42..44].copy_from_slice(&head.code.to_le_bytes());
        rest.copy_from_slice(payload);
        self.head += len;
        offset
    }

    /// The event at `offset`, of this slot and attempt, and the link to the one before it; `None` once it has been
    /// overwritten.
    pub(super) fn at(&self, offset: u64, (slot, attempt): (u32, u32)) -> Option<(u64, Head, &[u8])> {
        let size = self.bytes.len() as u64;
        if offset == NOWHERE || offset + size < self.head {
            return None;
        }
        let start = (offset & (size - 1)) as usize;
        let (record, rest) = self.bytes.get(start..)?.split_first_chunk::<RECORD_BYTES>()?;
        let word = |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let head = Head {
            kind: Kind::of(record[36])?,
            direction: Direction::of(record[37])?,
            flags: record[38],
            why: 0,
            at_ns: long(8),
            slot,
            attempt,
            seq: word(24),
            size: word(28),
            latency_ns: long(16).checked_sub(1),
            name: word(40) as u16,
            code: (word(40) >> 16) as u16,
        };
        Some((long(0), head, rest.get(..word(32) as usize)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::NO_NAME;
    use super::*;

    const OF: (u32, u32) = (3, 2);

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
        while let Some((before, head, payload)) = ring.at(offset, OF) {
            assert_eq!((head.slot, head.attempt), OF);
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
            assert!(found.len() >= 16.min(seq as usize + 1) && found.len() <= 21, "{seq}: {}", found.len());
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
        assert!(Ring::new(500).at(NOWHERE, OF).is_none());
    }
}
