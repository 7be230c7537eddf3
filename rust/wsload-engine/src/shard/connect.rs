//! Opening connections: the ramp, attempts over several addresses, time-outs, reopening.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{SystemTime, UNIX_EPOCH};

use wsload_core::error::Failure;
use wsload_core::handshake::{Jar, Request, Upgraded, judge_tunnel};
use wsload_core::interval::{Aspect, Metric};
use wsload_core::tally::FailureKind;

use super::slot::Stage;
use super::{Phase, Shard};
use crate::os::{ConnectStart, Interest, Socket, monotonic_ns};

impl Shard {
    /// When the next attempt may start; `None` when there is nothing to open or no room for it.
    pub(super) fn next_attempt_ns(&self) -> Option<u64> {
        let wanted = self.ramp_next < self.settings.slots || !self.reopen.is_empty();
        let phase = matches!(self.phase, Phase::Connecting | Phase::Ready | Phase::Running);
        // A storm holds nobody back; the ramp before it is an ordinary one.
        let storm = self.settings.reconnect.is_storm() && !self.reopen.is_empty();
        let room = storm || self.opening < self.settings.max_opening;
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
            if self.slots[index as usize].abandoned || self.waits_to_begin(index) {
                continue;
            }
            self.start_attempt(index);
            now_ns = monotonic_ns();
        }
    }

    fn start_attempt(&mut self, index: u32) {
        let now_ns = monotonic_ns();
        let recovering = self.slots[index as usize].lost_ns != 0;
        let counters = &mut self.book.now().counters;
        counters.connects_started += 1;
        counters.recover_attempts += u64::from(recovering);
        self.book.record.begin(index, now_ns);
        self.opening += 1;
        let address = self.first_address(index);
        let slot = &mut self.slots[index as usize];
        (slot.attempt_ns, slot.step_ns) = (now_ns, now_ns);
        slot.address = address;
        slot.addresses_tried = 0;
        slot.stage = Stage::Connecting;
        self.timeouts.insert(index, now_ns + self.settings.connect_timeout_ns);
        self.try_address(index);
    }

    /// The address that an attempt begins with. When all are to be used, slots go through the pairs of source and
    /// address, so that each pair gets its even share of ports.
    fn first_address(&self, index: u32) -> u8 {
        if !self.settings.every_address {
            return self.preferred_address;
        }
        let turn = self.settings.global_slot(index) as usize / self.settings.source_ips.len().max(1);
        (turn % self.addresses.len()) as u8
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
        // One of several that are all to be used is a failure by itself: going elsewhere would hide it.
        let others = slot.addresses_tried < count && !self.settings.every_address;
        if others && kind != FailureKind::LocalLimit {
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
        self.end_step(index, Metric::ConnectTcp, monotonic_ns());
        self.preferred_address = self.slots[index as usize].address;
        self.watch(index, Interest::Read);
        if self.settings.tunnel_request.is_some() {
            self.ask_for_tunnel(index);
        } else {
            self.secure_or_upgrade(index);
        }
    }

    /// The way to the server is free: TLS if it is asked for, then the upgrade.
    pub(super) fn secure_or_upgrade(&mut self, index: u32) {
        if self.settings.tls.is_some() {
            self.begin_tls(index);
        } else {
            self.begin_upgrade(index);
        }
    }

    pub(super) fn begin_upgrade(&mut self, index: u32) {
        let mut nonce = [0; 16];
        for part in nonce.chunks_exact_mut(4) {
            part.copy_from_slice(&self.wire.masks.next_key());
        }
        let no_cookies = Jar::default();
        // The shared request gives way to this connection's own, while that is written.
        let shared = match self.own_request(index) {
            Some(Ok(own)) => Some(std::mem::replace(&mut self.wire.config.request, own)),
            Some(Err(why)) => {
                self.fail(index, FailureKind::ExpectationFailed, "a variable holds nothing", &why);
                return self.attempt_failed(index);
            }
            None => None,
        };
        let slot = &mut self.slots[index as usize];
        slot.stage = Stage::Upgrading;
        slot.connection.open(nonce, slot.jar.as_deref().unwrap_or(&no_cookies), &mut self.wire.context());
        if let Some(shared) = shared {
            self.wire.config.request = shared;
        }
        self.flush(index);
    }

    /// The upgrade request of a connection whose scenario has one for each.
    fn own_request(&self, index: u32) -> Option<Result<Request, String>> {
        let (program, session) = (self.settings.program.as_ref()?, self.slots[index as usize].session.as_ref()?);
        let (target, handshake) = &self.settings.asked;
        let own = program.handshake(session, self.now_of(index), (target, handshake))?;
        Some(own.map(|(target, handshake)| Request::new(&target, &handshake)))
    }

    /// A step of an attempt ended at `at_ns`, the next one begins.
    pub(super) fn end_step(&mut self, index: u32, metric: Metric, at_ns: u64) {
        let slot = &mut self.slots[index as usize];
        let began_ns = std::mem::replace(&mut slot.step_ns, at_ns);
        self.book.now().record_between(metric, began_ns, at_ns);
    }

    /// The upgrade was accepted at `arrival_ns`.
    pub(super) fn opened(&mut self, index: u32, upgraded: &Upgraded, arrival_ns: u64) {
        self.end_step(index, Metric::ConnectUpgrade, arrival_ns);
        let slot = &mut self.slots[index as usize];
        let (attempt_ns, again) = (slot.attempt_ns, slot.was_open);
        slot.stage = Stage::Open;
        slot.was_open = true;
        self.timeouts.remove(index);
        self.opening -= 1;
        self.open += 1;
        let recorder = self.book.now();
        recorder.counters.connects_opened += 1;
        recorder.counters.reconnects += u64::from(again);
        recorder.record_between(Metric::Connect, attempt_ns, arrival_ns);
        if let Some(subprotocol) = &upgraded.subprotocol {
            recorder.negotiated.add(Aspect::Subprotocol, subprotocol, 1);
        }
        if self.wire.config.request.offers_compression() {
            let agreed = upgraded.deflate.map_or_else(|| "none".to_owned(), |agreed| agreed.to_string());
            recorder.negotiated.add(Aspect::Compression, &agreed, 1);
        }
        self.book.record.opened(index, arrival_ns, upgraded.subprotocol.as_deref().unwrap_or_default());
        self.keep_cookies(index, &upgraded.cookies);
        if self.settings.program.is_none() {
            // A scenario's connection is there when its first steps are over.
            self.first_over(index);
            self.recovered(index, arrival_ns);
        }
        if let Some(replay) = &mut self.replay {
            replay.opened(index, arrival_ns);
        }
        self.ping_later(index, arrival_ns);
        if let (Some(lifetimes), Some(lifetime_ns)) = (&mut self.lifetimes, self.settings.connection_lifetime_ns) {
            lifetimes.insert(index, arrival_ns + lifetime_ns);
        }
        self.greet(index);
    }

    fn keep_cookies(&mut self, index: u32, headers: &[String]) {
        if headers.is_empty() {
            return;
        }
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let jar = self.slots[index as usize].jar.get_or_insert_default();
        for header in headers {
            jar.absorb(header, &self.settings.resource, self.settings.tls.is_some(), now_s);
        }
    }

    /// The server, or its bytes, put an end to an attempt.
    pub(super) fn upgrade_failed(&mut self, index: u32, failure: &Failure) {
        self.fail(index, failure.kind(), &failure.detail(), &failure.to_string());
        self.attempt_failed(index);
    }

    /// The transport ended before the connection was open.
    pub(super) fn attempt_cut(&mut self, index: u32, error: Option<&io::Error>) {
        if let Some(failure) = self.what_was_said(index) {
            return self.upgrade_failed(index, &failure);
        }
        match error {
            Some(error) => self.fail(index, kind_of(error), "during the handshake", &error.to_string()),
            None => {
                let (kind, what) = match self.slots[index as usize].stage {
                    Stage::Tunnelling => {
                        (FailureKind::ProxyRejected, "the proxy closed the connection without an answer")
                    }
                    Stage::Securing => (FailureKind::Tls, "the server closed the connection during the TLS handshake"),
                    _ => (
                        FailureKind::UpgradeRejected,
                        "the server closed the connection before it answered the upgrade request",
                    ),
                };
                self.fail(index, kind, "no response", what);
            }
        }
        self.attempt_failed(index);
    }

    /// A rejection that was still coming in when its sender, or our patience, ended.
    fn what_was_said(&mut self, index: u32) -> Option<Failure> {
        let slot = &mut self.slots[index as usize];
        match slot.stage {
            Stage::Tunnelling => judge_tunnel(&slot.tunnel.as_ref()?.head, true).err(),
            Stage::Upgrading => slot.connection.end_of_stream(&mut self.wire.context()),
            _ => None,
        }
    }

    /// The attempt took longer than the connect time-out.
    pub(super) fn attempt_timed_out(&mut self, index: u32) {
        if let Some(failure) = self.what_was_said(index) {
            return self.upgrade_failed(index, &failure);
        }
        let (detail, what) = match self.slots[index as usize].stage {
            Stage::Connecting => ("tcp", "no TCP connection within the connect time-out"),
            Stage::Tunnelling => ("proxy", "no answer of the proxy within the connect time-out"),
            Stage::Securing => ("tls", "the TLS handshake was not over within the connect time-out"),
            _ => ("upgrade", "no answer to the upgrade request within the connect time-out"),
        };
        self.fail(index, FailureKind::ConnectTimeout, detail, what);
        self.attempt_failed(index);
    }

    /// Ends an attempt whose failure has been counted.
    pub(super) fn attempt_failed(&mut self, index: u32) {
        self.release(index);
        self.opening -= 1;
        self.book.now().counters.connects_failed += 1;
        self.first_over(index);
        self.open_again_or_finish(index);
    }

    pub(super) fn first_over(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if !slot.first_over {
            slot.first_over = true;
            self.first_pending -= 1;
        }
    }

    /// The connection can be used, and perhaps could not for a while.
    pub(super) fn recovered(&mut self, index: u32, at_ns: u64) {
        let slot = &mut self.slots[index as usize];
        slot.retries = 0;
        let lost_ns = std::mem::take(&mut slot.lost_ns);
        if lost_ns != 0 {
            self.book.now().record_between(Metric::RecoverTime, lost_ns, at_ns);
        }
    }

    /// Opens a closed slot again while attempts are left, after a pause; else it is finished.
    pub(super) fn open_again_or_finish(&mut self, index: u32) {
        let random = u32::from_le_bytes(self.wire.masks.next_key());
        let slot = &mut self.slots[index as usize];
        let pause_ns = self.settings.reconnect.pause_ns(slot.retries, random);
        let (Some(pause_ns), true) = (pause_ns, self.phase <= Phase::Running) else {
            return self.finish_slot(index);
        };
        slot.retries = slot.retries.saturating_add(1);
        slot.stage = Stage::Waiting;
        if pause_ns == 0 {
            self.reopen.push_back(index);
        } else {
            self.timeouts.insert(index, monotonic_ns() + pause_ns);
        }
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
