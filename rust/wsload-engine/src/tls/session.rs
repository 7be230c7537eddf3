//! One TLS connection.

use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus};

use super::{TlsFault, TlsSettings};

/// Room made for a record before rustls says how much it needs.
const RECORD_BYTES: usize = 512;

/// A client's end. It owns memory of ours only while a record is incomplete.
pub(crate) struct Session {
    tls: UnbufferedClientConnection,
    /// The beginning of a record whose end has not come.
    partial: Vec<u8>,
    established: bool,
}

/// What a finished handshake came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Version and cipher suite.
    pub(crate) suite: String,
    /// Whether an earlier session was resumed.
    pub(crate) resumed: bool,
    /// SHA-256 of the certificate that the server has shown, in hexadecimal; a resumed session shows none.
    pub(crate) certificate: Option<String>,
}

/// What bytes of the server brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The handshake is over with these bytes.
    pub(crate) opened: Option<Opened>,
    /// The server has ended TLS: nothing more will come.
    pub(crate) closed: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("established", &self.established).finish_non_exhaustive()
    }
}

impl Session {
    /// Begins a handshake: appends the ClientHello to `out`.
    pub(crate) fn begin(settings: &TlsSettings, out: &mut Vec<u8>) -> Result<Self, TlsFault> {
        let tls = UnbufferedClientConnection::new(Arc::clone(&settings.config), settings.name.clone())?;
        let mut session = Self { tls, partial: Vec::new(), established: false };
        session.receive(&mut [], &mut Vec::new(), out)?;
        Ok(session)
    }

    /// Takes bytes of the server: appends what they say to `plain`, and what is to be answered to `out`, even when it
    /// fails.
    pub(crate) fn receive(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, TlsFault> {
        let mut progress = Progress::default();
        if self.partial.is_empty() {
            let (used, result) = self.process(bytes, plain, out, &mut progress);
            self.partial.extend_from_slice(&bytes[used..]);
            result?;
        } else {
            let mut all = std::mem::take(&mut self.partial);
            all.extend_from_slice(bytes);
            let (used, result) = self.process(&mut all, plain, out, &mut progress);
            if used < all.len() {
                all.drain(..used);
                self.partial = all;
            }
            result?;
        }
        Ok(progress)
    }

    /// Appends `plain` in records of its own.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsFault> {
        let UnbufferedStatus { state, .. } = self.tls.process_tls_records(&mut []);
        let ConnectionState::WriteTraffic(mut traffic) = state? else { return Ok(()) };
        append(out, plain.len() + RECORD_BYTES, |room| {
            traffic.encrypt(plain, room).map_err(|error| match error {
                EncryptError::InsufficientSize(size) => Some(size),
                EncryptError::EncryptExhausted => None,
            })
        })
    }

    /// Appends a close_notify.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        let UnbufferedStatus { state, .. } = self.tls.process_tls_records(&mut []);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = state {
            // Whoever closes has nothing more to say: what fails here changes nothing.
            let _ = append(out, RECORD_BYTES, |room| traffic.queue_close_notify(room).map_err(|_| None));
        }
    }

    /// Says how many of `bytes` were used; the rest is the beginning of a record.
    fn process(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
        progress: &mut Progress,
    ) -> (usize, Result<(), TlsFault>) {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(&mut bytes[used..]);
            let mut go_on = true;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                plain.extend_from_slice(record.payload);
                                discard += record.discard;
                            }
                            Err(error) => return (used + discard, Err(error.into())),
                        }
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if let Err(fault) = append(out, RECORD_BYTES, |room| data.encode(room).map_err(size_wanted)) {
                        return (used + discard, Err(fault));
                    }
                }
                // What was encoded is sent by whoever called, before anything else.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => progress.closed = true,
                Ok(_) => go_on = false,
                Err(error) => {
                    self.append_alert(out);
                    return (used + discard, Err(error.into()));
                }
            }
            used += discard;
            if !go_on {
                break;
            }
        }
        if !self.established && !self.tls.is_handshaking() {
            self.established = true;
            progress.opened = Some(self.opened());
        }
        (used, Ok(()))
    }

    /// What rustls wants the server to know of a fault.
    fn append_alert(&mut self, out: &mut Vec<u8>) {
        while let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(mut data)), .. } =
            self.tls.process_tls_records(&mut [])
        {
            if append(out, RECORD_BYTES, |room| data.encode(room).map_err(size_wanted)).is_err() {
                return;
            }
        }
    }

    fn opened(&self) -> Opened {
        let version = match self.tls.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        };
        let suite = self.tls.negotiated_cipher_suite().map_or_else(String::new, |suite| format!("{:?}", suite.suite()));
        // TLS13_AES_128_GCM_SHA256 is how rustls tells it from its namesakes; the field says TLS_AES_128_GCM_SHA256.
        let suite = suite.replacen("TLS13_", "TLS_", 1);
        let resumed = self.tls.handshake_kind() == Some(HandshakeKind::Resumed);
        let shown = self.tls.peer_certificates().and_then(<[_]>::first).filter(|_| !resumed);
        Opened { suite: format!("{version} {suite}"), resumed, certificate: shown.map(|shown| fingerprint(shown)) }
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn size_wanted(error: EncodeError) -> Option<InsufficientSizeError> {
    match error {
        EncodeError::InsufficientSize(size) => Some(size),
        EncodeError::AlreadyEncoded => None,
    }
}

/// Lets `write` fill the end of `out`, with as much room as it asks for.
fn append(
    out: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> Result<(), TlsFault> {
    let start = out.len();
    let mut room = room;
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(len) => {
                out.truncate(start + len);
                return Ok(());
            }
            Err(Some(InsufficientSizeError { required_size })) if required_size > room => room = required_size,
            Err(_) => {
                out.truncate(start);
                let text = "nothing more can be encrypted on this connection".to_owned();
                return Err(TlsFault { detail: "exhausted".to_owned(), text });
            }
        }
    }
}
