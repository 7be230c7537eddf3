//! Messages from frames (RFC 6455 sections 5.4, 5.5): fragments, control frames between them, limits.
//!
//! Memory grows with the bytes received, never with a length that a server claims.

use crate::error::{Failure, ProtocolFault};
use crate::frame::RSV1;
use crate::frame::header::{Header, MAX_HEADER_BYTES};
use crate::frame::opcode::Opcode;
use crate::frame::utf8::Utf8;

/// The most a server may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest payload of a frame.
    pub frame_bytes: u64,
    /// Longest message over all its frames.
    pub message_bytes: u64,
}

/// What the bytes fed so far complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Nothing: more bytes are needed.
    Nothing,
    /// A message, in [`Assembly::message`] until [`Assembly::release`].
    Message(Opcode),
    /// The same, but compressed: it is to be inflated, and a text judged then.
    Compressed(Opcode),
    /// A control frame, in [`Assembly::control`] until the next one.
    Control(Opcode),
}

/// A message, or a frame, of which a part has come.
#[derive(Debug, Default)]
pub struct Assembly {
    head: [u8; MAX_HEADER_BYTES],
    head_len: u8,
    /// The frame whose payload is coming in, and how much of it is missing.
    frame: Option<(Header, u64)>,
    control: Vec<u8>,
    message: Option<Message>,
    delivered: bool,
}

#[derive(Debug)]
struct Message {
    opcode: Opcode,
    compressed: bool,
    data: Vec<u8>,
    utf8: Utf8,
}

/// A message in one frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole<'i> {
    /// Text or Binary.
    pub opcode: Opcode,
    /// To be inflated, and a text judged then.
    pub compressed: bool,
    /// As it came.
    pub payload: &'i [u8],
}

/// Takes a whole unfragmented message from the front of `input` without copying it. `deflate`: whether messages may
/// be compressed.
///
/// `Ok(None)`: the front is something else, or not complete; nothing was taken.
#[inline]
pub fn take_whole<'i>(input: &mut &'i [u8], limits: Limits, deflate: bool) -> Result<Option<Whole<'i>>, Failure> {
    let Some((header, head_len)) = Header::parse(input)? else { return Ok(None) };
    if !header.fin || !matches!(header.opcode, Opcode::Text | Opcode::Binary) {
        return Ok(None);
    }
    judge(&header, false, deflate)?;
    check_size(&header, 0, limits)?;
    // Within the limits, a length that does not fit usize is one that has not come.
    let len = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
    let Some(payload) = input[head_len..].get(..len) else { return Ok(None) };
    let compressed = header.rsv != 0;
    if header.opcode == Opcode::Text && !compressed && std::str::from_utf8(payload).is_err() {
        return Err(Failure::InvalidText);
    }
    *input = &input[head_len + len..];
    Ok(Some(Whole { opcode: header.opcode, compressed, payload }))
}

impl Assembly {
    /// Takes bytes from the front of `input` until they complete something or run out.
    pub fn advance(&mut self, input: &mut &[u8], limits: Limits, deflate: bool) -> Result<Piece, Failure> {
        loop {
            let Some((header, missing)) = &mut self.frame else {
                if !self.take_head(input, limits, deflate)? {
                    return Ok(Piece::Nothing);
                }
                continue;
            };
            let len = usize::try_from(*missing).unwrap_or(usize::MAX).min(input.len());
            let (bytes, rest) = input.split_at(len);
            *input = rest;
            *missing -= len as u64;
            let (header, complete) = (*header, *missing == 0);
            self.take_payload(&header, bytes)?;
            if !complete {
                return Ok(Piece::Nothing);
            }
            self.frame = None;
            if header.opcode.is_control() {
                return Ok(Piece::Control(header.opcode));
            }
            if header.fin {
                return self.complete();
            }
        }
    }

    /// The payload of the last control frame.
    pub fn control(&self) -> &[u8] {
        &self.control
    }

    /// The message that has just been completed.
    pub fn message(&self) -> &[u8] {
        self.message.as_ref().map_or(&[], |message| &message.data)
    }

    /// The same, to keep.
    pub fn take_message(&mut self) -> Vec<u8> {
        self.message.as_mut().map_or_else(Vec::new, |message| std::mem::take(&mut message.data))
    }

