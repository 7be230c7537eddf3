//! TLS (RFC 8446, RFC 5246) by rustls, without sockets: bytes in, bytes out.

mod config;
mod fault;
mod session;

pub(crate) use config::{TlsSettings, load};
pub(crate) use fault::TlsFault;
pub(crate) use session::{Opened, Session};
