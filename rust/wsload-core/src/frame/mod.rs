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

/// The first of the three reserved bits, as [`Header::rsv`] holds it.
pub const RSV1: u8 = 4;

/// Appends one masked client frame (RFC 6455 section 5.3).
#[inline]
pub fn encode_frame(opcode: Opcode, fin: bool, key: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    let header = Header { fin, rsv: 0, opcode, mask: Some(key), payload_len: payload.len() as u64 };
    header.encode(out);
    mask_append(key, payload, out);
}

/// Appends a message in masked frames of at most `fragment_bytes` each (section 5.4). RSV1, which marks a compressed
/// message, goes on the first frame only (RFC 7692 section 6.1).
pub fn encode_message(
    opcode: Opcode,
    compressed: bool,
    payload: &[u8],
    fragment_bytes: usize,
    mut next_key: impl FnMut() -> [u8; 4],
    out: &mut Vec<u8>,
) {
    let mut rest = payload;
    let mut first = true;
    loop {
        let (part, after) = rest.split_at(rest.len().min(fragment_bytes.max(1)));
        let key = next_key();
        let header = Header {
            fin: after.is_empty(),
            rsv: if compressed && first { RSV1 } else { 0 },
            opcode: if first { opcode } else { Opcode::Continuation },
            mask: Some(key),
            payload_len: part.len() as u64,
        };
        header.encode(out);
        mask_append(key, part, out);
        if after.is_empty() {
            return;
        }
        (rest, first) = (after, false);
    }
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

    #[test]
    fn section_5_4_a_message_in_fragments() {
        let mut out = Vec::new();
        encode_message(Opcode::Text, true, b"Hello", 2, || [0; 4], &mut out);
        let frame = |first: u8, payload: &[u8]| [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat();
        assert_eq!(out, [frame(0x41, b"He"), frame(0, b"ll"), frame(0x80, b"o")].concat());
        out.clear();
        encode_message(Opcode::Binary, false, b"", 2, || [0; 4], &mut out);
        assert_eq!(out, frame(0x82, b""));
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
