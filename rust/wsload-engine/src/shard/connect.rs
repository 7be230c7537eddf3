//! Opening connections: the ramp, attempts over several addresses, time-outs, reopening.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use wsload_core::error::Failure;
use wsload_core::interval::Metric;
use wsload_core::tally::FailureKind;

use super::slot::Stage;
use super::{Phase, Shard};
use crate::os::{ConnectStart, Interest, Socket, monotonic_ns};

/// Attempts under way at once when no connect rate is asked for: more only overflows the server's listen queue.
const MAX_OPENING: u32 = 256;
/// First pause before an attempt is repeated; it doubles from attempt to attempt.
const FIRST_PAUSE_NS: u64 = 100_000_000;
const LONGEST_PAUSE_NS: u64 = 5_000_000_000;

impl Shard {
    /// When the next attempt may start; `None` when there is nothing to open or no room for it.
    pub(super) fn next_attempt_ns(&self) -> Option<u64> {
        let wanted = self.ramp_next < self.settings.slots || !self.reopen.is_empty();
        let phase = matches!(self.phase, Phase::Connecting | Phase::Ready | Phase::Running);
        let room = self.pace.is_paced() || self.opening < MAX_OPENING;
        (wanted && phase && room).then(|| self.pace.next_ns())
    }

    /// Starts the attempts whose turn has come.
    pub(super) fn start_attempts(&mut self, now_ns: u64, until_ns: u64) {
        let mut now_ns = now_ns;
        while self.next_attempt_ns().is_some_and(|at| at <= now_ns) && now_ns < until_ns {
            self.pace.take(now_ns);
            let index = self.reopen.pop_front().unwrap_or_else(|| {
                self.ramp_next += 1;
                self.ramp_next - 1
            });
            self.start_attempt(index);
            now_ns = monotonic_ns();
        }
    }

    fn start_attempt(&mut self, index: u32) {
        let now_ns = monotonic_ns();
        self.book.now().counters.connects_started += 1;
        self.opening += 1;
        let slot = &mut self.slots[index as usize];
        slot.attempt_ns = now_ns;
        slot.address = self.preferred_address;
        slot.addresses_tried = 0;
        slot.stage = Stage::Connecting;
        self.timeouts.insert(index, now_ns + self.settings.connect_timeout_ns);
        self.try_address(index);
    }

    /// Connects to the slot's current address, or to the next ones when it fails at once.
    fn try_address(&mut self, index: u32) {
        let address = self.addresses[self.slots[index as usize].address as usize];
        match self.begin_tcp(index, address) {
            Ok(ConnectStart::InProgress) => {}
            Ok(ConnectStart::Done) => self.tcp_open(index),
            Err(error) => self.address_failed(index, &error),
        }
    }

    fn begin_tcp(&mut self, index: u32, address: SocketAddr) -> io::Result<ConnectStart> {
        let sources = &self.settings.source_ips;
        let number = self.settings.global_slot(index) as usize;
        let source = (!sources.is_empty()).then(|| sources[number % sources.len()]);
        let socket = Socket::new(address, source)?;
        let start = socket.connect(address)?;
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.sockets.add(socket.as_raw_fd(), Interest::ReadWrite, slot.token(index))?;
        slot.socket = Some(socket);
        Ok(start)
    }

    /// One address did not work: the next one is tried, and the last one's error is the attempt's.
    fn address_failed(&mut self, index: u32, error: &io::Error) {
        let count = self.addresses.len() as u8;
        let slot = &mut self.slots[index as usize];
        let address = self.addresses[slot.address as usize];
        slot.socket = None;
        slot.addresses_tried += 1;
        let kind = kind_of(error);
        if slot.addresses_tried < count && kind != FailureKind::LocalLimit {
            slot.address = (slot.address + 1) % count;
            self.try_address(index);
        } else {
            self.fail(index, kind, "", &format!("{address}: {error}"));
            self.attempt_failed(index);
        }
    }

    /// The connecting socket became writable: TCP stands, or has failed.
    pub(super) fn tcp_decided(&mut self, index: u32) {
        let verdict = self.slots[index as usize].socket.as_ref().map_or(Ok(()), Socket::take_error);
        match verdict {
            Ok(()) => self.tcp_open(index),
            Err(error) => self.address_failed(index, &error),
        }
    }

    fn tcp_open(&mut self, index: u32) {
        let mut nonce = [0; 16];
        for part in nonce.chunks_exact_mut(4) {
            part.copy_from_slice(&self.wire.masks.next_key());
        }
        let slot = &mut self.slots[index as usize];
        slot.tcp_ns = monotonic_ns();
        slot.stage = Stage::Upgrading;
        slot.connection.open(nonce, &mut self.wire.context());
        self.preferred_address = slot.address;
        self.watch(index, Interest::Read);
        self.flush(index);
    }

