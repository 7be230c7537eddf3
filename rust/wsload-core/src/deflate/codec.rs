//! What a connection that has agreed on compression keeps, and what all of a shard share.

use super::{Agreed, Deflater, InflateFault, Inflater};

/// Payload bytes before and after compression, each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompressedBytes {
    /// What was to be sent.
    pub deflate_in: u64,
    /// What it was compressed to.
    pub deflate_out: u64,
    /// What was received.
    pub inflate_in: u64,
    /// What it was inflated to.
    pub inflate_out: u64,
}

/// Streams without memory of earlier messages, and buffers: shared by all connections of a shard.
#[derive(Debug)]
pub struct Codecs {
    level: u32,
    inflater: Option<Inflater>,
    /// By window bits.
    deflaters: [Option<Deflater>; 16],
    /// The last message compressed without context, and what it became: a constant payload is compressed once.
    last: Option<Last>,
    /// Compressed message on its way into frames, or inflated one on its way to the caller.
    scratch: Vec<u8>,
    /// Not yet taken by [`Codecs::take_bytes`].
    bytes: CompressedBytes,
}

#[derive(Debug)]
struct Last {
    window_bits: u8,
    message: Vec<u8>,
    compressed: Vec<u8>,
}

impl Codecs {
    /// Streams of zlib level `level` (0 to 9), made when first needed.
    pub fn new(level: u32) -> Self {
        Self {
            level,
            inflater: None,
            deflaters: Default::default(),
            last: None,
            scratch: Vec::new(),
            bytes: CompressedBytes::default(),
        }
    }

    /// What has been compressed and inflated since the last call.
    pub fn take_bytes(&mut self) -> CompressedBytes {
        std::mem::take(&mut self.bytes)
    }

    /// Compresses without context.
    fn deflate_alone(&mut self, window_bits: u8, message: &[u8]) -> &[u8] {
        let known = self.last.as_ref().is_some_and(|last| last.window_bits == window_bits && last.message == message);
        if !known {
            let (mut kept, mut compressed) =
                self.last.take().map_or_else(Default::default, |last| (last.message, last.compressed));
            kept.clear();
            kept.extend_from_slice(message);
            compressed.clear();
            let level = self.level;
            let deflater =
                self.deflaters[usize::from(window_bits)].get_or_insert_with(|| Deflater::new(level, window_bits));
            deflater.deflate(message, true, &mut compressed);
            self.last = Some(Last { window_bits, message: kept, compressed });
        }
        self.last.as_ref().map_or(&[], |last| &last.compressed)
    }
}

/// What one connection has agreed on.
#[derive(Debug)]
pub struct Codec {
    agreed: Agreed,
    /// With the server's context; made at the first compressed message.
    inflater: Option<Inflater>,
    /// With ours.
    deflater: Option<Deflater>,
    inflated: Vec<u8>,
}

impl Codec {
    /// For a connection whose ends have agreed.
    pub fn new(agreed: Agreed) -> Self {
        Self { agreed, inflater: None, deflater: None, inflated: Vec::new() }
    }

