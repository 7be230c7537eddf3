//! UTF-8 in pieces (RFC 6455 section 8.1): code points may straddle frames, and reads.

/// Text that is not valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8;

/// Validates text that comes in pieces, and fails as soon as no continuation could make it valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Utf8 {
    /// The bytes of a code point that is not complete.
    pending: [u8; 3],
    len: u8,
}

impl Utf8 {
    /// Takes the next piece.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), InvalidUtf8> {
        while self.len > 0 {
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            let mut point = [0; 4];
            let len = usize::from(self.len);
            point[..len].copy_from_slice(&self.pending[..len]);
            point[len] = *byte;
            bytes = rest;
            match std::str::from_utf8(&point[..=len]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => {
                    self.pending[len] = *byte;
                    self.len += 1;
                }
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(InvalidUtf8),
            Err(error) => {
                let rest = &bytes[error.valid_up_to()..];
                self.pending[..rest.len()].copy_from_slice(rest);
                self.len = rest.len() as u8;
                Ok(())
            }
        }
    }

    /// The text is over: a code point must not be.
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.len == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(bytes: &[u8], size: usize) -> Result<(), InvalidUtf8> {
        let mut validator = Utf8::default();
        bytes.chunks(size).try_for_each(|piece| validator.push(piece))?;
        validator.finish()
    }

    #[test]
    fn section_8_1_what_is_text_and_what_is_not() {
        let (largest, beyond) = ([0xf4, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80]);
        let (surrogate, overlong) = ([0xed, 0xa0, 0x80], [0xc0, 0xaf]);
        let (noncharacter, cut) = ([0xef, 0xbf, 0xbe], [0xce, 0xba, 0xe1, 0xbd]);
        for size in 1..5 {
            for valid in ["κόσμε".as_bytes(), &largest, &noncharacter, b""] {
                assert_eq!(in_pieces(valid, size), Ok(()), "{valid:x?} by {size}");
            }
            for invalid in [&beyond[..], &surrogate, &overlong, &cut, &[0x80]] {
                assert_eq!(in_pieces(invalid, size), Err(InvalidUtf8), "{invalid:x?} by {size}");
            }
        }
    }

    #[test]
    fn section_8_1_it_fails_at_the_first_byte_that_cannot_be_mended() {
        // F4 90 is beyond U+10FFFF whatever follows (Autobahn 6.4.1).
        let mut validator = Utf8::default();
        assert_eq!(validator.push(&[0xf4]), Ok(()));
        assert_eq!(validator.push(&[0x90]), Err(InvalidUtf8));
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_standard_library_however_the_text_is_cut(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..12),
                any::<String>().prop_map(String::into_bytes),
            ],
            size in 1_usize..6,
        ) {
            prop_assert_eq!(in_pieces(&bytes, size).is_ok(), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