    /// Forgets the message that was completed, and says whether nothing is left.
    pub fn release(&mut self) -> bool {
        if self.delivered {
            self.message = None;
            self.delivered = false;
        }
        self.head_len == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// Collects a header; false when more bytes are needed.
    fn take_head(&mut self, input: &mut &[u8], limits: Limits, deflate: bool) -> Result<bool, Failure> {
        let have = usize::from(self.head_len);
        let fresh = input.len().min(MAX_HEADER_BYTES - have);
        self.head[have..have + fresh].copy_from_slice(&input[..fresh]);
        let Some((header, len)) = Header::parse(&self.head[..have + fresh])? else {
            self.head_len = (have + fresh) as u8;
            *input = &input[fresh..];
            return Ok(false);
        };
        *input = &input[len - have..];
        self.head_len = 0;
        judge(&header, self.message.is_some(), deflate)?;
        if header.opcode.is_control() {
            self.control.clear();
        } else {
            let so_far = self.message.as_ref().map_or(0, |message| message.data.len() as u64);
            check_size(&header, so_far, limits)?;
            self.message.get_or_insert_with(|| Message {
                opcode: header.opcode,
                compressed: header.rsv != 0,
                data: Vec::new(),
                utf8: Utf8::default(),
            });
        }
        self.frame = Some((header, header.payload_len));
        Ok(true)
    }

    fn take_payload(&mut self, header: &Header, bytes: &[u8]) -> Result<(), Failure> {
        if header.opcode.is_control() {
            self.control.extend_from_slice(bytes);
        } else if let Some(message) = &mut self.message {
            if message.opcode == Opcode::Text && !message.compressed {
                message.utf8.push(bytes).map_err(|_| Failure::InvalidText)?;
            }
            message.data.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<Piece, Failure> {
        self.delivered = true;
        let Some(message) = &self.message else { return Err(ProtocolFault::StrayContinuation.into()) };
        if message.compressed {
            return Ok(Piece::Compressed(message.opcode));
        }
        if message.opcode == Opcode::Text {
            message.utf8.finish().map_err(|_| Failure::InvalidText)?;
        }
        Ok(Piece::Message(message.opcode))
    }
}

/// Judges what a header may say at this point of a connection.
#[inline]
fn judge(header: &Header, inside_message: bool, deflate: bool) -> Result<(), ProtocolFault> {
    // RFC 7692 section 6.2: RSV1 marks the first frame of a compressed message, and nothing else.
    let marks_compression = deflate && header.rsv == RSV1 && matches!(header.opcode, Opcode::Text | Opcode::Binary);
    if header.rsv != 0 && !marks_compression {
        return Err(ProtocolFault::ReservedBits);
    }
    if header.mask.is_some() {
        return Err(ProtocolFault::MaskedFrame);
    }
    match header.opcode {
        Opcode::Continuation if !inside_message => Err(ProtocolFault::StrayContinuation),
        Opcode::Text | Opcode::Binary if inside_message => Err(ProtocolFault::InterleavedMessage),
        _ => Ok(()),
    }
}

/// Enforces the limits on what a header claims, before a byte of it is stored.
fn check_size(header: &Header, so_far: u64, limits: Limits) -> Result<(), Failure> {
    if header.payload_len > limits.frame_bytes {
        return Err(Failure::TooBig { limit_bytes: limits.frame_bytes });
    }
    if so_far + header.payload_len > limits.message_bytes {
        return Err(Failure::TooBig { limit_bytes: limits.message_bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { frame_bytes: 1_000, message_bytes: 1_500 };

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let opcode = Opcode::from_bits(first & 15).unwrap();
        let payload_len = payload.len() as u64;
        Header { fin: first & 0x80 != 0, rsv: first >> 4 & 7, opcode, mask: None, payload_len }.encode(&mut bytes);
        bytes.extend(payload);
        bytes
    }

    /// What a stream says, fed in pieces of `size` bytes.
    fn heard(stream: &[u8], size: usize) -> Result<Vec<(Opcode, Vec<u8>)>, Failure> {
        let mut assembly = Assembly::default();
        let mut said = Vec::new();
        for mut input in stream.chunks(size) {
            loop {
                match assembly.advance(&mut input, LIMITS, false)? {
                    Piece::Nothing => break,
                    Piece::Compressed(_) => unreachable!("nothing was agreed on"),
                    Piece::Message(opcode) => said.push((opcode, assembly.message().to_vec())),
                    Piece::Control(opcode) => said.push((opcode, assembly.control().to_vec())),
                }
                assembly.release();
            }
            assert!(input.is_empty());
        }
        Ok(said)
    }

    fn heard_in_any_pieces(stream: &[u8]) -> Result<Vec<(Opcode, Vec<u8>)>, Failure> {
        let whole = heard(stream, stream.len().max(1));
        for size in [1, 2, 3, 7] {
            assert_eq!(heard(stream, size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn section_5_4_fragments_with_control_frames_between_them() {
        let stream = [
            frame(0x01, b"Hel"),
            frame(0x89, b"?"),
            frame(0x00, b""),
            frame(0x8a, b"!"),
            frame(0x80, b"lo"),
            frame(0x82, b"next"),
        ]
        .concat();
        assert_eq!(
            heard_in_any_pieces(&stream).unwrap(),
            [
                (Opcode::Ping, b"?".to_vec()),
                (Opcode::Pong, b"!".to_vec()),
                (Opcode::Text, b"Hello".to_vec()),
                (Opcode::Binary, b"next".to_vec()),
            ]
        );
    }

    #[test]
    fn section_5_4_what_fragments_must_not_do() {
        for (stream, fault) in [
            (frame(0x80, b"x"), ProtocolFault::StrayContinuation),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), ProtocolFault::InterleavedMessage),
            ([frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")].concat(), ProtocolFault::StrayContinuation),
            (frame(0xc1, b"x"), ProtocolFault::ReservedBits),
            (vec![0x81, 0x81, 0, 0, 0, 0, b'x'], ProtocolFault::MaskedFrame),
        ] {
            assert_eq!(heard_in_any_pieces(&stream), Err(fault.into()), "{stream:x?}");
        }
    }

    #[test]
    fn section_8_1_a_code_point_may_straddle_fragments() {
        let stream = [frame(0x01, &[0xce]), frame(0x80, &[0xba])].concat();
        assert_eq!(heard_in_any_pieces(&stream).unwrap(), [(Opcode::Text, "κ".as_bytes().to_vec())]);
        let cut = [frame(0x01, &[0xce]), frame(0x80, b"")].concat();
        assert_eq!(heard_in_any_pieces(&cut), Err(Failure::InvalidText));
        let binary = frame(0x82, &[0xff, 0xfe]);
        assert!(heard_in_any_pieces(&binary).is_ok());
    }

    #[test]
    fn rfc_7692_section_6_2_rsv1_marks_the_first_frame_of_a_message_and_nothing_else() {
        let judged = |first: u8, inside| {
            let frame = frame(first, b"x");
            judge(&Header::parse(&frame).unwrap().unwrap().0, inside, true)
        };
        assert_eq!(judged(0xc1, false), Ok(()));
        assert_eq!(judged(0x42, false), Ok(()));
        for (first, inside) in [(0xc0, true), (0xc9, false), (0xa1, false), (0xd1, false), (0xf1, false)] {
            assert_eq!(judged(first, inside), Err(ProtocolFault::ReservedBits), "{first:x}");
        }
        let stream = [frame(0x41, b"ab"), frame(0x89, b""), frame(0x80, b"c")].concat();
        let (mut assembly, mut input) = (Assembly::default(), &stream[..]);
        assert_eq!(assembly.advance(&mut input, LIMITS, true), Ok(Piece::Control(Opcode::Ping)));
        assert_eq!(assembly.advance(&mut input, LIMITS, true), Ok(Piece::Compressed(Opcode::Text)));
        assert_eq!(assembly.message(), b"abc");
    }

    #[test]
    fn section_10_4_limits_hold_before_memory_is_taken() {
        assert_eq!(heard(&[0x82, 127, 0, 1, 0, 0, 0, 0, 0, 0], 100), Err(Failure::TooBig { limit_bytes: 1_000 }));
        let stream = [frame(0x02, &[0; 900]), frame(0x80, &[0; 601])].concat();
        assert_eq!(heard_in_any_pieces(&stream), Err(Failure::TooBig { limit_bytes: 1_500 }));
        let fits = [frame(0x02, &[0; 900]), frame(0x80, &[0; 600])].concat();
        assert_eq!(heard_in_any_pieces(&fits).unwrap()[0].1.len(), 1_500);
    }

    #[test]
    fn a_whole_message_is_taken_without_a_copy_and_leaves_its_tail() {
        let stream = [frame(0x82, &[7; 300]), frame(0x81, b"tail")].concat();
        let mut input = &stream[..];
        let mut take = || take_whole(&mut input, LIMITS, false).unwrap().unwrap();
        let Whole { opcode, payload, .. } = take();
        assert_eq!((opcode, payload.as_ptr(), payload.len()), (Opcode::Binary, stream[4..].as_ptr(), 300));
        assert_eq!(take(), Whole { opcode: Opcode::Text, compressed: false, payload: b"tail" });
        for other in [frame(0x01, b"part"), frame(0x89, b"ping"), frame(0x82, &[7; 300])[..200].to_vec()] {
            let mut input = &other[..];
            assert_eq!(take_whole(&mut input, LIMITS, false), Ok(None));
            assert_eq!(input.len(), other.len());
        }
    }
}
