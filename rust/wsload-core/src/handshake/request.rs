//! The upgrade request, rendered once for all connections but for its key.

use super::key_of;
use crate::plan::{Handshake, Target};

/// A request with a hole for the key.
#[derive(Debug)]
pub struct Request {
    before_key: Vec<u8>,
    after_key: Vec<u8>,
    subprotocols: Vec<String>,
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
        let mut after_key = String::from("\r\n");
        let mut line = |name: &str, value: &str| after_key.extend([name, ": ", value, "\r\n"]);
        if let Some(origin) = &handshake.origin {
            line("Origin", origin);
        }
        if !handshake.subprotocols.is_empty() {
            line("Sec-WebSocket-Protocol", &handshake.subprotocols.join(", "));
        }
        for (name, value) in handshake.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            line(name, value);
        }
        after_key += "\r\n";
        Self {
            before_key: before_key.into_bytes(),
            after_key: after_key.into_bytes(),
            subprotocols: handshake.subprotocols.clone(),
        }
    }

    /// Appends the request of one connection. `nonce` must be random and new (section 4.1, item 7).
    pub fn append(&self, nonce: [u8; 16], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before_key);
        out.extend_from_slice(&key_of(nonce));
        out.extend_from_slice(&self.after_key);
    }

    /// Whether the request offered this subprotocol (compared exactly, section 4.1).
    pub(super) fn offered(&self, subprotocol: &str) -> bool {
        self.subprotocols.iter().any(|offered| offered == subprotocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(handshake: &Handshake) -> String {
        let target = Target {
            host: "example.com".into(),
            port: 8080,
            resource: "/chat?room=1".into(),
            host_header: "example.com:8080".into(),
        };
        let mut out = Vec::new();
        Request::new(&target, handshake).append(*b"the sample nonce", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn section_4_1_the_least_a_request_has() {
        let least = Handshake { headers: Vec::new(), subprotocols: Vec::new(), origin: None };
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
        };
        let text = rendered(&full);
        assert!(text.contains("\r\nHost: other\r\n") && !text.contains("8080"));
        assert!(text.ends_with(
            "\r\nOrigin: https://example.com\r\nSec-WebSocket-Protocol: chat.v2, chat.v1\r\nX-A: 1\r\nX-B: 2\r\n\r\n"
        ));
    }
}
