//! Compressing and decompressing messages (RFC 7692 section 7.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What a sync flush leaves at the end of a message and the wire does not carry (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Inflated bytes are taken out in steps of this size, so that a bomb is noticed before it has grown.
const STEP_BYTES: usize = 16 * 1024;

/// Why a compressed message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateFault {
    /// Not deflate data.
    #[error("a compressed message is not valid deflate data")]
    Invalid,
    /// Inflates to more than the limit.
    #[error("a compressed message inflates to more than the limit")]
    TooBig,
}

/// Compresses messages.
#[derive(Debug)]
pub struct Deflater {
    stream: Compress,
}

impl Deflater {
    /// A deflater with a window of `window_bits` (9 to 15) and zlib level `level` (0 to 9).
    ///
    /// # Panics
    /// Outside these ranges.
    pub fn new(level: u32, window_bits: u8) -> Self {
        assert!((9..=15).contains(&window_bits) && level <= 9, "window {window_bits}, level {level}");
        Self { stream: Compress::new_with_window_bits(Compression::new(level), false, window_bits) }
    }

    /// Appends `message`, compressed as one frame's payload. `forget`: without context from or for other messages.
    pub fn deflate(&mut self, message: &[u8], forget: bool, out: &mut Vec<u8>) {
        let start = out.len();
        let mut rest = message;
        loop {
            out.reserve(rest.len() / 2 + 64);
            let before = self.stream.total_in();
            // Deflating into memory fails only when zlib is misused.
            let _ = self.stream.compress_vec(rest, out, FlushCompress::Sync);
            rest = &rest[(self.stream.total_in() - before) as usize..];
            // Room left over means that the flush is complete.
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        if out[start..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        if out.len() == start {
            // Section 7.2.3.6: an empty message is one empty block.
            out.push(0);
        }
        if forget {
            self.stream.reset();
        }
    }
}

/// Decompresses the messages of one connection.
#[derive(Debug)]
pub struct Inflater {
    stream: Decompress,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater; its window of 15 reads what any window wrote.
    pub fn new() -> Self {
        Self { stream: Decompress::new(false) }
    }

    /// Appends what a part of a message inflates to. `out` never grows above `limit_bytes`.
    pub fn inflate(&mut self, part: &[u8], limit_bytes: u64, out: &mut Vec<u8>) -> Result<(), InflateFault> {
        let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        let mut rest = part;
        loop {
            let room = STEP_BYTES.min(limit.saturating_sub(out.len()).saturating_add(1));
            out.reserve(room);
            let (before_in, before_out) = (self.stream.total_in(), out.len());
            let status = self.stream.decompress_vec(rest, out, FlushDecompress::Sync);
            rest = &rest[(self.stream.total_in() - before_in) as usize..];
            if out.len() > limit {
                out.truncate(limit);
                return Err(InflateFault::TooBig);
            }
            let drained = out.len() < out.capacity();
            match status.map_err(|_| InflateFault::Invalid)? {
                // Section 7.2.3.4: a block with BFINAL set ends the stream, the message may go on.
                Status::StreamEnd => {
                    self.stream.reset(false);
                    if rest.is_empty() {
                        return Ok(());
                    }
                }
                _ if rest.is_empty() && drained => return Ok(()),
                _ if out.len() == before_out && drained => return Err(InflateFault::Invalid),
                _ => {}
            }
        }
    }

    /// Ends a message: appends what the stripped tail makes readable. `forget`: the next one has no context.
    pub fn finish(&mut self, forget: bool, limit_bytes: u64, out: &mut Vec<u8>) -> Result<(), InflateFault> {
        self.inflate(&TAIL, limit_bytes, out)?;
        if forget {
            self.stream.reset(false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inflate(inflater: &mut Inflater, parts: &[&[u8]], forget: bool) -> Result<Vec<u8>, InflateFault> {
        let mut out = Vec::new();
        for part in parts {
            inflater.inflate(part, 1 << 20, &mut out)?;
        }
        inflater.finish(forget, 1 << 20, &mut out)?;
        Ok(out)
    }

    /// The example of section 7.2.3.1 and 7.2.3.2: "Hello" with and without context.
    #[test]
    fn section_7_2_3_2_hello_twice_over_one_context() {
        let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let second = [0xf2, 0x00, 0x11, 0x00, 0x00];
        let mut inflater = Inflater::new();
        assert_eq!(inflate(&mut inflater, &[&first], false).unwrap(), b"Hello");
        assert_eq!(inflate(&mut inflater, &[&second], false).unwrap(), b"Hello");
        let mut deflater = Deflater::new(6, 15);
        let mut out = Vec::new();
        deflater.deflate(b"Hello", false, &mut out);
        assert_eq!(out, first);
    }

    #[test]
    fn section_7_2_3_3_a_stored_block() {
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        assert_eq!(inflate(&mut Inflater::new(), &[&stored], false).unwrap(), b"Hello");
    }

    #[test]
    fn section_7_2_3_4_a_block_with_bfinal_set() {
        let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        let mut inflater = Inflater::new();
        assert_eq!(inflate(&mut inflater, &[&last], false).unwrap(), b"Hello");
        assert_eq!(inflate(&mut inflater, &[&last], false).unwrap(), b"Hello");
    }

    #[test]
    fn section_7_2_3_5_two_blocks_in_one_message() {
        let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflate(&mut Inflater::new(), &[&two], false).unwrap(), b"Hello");
    }

    #[test]
    fn section_7_2_3_6_an_empty_message_is_one_byte() {
        let mut out = Vec::new();
        Deflater::new(6, 15).deflate(b"", false, &mut out);
        assert_eq!(out, [0]);
        assert_eq!(inflate(&mut Inflater::new(), &[&out], false).unwrap(), b"");
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let mut bomb = Vec::new();
        Deflater::new(9, 15).deflate(&vec![0; 10 << 20], false, &mut bomb);
        assert!(bomb.len() < 12_000);
        let mut out = Vec::new();
        let fault = Inflater::new().inflate(&bomb, 1_000_000, &mut out);
        assert_eq!(fault, Err(InflateFault::TooBig));
        assert!(out.capacity() < 3_000_000, "{}", out.capacity());
    }

    #[test]
    fn exactly_the_limit_is_allowed() {
        let mut bytes = Vec::new();
        Deflater::new(6, 15).deflate(&vec![7; 50_000], false, &mut bytes);
        let mut out = Vec::new();
        let mut inflater = Inflater::new();
        inflater.inflate(&bytes, 50_000, &mut out).unwrap();
        inflater.finish(false, 50_000, &mut out).unwrap();
        assert_eq!(out.len(), 50_000);
    }

    #[test]
    fn bytes_that_are_no_deflate_data_are_an_error() {
        assert_eq!(inflate(&mut Inflater::new(), &[&[0xff; 40]], false), Err(InflateFault::Invalid));
    }

    proptest! {
        #[test]
        fn messages_survive_every_window_with_and_without_context_however_they_are_cut(
            messages in proptest::collection::vec(proptest::collection::vec(0_u8..4, 0..5_000), 1..5),
            bits in 9_u8..=15,
            forget: bool,
            cut in 1_usize..200,
        ) {
            let mut deflater = Deflater::new(6, bits);
            let mut inflater = Inflater::new();
            for message in &messages {
                let mut wire = Vec::new();
                deflater.deflate(message, forget, &mut wire);
                let parts: Vec<&[u8]> = wire.chunks(cut).collect();
                prop_assert_eq!(&inflate(&mut inflater, &parts, forget).unwrap(), message);
            }
        }

        #[test]
        fn any_bytes_inflate_or_fail_but_never_exceed_the_limit(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..4),
        ) {
            let mut inflater = Inflater::new();
            let mut out = Vec::new();
            for part in &parts {
                if inflater.inflate(part, 10_000, &mut out).is_err() { break }
            }
            prop_assert!(out.len() <= 10_000);
        }
    }
}
