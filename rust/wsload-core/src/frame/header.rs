//! Frame headers (RFC 6455 section 5.2).

use super::MAX_CONTROL_BYTES;
use super::opcode::Opcode;
use crate::error::ProtocolFault;

/// Longest header: two bytes, a 64-bit length, a mask key.
pub const MAX_HEADER_BYTES: usize = 14;

/// A frame without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Last frame of its message.
    pub fin: bool,
    /// The three reserved bits, RSV1 being 4. Their meaning is the caller's to judge.
    pub rsv: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// Key of the mask, if the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload in bytes.
    pub payload_len: u64,
}

impl Header {
    /// Reads a header from the front of `bytes` and says how long it is; `None`: more bytes are needed.
    ///
    /// Judges what a header alone can break: unknown opcodes, control frames that are long or fragmented, lengths
    /// not in their shortest form.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolFault> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(ProtocolFault::UnknownOpcode(first & 0x0f))?;
        let fin = first & 0x80 != 0;
        let short = second & 0x7f;
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolFault::FragmentedControl);
            }
            if usize::from(short) > MAX_CONTROL_BYTES {
                return Err(ProtocolFault::ControlTooLong);
            }
        }
        let (payload_len, mut len) = if short < 126 {
            (u64::from(short), 2)
        } else {
            let Some(long) = long_length(short, &bytes[2..])? else { return Ok(None) };
            long
        };
        let mut mask = None;
        if second & 0x80 != 0 {
            let Some(key) = bytes[len..].first_chunk::<4>() else { return Ok(None) };
            mask = Some(*key);
            len += 4;
        }
        Ok(Some((Self { fin, rsv: first >> 4 & 7, opcode, mask, payload_len }, len)))
    }

    /// Appends the header, its length in the shortest form.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        out.push(u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode as u8);
        match self.payload_len {
            short @ 0..=125 => out.push(masked | short as u8),
            medium @ 126..=0xffff => {
                out.push(masked | 126);
                out.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                out.push(masked | 127);
                out.extend_from_slice(&long.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            out.extend_from_slice(&key);
        }
    }
}

/// A length of two or eight bytes, and where the header goes on after it.
#[cold]
fn long_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, usize)>, ProtocolFault> {
    if short == 126 {
        let Some(raw) = bytes.first_chunk::<2>() else { return Ok(None) };
        let length = u64::from(u16::from_be_bytes(*raw));
        return if length < 126 { Err(ProtocolFault::LengthNotMinimal) } else { Ok(Some((length, 4))) };
    }
    let Some(raw) = bytes.first_chunk::<8>() else { return Ok(None) };
    let length = u64::from_be_bytes(*raw);
    if length >> 63 != 0 {
        Err(ProtocolFault::LengthTopBit)
    } else if length <= 0xffff {
        Err(ProtocolFault::LengthNotMinimal)
    } else {
        Ok(Some((length, 10)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> impl Strategy<Value = Header> {
        let opcode = prop::sample::select(vec![Opcode::Continuation, Opcode::Text, Opcode::Binary]);
        let length = prop_oneof![0_u64..300, 65_000_u64..66_000, 0_u64..1 << 63];
        (any::<bool>(), 0_u8..8, opcode, any::<Option<[u8; 4]>>(), length)
            .prop_map(|(fin, rsv, opcode, mask, payload_len)| Header { fin, rsv, opcode, mask, payload_len })
    }

    #[test]
    fn section_5_7_examples() {
        let parse = |bytes: &[u8]| Header::parse(bytes).unwrap().unwrap();
        let hello = Header { fin: true, rsv: 0, opcode: Opcode::Text, mask: None, payload_len: 5 };
        assert_eq!(parse(&[0x81, 0x05]), (hello, 2));
        let masked = Header { mask: Some([0x37, 0xfa, 0x21, 0x3d]), ..hello };
        assert_eq!(parse(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]), (masked, 6));
        let binary = Header { opcode: Opcode::Binary, payload_len: 256, ..hello };
        assert_eq!(parse(&[0x82, 0x7e, 0x01, 0x00]), (binary, 4));
        let large = Header { payload_len: 65_536, ..binary };
        assert_eq!(parse(&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]), (large, 10));
    }

    #[test]
    fn section_5_2_lengths_must_be_in_their_shortest_form() {
        for (bytes, fault) in [
            (&[0x81, 126, 0, 125][..], ProtocolFault::LengthNotMinimal),
            (&[0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], ProtocolFault::LengthNotMinimal),
            (&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], ProtocolFault::LengthTopBit),
        ] {
            assert_eq!(Header::parse(bytes), Err(fault));
        }
    }

    #[test]
    fn section_5_5_control_frames_are_short_and_whole() {
        assert_eq!(Header::parse(&[0x09, 0]), Err(ProtocolFault::FragmentedControl));
        assert_eq!(Header::parse(&[0x88, 126]), Err(ProtocolFault::ControlTooLong));
        assert_eq!(Header::parse(&[0x8a, 125]).unwrap().unwrap().0.payload_len, 125);
    }

    #[test]
    fn section_5_2_reserved_opcodes_are_refused() {
        for bits in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            assert_eq!(Header::parse(&[0x80 | bits, 0]), Err(ProtocolFault::UnknownOpcode(bits)));
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed_and_a_part_of_it_asks_for_more(header in header(), tail in any::<[u8; 3]>()) {
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            let len = bytes.len();
            for part in 0..len {
                prop_assert_eq!(Header::parse(&bytes[..part]), Ok(None));
            }
            bytes.extend(tail);
            prop_assert_eq!(Header::parse(&bytes), Ok(Some((header, len))));
        }

        #[test]
        fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Some((_, len))) = Header::parse(&bytes) {
                prop_assert!(len <= bytes.len() && len <= MAX_HEADER_BYTES);
            }
        }
    }
}