    /// Compresses a message into one payload.
    pub fn deflate<'c>(&mut self, message: &[u8], codecs: &'c mut Codecs) -> &'c [u8] {
        codecs.bytes.deflate_in += message.len() as u64;
        let bits = self.agreed.client_max_window_bits;
        if self.agreed.client_no_context_takeover {
            let len = codecs.deflate_alone(bits, message).len();
            codecs.bytes.deflate_out += len as u64;
            return codecs.last.as_ref().map_or(&[], |last| &last.compressed);
        }
        let deflater = self.deflater.get_or_insert_with(|| Deflater::new(codecs.level, bits));
        codecs.scratch.clear();
        deflater.deflate(message, false, &mut codecs.scratch);
        codecs.bytes.deflate_out += codecs.scratch.len() as u64;
        &codecs.scratch
    }

    /// Inflates a whole message of at most `limit_bytes`; it stays in [`Codec::inflated`] until [`Codec::release`].
    pub fn inflate(&mut self, payload: &[u8], limit_bytes: u64, codecs: &mut Codecs) -> Result<(), InflateFault> {
        self.release(codecs);
        let forget = self.agreed.server_no_context_takeover;
        let inflater = if forget { &mut codecs.inflater } else { &mut self.inflater };
        let inflater = inflater.get_or_insert_with(Inflater::new);
        let mut out = std::mem::take(&mut codecs.scratch);
        out.clear();
        let inflated = inflater
            .inflate(payload, limit_bytes, &mut out)
            .and_then(|()| inflater.finish(forget, limit_bytes, &mut out));
        if inflated.is_err() {
            // A shared stream must not carry a broken message over to the next connection.
            codecs.inflater = None;
        }
        codecs.bytes.inflate_in += payload.len() as u64;
        codecs.bytes.inflate_out += out.len() as u64;
        self.inflated = out;
        inflated
    }

    /// The message that was inflated last.
    pub fn inflated(&self) -> &[u8] {
        &self.inflated
    }

    /// Gives the buffer back to the shard, so that idle connections hold none.
    pub fn release(&mut self, codecs: &mut Codecs) {
        if self.inflated.capacity() > codecs.scratch.capacity() {
            codecs.scratch = std::mem::take(&mut self.inflated);
        } else {
            self.inflated = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(no_context_takeover: bool) -> Agreed {
        Agreed {
            server_no_context_takeover: no_context_takeover,
            client_no_context_takeover: no_context_takeover,
            server_max_window_bits: 15,
            client_max_window_bits: 12,
        }
    }

    #[test]
    fn rfc_7692_section_7_2_two_ends_understand_each_other_with_and_without_context() {
        for alone in [false, true] {
            let (mut ours, mut theirs) = (Codecs::new(6), Codecs::new(6));
            let (mut here, mut there) = (Codec::new(agreed(alone)), Codec::new(agreed(alone)));
            let mut sizes = Vec::new();
            for message in [&b"one two three"[..], b"one two three", b"", b"one two three"] {
                let wire = here.deflate(message, &mut ours).to_vec();
                sizes.push(wire.len());
                there.inflate(&wire, 1_000, &mut theirs).unwrap();
                assert_eq!(there.inflated(), message);
                there.release(&mut theirs);
            }
            // What was sent before is only known where context is taken over.
            assert_eq!(sizes[1] < sizes[0], !alone, "{sizes:?}");
            let bytes = ours.take_bytes();
            assert_eq!((bytes.deflate_in, bytes.deflate_out), (39, sizes.iter().sum::<usize>() as u64));
            assert_eq!(theirs.take_bytes().inflate_out, 39);
            assert_eq!(theirs.take_bytes(), CompressedBytes::default());
        }
    }

    #[test]
    fn without_context_connections_share_their_streams() {
        let mut codecs = Codecs::new(6);
        for _ in 0..3 {
            let mut codec = Codec::new(agreed(true));
            let wire = codec.deflate(b"hello", &mut codecs).to_vec();
            codec.inflate(&wire, 100, &mut codecs).unwrap();
            assert!(codec.inflater.is_none() && codec.deflater.is_none());
        }
    }

    #[test]
    fn a_broken_message_does_not_harm_the_next_connection() {
        let mut codecs = Codecs::new(6);
        let wire = Codec::new(agreed(true)).deflate(&[b'x'; 500], &mut codecs).to_vec();
        let mut bad = Codec::new(agreed(true));
        assert_eq!(bad.inflate(&wire, 100, &mut codecs), Err(InflateFault::TooBig));
        let mut good = Codec::new(agreed(true));
        good.inflate(&wire, 500, &mut codecs).unwrap();
        assert_eq!(good.inflated(), [b'x'; 500]);
    }
}
