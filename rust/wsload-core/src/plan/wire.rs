//! The part of a plan that says where to connect and how to speak there.

use serde::{Deserialize, Serialize};

use crate::deflate::Offer;

/// Pings of ours, as keep-alive and to measure their round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// From one to the next on each connection.
    pub interval_ns: u64,
    /// Without a pong for this long the connection counts as dead.
    pub timeout_ns: u64,
}

/// Code and reason of a Close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// RFC 6455 section 7.4.
    pub code: u16,
    /// Up to 123 bytes.
    pub reason: String,
}

/// TLS (`wss://`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Name that the certificate must be for, and that is sent as SNI unless it is an address.
    pub server_name: String,
    /// Whom to believe.
    pub trust: Trust,
    /// Our own certificate.
    #[serde(deserialize_with = "Option::deserialize")]
    pub identity: Option<Identity>,
    /// Lowest version.
    pub min_version: TlsVersion,
    /// Highest version.
    pub max_version: TlsVersion,
    /// Resume earlier sessions; otherwise every handshake is a full one.
    pub resume: bool,
}

/// Whose signature on the server's certificate is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The authorities this machine trusts.
    System,
    /// These authorities and no other (PEM).
    Authorities(String),
    /// Anyone: nothing is checked.
    Anyone,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The chain, our own first (PEM).
    pub certificate: String,
    /// Its private key (PEM).
    pub key: String,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    /// RFC 5246.
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}

/// An HTTP proxy that is asked to connect (RFC 9110 section 9.3.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `host:port` it shall connect to.
    pub authority: String,
    /// Value of `Proxy-Authorization`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub authorization: Option<String>,
}

/// permessage-deflate (RFC 7692).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compression {
    /// What is offered.
    pub offer: Offer,
    /// zlib's level, 0 to 9.
    pub level: u32,
}

/// An address to open TCP to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    /// Host name or address literal.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The service and what to ask it for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Host name or address literal (IPv6 without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query, not empty (RFC 6455 section 3).
    pub resource: String,
    /// Value of the `Host` header: the port is named only when it is not the scheme's default.
    pub host_header: String,
}

/// What the opening handshake carries beside what RFC 6455 asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// Extra header lines in order.
    pub headers: Vec<(String, String)>,
    /// Names and values of cookies.
    pub cookies: Vec<(String, String)>,
    /// Each connection keeps the cookies that the server sets, and sends them when it is opened again.
    pub keep_cookies: bool,
    /// Offered subprotocols in order of preference.
    pub subprotocols: Vec<String>,
    /// A response that chooses none of them is a failure.
    pub require_subprotocol: bool,
    /// Value of `Origin`, sent only when set.
    #[serde(deserialize_with = "Option::deserialize")]
    pub origin: Option<String>,
    /// Compression to offer.
    #[serde(deserialize_with = "Option::deserialize")]
    pub compression: Option<Compression>,
}
