//! Messages with placeholders: compiled once, rendered for each send without allocation.
//!
//! `{{$id}}` is unique over the run, `{{$seq}}` counts a slot's messages, `{{$conn}}` is the slot. Random values derive from
//! seed, slot and sequence: the same seed sends the same bytes on any number of workers. `\{{` is a literal `{{`.

use std::io::Write as _;

use crate::rng::{Purpose, draw};

/// Longest made-up text of one placeholder.
const MAX_LENGTH: u64 = 64 << 20;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const NAMES: [&str; 9] =
    ["$id", "$seq", "$conn", "$timestamp", "$sentNs", "$uuid", "$randomInt", "$randomString", "$pick"];

/// A message with its placeholders found.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(Vec<u8>),
    Id,
    Seq,
    Conn,
    Timestamp,
    SentNs,
    Uuid,
    RandomInt(i64, i64),
    RandomString(u64),
    Pick(Vec<Vec<u8>>),
}

/// What a rendering depends on.
#[derive(Debug, Clone, Copy)]
pub struct RenderContext {
    /// The run's.
    pub seed: u64,
    /// Number of the connection slot over the whole run.
    pub slot: u32,
    /// Which of the slot's messages this is, from 0.
    pub seq: u64,
    /// Wall-clock time of the send, ns since 1970.
    pub unix_ns: u64,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("the placeholder at byte {at} has no end")]
    Unclosed {
        /// Where it begins.
        at: usize,
    },
    /// No such value.
    #[error("the placeholder at byte {at} names {name:?}, which does not exist: {}", nearest(name))]
    Unknown {
        /// Where it begins.
        at: usize,
        /// As written.
        name: String,
    },
    /// Arguments missing, too many, or of another kind.
    #[error("the placeholder at byte {at}: {name} takes {takes}")]
    Arguments {
        /// Where it begins.
        at: usize,
        /// Whose arguments.
        name: &'static str,
        /// What it takes.
        takes: &'static str,
    },
}

impl Template {
    /// Finds the placeholders of a text.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            if let Some(before) = rest[..open].strip_suffix('\\') {
                literal.extend_from_slice(before.as_bytes());
                literal.extend_from_slice(b"{{");
                rest = &rest[open + 2..];
                continue;
            }
            literal.extend_from_slice(&rest.as_bytes()[..open]);
            let at = text.len() - rest.len() + open;
            let (inside, after) = rest[open + 2..].split_once("}}").ok_or(TemplateError::Unclosed { at })?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(placeholder(inside.trim(), at)?);
            rest = after;
        }
        literal.extend_from_slice(rest.as_bytes());
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }

    /// Appends the message.
    pub fn render(&self, cx: &RenderContext, out: &mut Vec<u8>) {
        for (place, piece) in self.0.iter().enumerate() {
            // Each placeholder of a message has draws of its own.
            let random =
                |number: u64| draw(cx.seed, Purpose::Template, cx.slot, cx.seq << 20 ^ (place as u64) << 12 ^ number);
            // Writing to memory cannot fail.
            let _ = match piece {
                Piece::Text(text) => out.write_all(text),
                Piece::Id => write!(out, "{}", u64::from(cx.slot) << 40 | cx.seq & ((1 << 40) - 1)),
                Piece::Seq => write!(out, "{}", cx.seq),
                Piece::Conn => write!(out, "{}", cx.slot),
                Piece::Timestamp => write!(out, "{}", cx.unix_ns / 1_000_000_000),
                Piece::SentNs => write!(out, "{}", cx.unix_ns),
                Piece::Uuid => append_uuid(random(0), random(1), out),
                Piece::RandomInt(low, high) => {
                    let width = (i128::from(*high) - i128::from(*low) + 1) as u128;
                    let offset = ((u128::from(random(0)) * width) >> 64) as i128;
                    write!(out, "{}", i128::from(*low) + offset)
                }
                Piece::RandomString(length) => {
                    out.extend((0..*length).map(|index| {
                        let word = random(2 + index / 8);
                        ALPHABET[(word >> (index % 8 * 8) & 0xff) as usize * 62 / 256]
                    }));
                    Ok(())
                }
                Piece::Pick(choices) => {
                    let chosen = (u128::from(random(0)) * choices.len() as u128) >> 64;
                    out.write_all(&choices[chosen as usize])
                }
            };
        }
    }

    /// Whether every rendering is the same.
    pub fn is_static(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }
}

