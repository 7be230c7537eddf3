//! Pings of ours: one at a time on each connection (RFC 6455 section 5.5.2).

use wsload_core::interval::Metric;
use wsload_core::tally::FailureKind;

use super::Shard;
use super::slot::Stage;
use crate::os::monotonic_ns;

impl Shard {
    /// A ping is due one interval after `from_ns`, if pings are asked for.
    pub(super) fn ping_later(&mut self, index: u32, from_ns: u64) {
        if let (Some(pings), Some(ping)) = (&mut self.pings, self.settings.ping) {
            pings.insert(index, from_ns + ping.interval_ns);
        }
    }

    /// Either a ping is to be sent, or the pong has not come in time.
    pub(super) fn ping_due(&mut self, index: u32, now_ns: u64) {
        let (Some(pings), Some(ping)) = (&mut self.pings, self.settings.ping) else { return };
        let slot = &mut self.slots[index as usize];
        if slot.stage != Stage::Open {
            return;
        }
        if slot.ping_ns != 0 {
            self.fail(index, FailureKind::PingTimeout, "", "no pong within the ping time-out");
            self.lost(index);
            self.release(index);
            self.open_again_or_finish(index);
            return;
        }
        slot.ping_ns = monotonic_ns();
        pings.insert(index, now_ns + ping.timeout_ns);
        // The payload is the instant: a pong that answers something else is told apart.
        let _ = slot.connection.ping(&slot.ping_ns.to_le_bytes(), &mut self.wire.context());
        self.book.now().counters.pings_sent += 1;
        self.book.record.ping_sent(index, slot.ping_ns, &slot.ping_ns.to_le_bytes());
        self.flush(index);
    }

    /// A pong that arrived at `arrival_ns`; one that answers no ping of ours is ignored (section 5.5.3).
    pub(super) fn pong(&mut self, index: u32, arrival_ns: u64) {
        let (Some(pings), Some(ping)) = (&mut self.pings, self.settings.ping) else { return };
        let slot = &mut self.slots[index as usize];
        let sent_ns = std::mem::take(&mut slot.ping_ns);
        pings.remove(index);
        pings.insert(index, sent_ns + ping.interval_ns.max(arrival_ns.saturating_sub(sent_ns)));
        let recorder = self.book.now();
        recorder.counters.pongs_received += 1;
        recorder.record_between(Metric::PingTime, sent_ns, arrival_ns);
    }
}
