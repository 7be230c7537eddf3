//! The client's opening handshake (RFC 6455 section 4.1): the request, and the judgement of the response; before it a
//! proxy may be asked for a tunnel.

mod cookies;
mod proxy;
mod request;
mod response;

pub use cookies::Jar;
pub use proxy::{connect_request, judge_tunnel};
pub use request::Request;
pub use response::{MAX_HEAD_BYTES, Rejection, Upgraded, judge};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// What a server appends to the key before it hashes (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Value of `Sec-WebSocket-Key` for 16 random bytes.
fn key_of(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    // 16 bytes are 24 characters of base64.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    key
}

/// Value of `Sec-WebSocket-Accept` that answers a key.
fn accept_of(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    // 20 bytes are 28 characters of base64.
    let _ = STANDARD.encode_slice(digest, &mut accept);
    accept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_1_3_the_key_of_the_rfc_and_its_answer() {
        let key = key_of(*b"the sample nonce");
        assert_eq!(key, *b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept_of(&key), *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