fn placeholder(inside: &str, at: usize) -> Result<Piece, TemplateError> {
    let (name, arguments) = match inside.split_once('(') {
        Some((name, rest)) => {
            (name.trim(), rest.strip_suffix(')').map(|list| list.split(',').map(str::trim).collect()))
        }
        None => (inside, Some(Vec::new())),
    };
    let arguments: Vec<&str> = arguments.ok_or(TemplateError::Unclosed { at })?;
    let plain = |piece, name| if arguments.is_empty() { Ok(piece) } else { Err((name, "no arguments")) };
    let made = match (name, &arguments[..]) {
        ("$id", _) => plain(Piece::Id, "$id"),
        ("$seq", _) => plain(Piece::Seq, "$seq"),
        ("$conn", _) => plain(Piece::Conn, "$conn"),
        ("$timestamp", _) => plain(Piece::Timestamp, "$timestamp"),
        ("$sentNs", _) => plain(Piece::SentNs, "$sentNs"),
        ("$uuid", _) => plain(Piece::Uuid, "$uuid"),
        ("$randomInt", [low, high]) => match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) if low <= high => Ok(Piece::RandomInt(low, high)),
            _ => Err(("$randomInt", "two whole numbers, the lower first")),
        },
        ("$randomInt", _) => Err(("$randomInt", "two whole numbers, the lower first")),
        ("$randomString", [length]) => match length.parse() {
            Ok(length @ 0..=MAX_LENGTH) => Ok(Piece::RandomString(length)),
            _ => Err(("$randomString", "a length of at most 67108864")),
        },
        ("$randomString", _) => Err(("$randomString", "a length of at most 67108864")),
        ("$pick", []) => Err(("$pick", "what to pick from")),
        ("$pick", choices) => Ok(Piece::Pick(choices.iter().map(|choice| choice.as_bytes().to_vec()).collect())),
        _ => return Err(TemplateError::Unknown { at, name: name.to_owned() }),
    };
    made.map_err(|(name, takes)| TemplateError::Arguments { at, name, takes })
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

/// The known name that is most like a wrong one.
fn nearest(name: &str) -> String {
    let best = NAMES.into_iter().min_by_key(|known| distance(name.as_bytes(), known.as_bytes())).unwrap_or_default();
    format!("did you mean {best}?")
}

fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let cost = (diagonal + usize::from(a != b)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CX: RenderContext = RenderContext { seed: 7, slot: 3, seq: 5, unix_ns: 1_700_000_000_123_456_789 };

    fn rendered(text: &str, cx: RenderContext) -> String {
        let mut out = Vec::new();
        Template::compile(text).unwrap().render(&cx, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn placeholders_are_replaced_and_the_rest_stays() {
        assert_eq!(rendered("{{$conn}}/{{ $seq }} at {{$timestamp}}", CX), "3/5 at 1700000000");
        assert_eq!(rendered("{{$sentNs}}", CX), "1700000000123456789");
        assert_eq!(rendered("{{$id}}", CX), (3_u64 << 40 | 5).to_string());
        assert_eq!(rendered(r"\{{$id}} {x} }}", CX), "{{$id}} {x} }}");
        assert!(Template::compile("plain").unwrap().is_static() && !Template::compile("{{$id}}").unwrap().is_static());
    }

    #[test]
    fn random_values_repeat_with_the_seed_and_differ_between_messages_and_places() {
        let text = "{{$randomString(12)}} {{$randomString(12)}}";
        let first = rendered(text, CX);
        assert_eq!(first, rendered(text, CX));
        let (one, other) = first.split_once(' ').unwrap();
        assert!(one != other && one.len() == 12 && one.chars().all(|char| char.is_ascii_alphanumeric()));
        for cx in [RenderContext { seed: 8, ..CX }, RenderContext { slot: 4, ..CX }, RenderContext { seq: 6, ..CX }] {
            assert_ne!(first, rendered(text, cx));
        }
    }

    #[test]
    fn numbers_choices_and_uuids_have_their_shape() {
        let numbers: Vec<i64> = (0..500)
            .map(|seq| rendered("{{$randomInt(-2,2)}}", RenderContext { seq, ..CX }).parse().unwrap())
            .collect();
        assert!((-2..=2).all(|number| numbers.contains(&number)) && numbers.iter().all(|n| (-2..=2).contains(n)));
        let picked = rendered("{{$pick(red, green)}}", CX);
        assert!(picked == "red" || picked == "green");
        let uuid = rendered("{{$uuid}}", CX);
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert!(parts == [8, 4, 4, 4, 12] && &uuid[14..15] == "4" && "89ab".contains(&uuid[19..20]), "{uuid}");
    }

    #[test]
    fn what_is_no_placeholder_is_explained() {
        let error = |text: &str| Template::compile(text).unwrap_err().to_string();
        assert_eq!(error("a {{$id"), "the placeholder at byte 2 has no end");
        assert_eq!(
            error("{{$sequence}}"),
            "the placeholder at byte 0 names \"$sequence\", which does not exist: did you mean $seq?"
        );
        assert_eq!(error("{{$id(1)}}"), "the placeholder at byte 0: $id takes no arguments");
        assert!(error("{{$randomInt(5,1)}}").contains("the lower first"));
        assert!(error("{{$randomString(x)}}").contains("a length"));
        assert!(error("{{$pick}}").contains("what to pick from"));
    }

    proptest! {
        #[test]
        fn a_text_without_braces_is_itself(text in "[^{]{0,50}") {
            prop_assert_eq!(rendered(&text, CX), text);
        }

        #[test]
        fn any_text_compiles_or_is_explained(text in ".{0,40}") {
            let _ = Template::compile(&text);
        }
    }
}
