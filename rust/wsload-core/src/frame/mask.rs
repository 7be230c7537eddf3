//! Masking (RFC 6455 section 5.3): byte `i` of the payload is XORed with byte `i mod 4` of the key.

/// Masks a payload in place.
pub fn mask_in_place(key: [u8; 4], payload: &mut [u8]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let masked = u64::from_ne_bytes(word.try_into().unwrap_or_default()) ^ wide;
        word.copy_from_slice(&masked.to_ne_bytes());
    }
    mask_plainly(key, words.into_remainder());
}

/// Appends the masked payload: one pass from the message to the send buffer.
#[inline]
pub fn mask_append(key: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(payload);
    mask_in_place(key, &mut out[start..]);
}

/// The rule as the RFC writes it: what the fast path is held against, and its last few bytes.
fn mask_plainly(key: [u8; 4], payload: &mut [u8]) {
    for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_5_3_fast_and_plain_agree_over_every_length_and_alignment() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let bytes: Vec<u8> = (0..400_u32).map(|i| (i * 7 % 251) as u8).collect();
        for start in 0..16 {
            for len in 0..=300 {
                let payload = &bytes[start..start + len];
                let mut plain = payload.to_vec();
                mask_plainly(key, &mut plain);
                let mut fast = bytes.clone();
                mask_in_place(key, &mut fast[start..start + len]);
                assert_eq!(fast[start..start + len], plain, "{len} bytes at {start}");
                let mut appended = bytes[..start].to_vec();
                mask_append(key, payload, &mut appended);
                assert_eq!(appended[start..], plain);
            }
        }
    }

    #[test]
    fn section_5_7_hello_masked() {
        let mut hello = *b"Hello";
        mask_in_place([0x37, 0xfa, 0x21, 0x3d], &mut hello);
        assert_eq!(hello, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
