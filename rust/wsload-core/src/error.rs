//! What a server can do wrong, in words a person understands.
//!
//! ```text
//! Failure                    what ends a connection
//! ├── UpgradeRejected        the server answered with something else than 101
//! ├── ProxyRejected, -Fault  the proxy gave no tunnel
//! ├── BadAccept              a 101 response that must not be accepted: HandshakeFault
//! ├── Protocol               a broken framing rule: ProtocolFault
//! ├── TooBig                 a frame or message above our limit
//! └── InvalidText            text that is not UTF-8
//! ```
//!
//! All of it is the server's doing, or a limit that the user set.

use crate::deflate::ExtensionFault;
use crate::handshake::Rejection;
use crate::tally::FailureKind;

/// Why a connection was failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The response is not 101.
    #[error("the server answered the upgrade request with {0}")]
    UpgradeRejected(Box<Rejection>),
    /// The proxy gave no tunnel.
    #[error("the proxy answered CONNECT with {0}")]
    ProxyRejected(Box<Rejection>),
    /// What the proxy answered is no HTTP response.
    #[error("the proxy's answer to CONNECT: {0}")]
    ProxyFault(HandshakeFault),
    /// RFC 6455 section 4.1 forbids to accept the response.
    #[error("the upgrade response must not be accepted: {0}")]
    BadAccept(#[from] HandshakeFault),
    /// RFC 6455 section 5 forbids the frame.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] ProtocolFault),
    /// Above the limit, noticed before any memory was taken for it.
    #[error("the server sent a message of more than {limit_bytes} bytes")]
    TooBig {
        /// The limit.
        limit_bytes: u64,
    },
    /// Text or a close reason that is not UTF-8 (RFC 6455 section 8.1).
    #[error("the server sent text that is not valid UTF-8")]
    InvalidText,
}

impl Failure {
    /// Under which kind it is counted.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::UpgradeRejected(_) => FailureKind::UpgradeRejected,
            Self::ProxyRejected(_) | Self::ProxyFault(_) => FailureKind::ProxyRejected,
            Self::BadAccept(_) => FailureKind::BadAccept,
            Self::Protocol(_) => FailureKind::ProtocolError,
            Self::TooBig { .. } => FailureKind::MessageTooBig,
            Self::InvalidText => FailureKind::InvalidText,
        }
    }

    /// What tells it from others of its kind.
    pub fn detail(&self) -> String {
        match self {
            Self::UpgradeRejected(rejection) | Self::ProxyRejected(rejection) => rejection.detail(),
            other => other.to_string(),
        }
    }

    /// The code of the Close that tells the server (RFC 6455 section 7.4.1); `None` before the connection is open.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::UpgradeRejected(_) | Self::ProxyRejected(_) | Self::ProxyFault(_) | Self::BadAccept(_) => None,
            Self::Protocol(_) => Some(1002),
            Self::InvalidText => Some(1007),
            Self::TooBig { .. } => Some(1009),
        }
    }
}

/// A rule of the opening handshake (RFC 6455 section 4.1) that a 101 response broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeFault {
    /// Not an HTTP response.
    #[error("it is not a valid HTTP/1.1 response")]
    Malformed,
    /// The head is larger than we read, or has too many headers.
    #[error("its head is longer than {limit_bytes} bytes or has more than {limit_headers} headers")]
    HeadTooLarge {
        /// Bytes read at most.
        limit_bytes: usize,
        /// Headers read at most.
        limit_headers: usize,
    },
    /// Below HTTP/1.1.
    #[error("it is HTTP/1.0")]
    HttpVersion,
    /// No `Upgrade: websocket`.
    #[error("the header Upgrade is missing or is not \"websocket\"")]
    Upgrade,
    /// No `upgrade` in `Connection`.
    #[error("the header Connection is missing or does not name \"upgrade\"")]
    Connection,
    /// No `Sec-WebSocket-Accept`.
    #[error("the header Sec-WebSocket-Accept is missing")]
    AcceptMissing,
    /// Another value than our key demands.
    #[error("the value of Sec-WebSocket-Accept does not answer our key")]
    AcceptWrong,
    /// A header that may be there once only.
    #[error("the header {0} is repeated")]
    Repeated(&'static str),
    /// A subprotocol that was not offered.
    #[error("the server chose the subprotocol {0:?}, which was not offered")]
    Subprotocol(String),
    /// None, though one was demanded.
    #[error("the server chose none of the subprotocols offered")]
    SubprotocolMissing,
    /// An extension that was not offered, or not as it was.
    #[error("{0}")]
    Extension(#[from] ExtensionFault),
}

/// A rule of framing (RFC 6455 section 5) that a frame broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolFault {
    /// Section 5.2: a reserved bit without an extension that gives it a meaning.
    #[error("a frame has reserved bits set")]
    ReservedBits,
    /// Section 5.2: opcodes 3 to 7 and 11 to 15.
    #[error("a frame has the unknown opcode {0}")]
    UnknownOpcode(u8),
    /// Section 5.1: a server must not mask.
    #[error("a frame from the server is masked")]
    MaskedFrame,
    /// Section 5.5: a control frame in pieces.
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// Section 5.5: a control frame of more than 125 bytes.
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// Section 5.2: a length in more bytes than it needs.
    #[error("a frame's length is not in its shortest form")]
    LengthNotMinimal,
    /// Section 5.2: the most significant bit of a 64-bit length.
    #[error("a frame's length has its top bit set")]
    LengthTopBit,
    /// Section 5.4: a continuation with nothing to continue.
    #[error("a continuation frame continues nothing")]
    StrayContinuation,
    /// Section 5.4: a new message inside another.
    #[error("a new message begins inside a fragmented one")]
    InterleavedMessage,
    /// Section 5.5.1: a Close with one byte of body.
    #[error("a Close frame has a body of one byte")]
    CloseLength,
    /// RFC 7692 section 7.2.2.
    #[error("a compressed message is not valid deflate data")]
    Inflate,
    /// Section 7.4: a code that must not be on the wire.
    #[error("a Close frame has the code {0}, which must not be sent")]
    CloseCode(u16),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(status: u16, reason: &str) -> Box<Rejection> {
        Box::new(Rejection { status, reason: reason.into(), headers: Vec::new(), body: String::new() })
    }

    #[test]
    fn section_7_4_1_each_failure_has_its_close_code() {
        let rejected = Failure::UpgradeRejected(rejection(503, "Busy"));
        assert_eq!((rejected.close_code(), rejected.kind()), (None, FailureKind::UpgradeRejected));
        assert_eq!(Failure::from(HandshakeFault::AcceptWrong).close_code(), None);
        assert_eq!(Failure::from(ProtocolFault::MaskedFrame).close_code(), Some(1002));
        assert_eq!(Failure::InvalidText.close_code(), Some(1007));
        assert_eq!(Failure::TooBig { limit_bytes: 5 }.close_code(), Some(1009));
    }

    #[test]
    fn failures_read_as_sentences() {
        let text = |failure: Failure| failure.to_string();
        assert_eq!(
            text(Failure::UpgradeRejected(rejection(404, "Not Found"))),
            "the server answered the upgrade request with 404 Not Found"
        );
        assert_eq!(
            text(ProtocolFault::UnknownOpcode(3).into()),
            "the server broke the protocol: a frame has the unknown opcode 3"
        );
    }
}
