//! What lies between TCP and the upgrade: a proxy's tunnel, TLS.

use wsload_core::handshake::judge_tunnel;
use wsload_core::interval::{Aspect, Metric};
use wsload_core::tally::FailureKind;

use super::Shard;
use super::slot::{Stage, Tunnel};
use crate::os::monotonic_ns;
use crate::tls::{Opened, Session, TlsFault};

impl Shard {
    pub(super) fn ask_for_tunnel(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.stage = Stage::Tunnelling;
        slot.tunnel = Some(Box::new(Tunnel::default()));
        self.wire.out.extend_from_slice(self.settings.tunnel_request.as_deref().unwrap_or_default());
        self.transmit(index);
    }

    /// The proxy has answered something.
    pub(super) fn tunnel_heard(&mut self, index: u32, bytes: &[u8]) {
        let Some(tunnel) = &mut self.slots[index as usize].tunnel else { return };
        tunnel.head.extend_from_slice(bytes);
        match judge_tunnel(&tunnel.head, false) {
            Ok(None) => {}
            // Whatever follows the head came unasked: a server speaks when it is spoken to.
            Ok(Some(_)) => {
                let slot = &mut self.slots[index as usize];
                slot.tunnel = None;
                slot.step_ns = monotonic_ns();
                self.secure_or_upgrade(index);
            }
            Err(failure) => self.upgrade_failed(index, &failure),
        }
    }

    pub(super) fn begin_tls(&mut self, index: u32) {
        let Some(settings) = &self.settings.tls else { return };
        let slot = &mut self.slots[index as usize];
        slot.stage = Stage::Securing;
        match Session::begin(settings, &mut self.wire.out) {
            Ok(session) => {
                slot.tls = Some(Box::new(session));
                self.transmit(index);
            }
            Err(fault) => self.tls_failed(index, &fault),
        }
    }

    /// Decrypts what was read and acts on it.
    pub(super) fn decrypt(&mut self, index: u32, bytes: &mut [u8], arrival_ns: u64, read_ns: u64) {
        let mut plain = std::mem::take(&mut self.wire.plain);
        plain.clear();
        let Some(tls) = &mut self.slots[index as usize].tls else { return };
        let result = tls.receive(bytes, &mut plain, &mut self.wire.out);
        // A handshake's next flight, an alert, a key update.
        self.transmit(index);
        if self.slots[index as usize].socket.is_some() {
            match result {
                Ok(progress) => {
                    if let Some(opened) = progress.opened {
                        self.tls_opened(index, &opened, arrival_ns);
                    }
                    if !plain.is_empty() {
                        self.take_in(index, &plain, arrival_ns, read_ns);
                    }
                    if progress.closed && self.slots[index as usize].socket.is_some() {
                        self.transport_over(index, None);
                    }
                }
                Err(fault) => self.tls_failed(index, &fault),
            }
        }
        self.wire.plain = plain;
    }

    fn tls_opened(&mut self, index: u32, opened: &Opened, at_ns: u64) {
        self.end_step(index, Metric::ConnectTls, at_ns);
        let negotiated = &mut self.book.now().negotiated;
        negotiated.add(Aspect::Tls, &opened.suite, 1);
        negotiated.add(Aspect::TlsHandshake, if opened.resumed { "resumed" } else { "full" }, 1);
        if let Some(certificate) = &opened.certificate {
            negotiated.add(Aspect::Certificate, certificate, 1);
        }
        self.begin_upgrade(index);
    }

    pub(super) fn tls_failed(&mut self, index: u32, fault: &TlsFault) {
        let stage = self.slots[index as usize].stage;
        match stage {
            Stage::Securing | Stage::Upgrading => {
                self.fail(index, FailureKind::Tls, &fault.detail, &fault.text);
                self.attempt_failed(index);
            }
            Stage::Open => {
                self.fail(index, FailureKind::Tls, &fault.detail, &fault.text);
                self.lost(index);
                self.release(index);
                self.open_again_or_finish(index);
            }
            _ => self.ended(index),
        }
    }
}