    /// The upgrade was accepted at `arrival_ns`.
    pub(super) fn opened(&mut self, index: u32, arrival_ns: u64) {
        let slot = &mut self.slots[index as usize];
        let (attempt_ns, tcp_ns, again) = (slot.attempt_ns, slot.tcp_ns, slot.was_open);
        slot.stage = Stage::Open;
        slot.was_open = true;
        slot.retries = 0;
        self.timeouts.remove(index);
        self.opening -= 1;
        self.open += 1;
        let recorder = self.book.now();
        recorder.counters.connects_opened += 1;
        recorder.counters.reconnects += u64::from(again);
        recorder.record_between(Metric::ConnectTcp, attempt_ns, tcp_ns);
        recorder.record_between(Metric::ConnectUpgrade, tcp_ns, arrival_ns);
        recorder.record_between(Metric::Connect, attempt_ns, arrival_ns);
        self.first_over(index);
        self.greet(index);
    }

    /// The server, or its bytes, put an end to an attempt.
    pub(super) fn upgrade_failed(&mut self, index: u32, failure: &Failure) {
        let detail = match failure {
            Failure::UpgradeRejected { status, .. } => status.to_string(),
            other => other.to_string(),
        };
        self.fail(index, failure.kind(), &detail, &failure.to_string());
        self.attempt_failed(index);
    }

    /// The transport ended before the upgrade was judged.
    pub(super) fn upgrade_cut(&mut self, index: u32, error: Option<&io::Error>) {
        match error {
            Some(error) => self.fail(index, kind_of(error), "during the handshake", &error.to_string()),
            None => {
                let what = "the server closed the connection before it answered the upgrade request";
                self.fail(index, FailureKind::UpgradeRejected, "no response", what);
            }
        }
        self.attempt_failed(index);
    }

    /// The attempt took longer than the connect time-out.
    pub(super) fn attempt_timed_out(&mut self, index: u32) {
        let (detail, what) = match self.slots[index as usize].stage {
            Stage::Connecting => ("tcp", "no TCP connection within the connect time-out"),
            _ => ("upgrade", "no answer to the upgrade request within the connect time-out"),
        };
        self.fail(index, FailureKind::ConnectTimeout, detail, what);
        self.attempt_failed(index);
    }

    /// Ends an attempt whose failure has been counted.
    fn attempt_failed(&mut self, index: u32) {
        self.release(index);
        self.opening -= 1;
        self.book.now().counters.connects_failed += 1;
        self.first_over(index);
        self.open_again_or_finish(index);
    }

    fn first_over(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if !slot.first_over {
            slot.first_over = true;
            self.first_pending -= 1;
        }
    }

    /// Opens a closed slot again while attempts are left, after a pause that doubles; else it is finished.
    pub(super) fn open_again_or_finish(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if self.phase > Phase::Running || slot.retries >= self.settings.reconnect_attempts {
            self.finish_slot(index);
            return;
        }
        let longest_ns = (FIRST_PAUSE_NS << slot.retries.min(16)).min(LONGEST_PAUSE_NS);
        slot.retries += 1;
        slot.stage = Stage::Waiting;
        // Half of the pause is random: slots that fell together do not come back together.
        let random = u64::from(u32::from_le_bytes(self.wire.masks.next_key()));
        let pause_ns = longest_ns / 2 + ((longest_ns / 2 * random) >> 32);
        self.timeouts.insert(index, monotonic_ns() + pause_ns);
    }

    /// Opens a slot again as soon as the connect rate allows, whatever `--reconnect` says.
    pub(super) fn open_again_now(&mut self, index: u32) {
        if self.phase > Phase::Running {
            self.finish_slot(index);
        } else {
            self.slots[index as usize].stage = Stage::Waiting;
            self.reopen.push_back(index);
        }
    }
}

/// Whose fault an error of the kernel is.
pub(super) fn kind_of(error: &io::Error) -> FailureKind {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => FailureKind::Refused,
        Some(libc::ETIMEDOUT) => FailureKind::ConnectTimeout,
        Some(libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE) => FailureKind::Reset,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN) => FailureKind::Unreachable,
        _ => FailureKind::LocalLimit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_kernel_have_a_kind() {
        for (code, kind) in [
            (libc::ECONNREFUSED, FailureKind::Refused),
            (libc::ETIMEDOUT, FailureKind::ConnectTimeout),
            (libc::EPIPE, FailureKind::Reset),
            (libc::EHOSTUNREACH, FailureKind::Unreachable),
            (libc::EADDRNOTAVAIL, FailureKind::LocalLimit),
            (libc::EMFILE, FailureKind::LocalLimit),
        ] {
            assert_eq!(kind_of(&io::Error::from_raw_os_error(code)), kind, "errno {code}");
        }
    }
}
