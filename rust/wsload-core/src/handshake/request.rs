//! The upgrade request, rendered once for all connections but for its key.

use super::{Jar, key_of};
use crate::deflate::Offer;
use crate::plan::{Handshake, Target};

/// A request with a hole for the key and one for cookies.
#[derive(Debug)]
pub struct Request {
    before_key: Vec<u8>,
    after_key: Vec<u8>,
    cookies: Vec<(String, String)>,
    subprotocols: Vec<String>,
    pub(super) requires_subprotocol: bool,
    pub(super) keeps_cookies: bool,
    pub(super) offer: Option<Offer>,
}

impl Request {
    /// Renders the request. The plan's values have been validated: no control characters, no forbidden headers.
    ///
    /// A `Host` among the headers replaces the target's.
    pub fn new(target: &Target, handshake: &Handshake) -> Self {
        let own_host = handshake.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = own_host.map_or(&target.host_header, |(_, value)| value);
        let before_key = format!(
            "GET {} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
            target.resource
        );
        let mut after_key = String::new();
        let mut line = |name: &str, value: &str| after_key.extend([name, ": ", value, "\r\n"]);
        if let Some(origin) = &handshake.origin {
            line("Origin", origin);
        }
        if !handshake.subprotocols.is_empty() {
            line("Sec-WebSocket-Protocol", &handshake.subprotocols.join(", "));
        }
        let offer = handshake.compression.map(|compression| compression.offer);
        if let Some(offer) = offer {
            line("Sec-WebSocket-Extensions", &offer.header_value());
        }
        for (name, value) in handshake.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            line(name, value);
        }
        after_key += "\r\n";
        Self {
            before_key: before_key.into_bytes(),
            after_key: after_key.into_bytes(),
            cookies: handshake.cookies.clone(),
            subprotocols: handshake.subprotocols.clone(),
            requires_subprotocol: handshake.require_subprotocol,
            keeps_cookies: handshake.keep_cookies,
            offer,
        }
    }

    /// Appends the request of one connection, with the cookies it has been given. `nonce` must be random and new
    /// (section 4.1, item 7).
    pub fn append(&self, nonce: [u8; 16], jar: &Jar, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before_key);
        out.extend_from_slice(&key_of(nonce));
        out.extend_from_slice(b"\r\n");
        let cookies = jar.header_value(&self.cookies);
        if !cookies.is_empty() {
            out.extend([b"Cookie: ", cookies.as_bytes(), b"\r\n"].concat());
        }
        out.extend_from_slice(&self.after_key);
    }

    /// Whether the request offers compression.
    pub fn offers_compression(&self) -> bool {
        self.offer.is_some()
    }

    /// Whether the request offered this subprotocol (compared exactly, section 4.1).
    pub(super) fn offered(&self, subprotocol: &str) -> bool {
        self.subprotocols.iter().any(|offered| offered == subprotocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Compression;

    fn rendered(handshake: &Handshake) -> String {
        let target = Target {
            host: "example.com".into(),
            port: 8080,
            resource: "/chat?room=1".into(),
            host_header: "example.com:8080".into(),
        };
        let mut out = Vec::new();
        Request::new(&target, handshake).append(*b"the sample nonce", &Jar::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn section_4_1_the_least_a_request_has() {
        let least = Handshake::default();
        assert_eq!(
            rendered(&least),
            "GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
    }

    #[test]
    fn section_4_1_origin_subprotocols_and_headers_of_the_user() {
        let full = Handshake {
            headers: vec![("X-A".into(), "1".into()), ("host".into(), "other".into()), ("X-B".into(), "2".into())],
            subprotocols: vec!["chat.v2".into(), "chat.v1".into()],
            origin: Some("https://example.com".into()),
            cookies: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
            compression: Some(Compression { offer: Offer::default(), level: 6 }),
            ..Handshake::default()
        };
        let text = rendered(&full);
        assert!(text.contains("\r\nHost: other\r\n") && !text.contains("8080"));
        assert!(text.ends_with(
            "\r\nCookie: a=1; b=2\r\nOrigin: https://example.com\r\nSec-WebSocket-Protocol: chat.v2, chat.v1\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nX-A: 1\r\nX-B: 2\r\n\r\n"
        ));
    }
}
