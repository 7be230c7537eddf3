//! What values are when a message is sent, and how their surroundings change them.

use std::io::Write as _;

use super::{ASIDE, Filter, RenderContext, Unset, Value, Variables};
use crate::rng::{Purpose, draw};

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Domain of made-up addresses: nobody can own it (RFC 2606).
const EMAIL_DOMAIN: &[u8] = b"@example.com";

/// What is made up for one placeholder: each of a message has draws of its own.
#[derive(Clone, Copy)]
struct Draws<'c> {
    cx: &'c RenderContext,
    place: u64,
}

impl Draws<'_> {
    fn word(self, number: u64) -> u64 {
        let Self { cx, place } = self;
        draw(cx.seed, Purpose::Template, cx.slot, cx.seq << 20 ^ place << 12 ^ number)
    }

    fn letters(self, first: u64, length: u64) -> impl Iterator<Item = u8> {
        (0..length).map(move |index| {
            let word = self.word(first + index / 8);
            ALPHABET[(word >> (index % 8 * 8) & 0xff) as usize * 62 / 256]
        })
    }
}

impl Value {
    /// Appends what it is in one message; `place` tells it from the others of its template.
    pub(super) fn append(
        &self,
        cx: &RenderContext,
        place: u64,
        variables: &impl Variables,
        out: &mut Vec<u8>,
    ) -> Result<(), Unset> {
        let draws = Draws { cx, place };
        // Writing to memory cannot fail.
        let _ = match self {
            Self::Variable(place) => {
                out.extend_from_slice(variables.value(*place).ok_or(Unset(*place))?);
                Ok(())
            }
            Self::Id => write!(out, "{}", u64::from(cx.slot) << 40 | cx.seq & ((1 << 40) - 1)),
            Self::Seq => write!(out, "{}", cx.seq & !ASIDE),
            Self::Conn => write!(out, "{}", cx.slot),
            Self::Iteration => write!(out, "{}", cx.iteration),
            Self::Timestamp => write!(out, "{}", cx.unix_ns / 1_000_000_000),
            Self::IsoTimestamp => append_iso(cx.unix_ns, out),
            Self::SentNs => write!(out, "{}", cx.unix_ns),
            Self::Uuid => append_uuid(draws.word(0), draws.word(1), out),
            Self::RandomInt(low, high) => {
                let width = (i128::from(*high) - i128::from(*low) + 1) as u128;
                let offset = ((u128::from(draws.word(0)) * width) >> 64) as i128;
                write!(out, "{}", i128::from(*low) + offset)
            }
            Self::RandomString(length) => {
                out.extend(draws.letters(2, *length));
                Ok(())
            }
            Self::RandomEmail => {
                out.extend(draws.letters(2, 10).map(|letter| letter.to_ascii_lowercase()));
                out.write_all(EMAIL_DOMAIN)
            }
            Self::Payload(length) => {
                out.extend(ALPHABET.iter().cycle().take(*length as usize));
                Ok(())
            }
            Self::Pick(choices) => {
                let chosen = (u128::from(draws.word(0)) * choices.len() as u128) >> 64;
                out.write_all(&choices[chosen as usize])
            }
        };
        Ok(())
    }
}

impl Filter {
    /// Rewrites what was appended from `start` on; what needs no change is left where it is.
    pub(super) fn apply(self, start: usize, out: &mut Vec<u8>) {
        let plain = |byte: u8| match self {
            Self::Raw => true,
            Self::Json => byte >= 0x20 && byte != b'"' && byte != b'\\',
            Self::Url => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
        };
        let Some(first) = out[start..].iter().position(|byte| !plain(*byte)) else { return };
        let rest = out.split_off(start + first);
        for byte in rest {
            // Writing to memory cannot fail.
            let _ = match (self, byte) {
                _ if plain(byte) => out.write_all(&[byte]),
                (Self::Url, _) => write!(out, "%{byte:02X}"),
                (_, b'"' | b'\\') => out.write_all(&[b'\\', byte]),
                (_, b'\n') => out.write_all(b"\\n"),
                (_, b'\r') => out.write_all(b"\\r"),
                (_, b'\t') => out.write_all(b"\\t"),
                _ => write!(out, "\\u{byte:04x}"),
            };
        }
    }
}

/// RFC 3339 with milliseconds, in UTC. Days to a date as in "chrono-Compatible Low-Level Date Algorithms" (H. Hinnant).
fn append_iso(unix_ns: u64, out: &mut Vec<u8>) -> std::io::Result<()> {
    let (seconds, millis) = (unix_ns / 1_000_000_000, unix_ns / 1_000_000 % 1_000);
    let (days, of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Version 4 in its layout (RFC 9562 section 5.4); its randomness is the seed's.
fn append_uuid(high: u64, low: u64, out: &mut Vec<u8>) -> std::io::Result<()> {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    write!(
        out,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
