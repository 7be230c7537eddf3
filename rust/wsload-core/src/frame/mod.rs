//! Frames (RFC 6455 section 5): headers, opcodes, masks, UTF-8.

pub mod header;
pub mod mask;
pub mod opcode;
pub mod utf8;

use self::header::Header;
use self::mask::mask_append;
use self::opcode::Opcode;

/// Longest payload of a control frame (RFC 6455 section 5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

/// Appends one masked client frame (RFC 6455 section 5.3).
#[inline]
pub fn encode_frame(opcode: Opcode, fin: bool, key: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    let header = Header { fin, rsv: 0, opcode, mask: Some(key), payload_len: payload.len() as u64 };
    header.encode(out);
    mask_append(key, payload, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn section_5_7_a_masked_hello() {
        let mut out = Vec::new();
        encode_frame(Opcode::Text, true, [0x37, 0xfa, 0x21, 0x3d], b"Hello", &mut out);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    proptest! {
        /// The same frame, read by an implementation that is not ours.
        #[test]
        fn tungstenite_reads_what_we_write(payload in proptest::collection::vec(any::<u8>(), 0..70_000), key: [u8; 4]) {
            use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
            let mut out = Vec::new();
            encode_frame(Opcode::Binary, true, key, &payload, &mut out);
            let stream = std::io::Cursor::new(out);
            let mut peer = WebSocket::from_raw_socket(stream, Role::Server, Some(WebSocketConfig::default()));
            prop_assert_eq!(peer.read().unwrap().into_data(), payload);
        }
    }
}
