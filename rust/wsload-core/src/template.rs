//! Messages with placeholders: compiled once, rendered for each send without allocation.
//!
//! `{{$id}}` is unique over the run, `{{$seq}}` counts a slot's messages, `{{$conn}}` is the slot. Random values derive from
//! seed, slot and sequence: the same seed sends the same bytes on any number of workers. `{{name}}` is a variable of the
//! connection. `{{name|json}}` is the inside of a JSON string, `{{name|url}}` a part of a URL, `{{name|raw}}` the value as
//! it is, as without a filter. `\{{` is a literal `{{`.

use std::io::Write as _;

use crate::rng::{Purpose, draw};

/// Longest made-up text of one placeholder.
const MAX_LENGTH: u64 = 64 << 20;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const NAMES: [&str; 13] = [
    "$id",
    "$seq",
    "$conn",
    "$iteration",
    "$timestamp",
    "$isoTimestamp",
    "$sentNs",
    "$uuid",
    "$randomInt",
    "$randomString",
    "$randomEmail",
    "$payload",
    "$pick",
];
/// Domain of made-up addresses: nobody can own it (RFC 2606).
const EMAIL_DOMAIN: &[u8] = b"@example.com";

/// A message with its placeholders found.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
    source: Box<str>,
}

/// As it was written, in quotes: no value is in it.
impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.source)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(Vec<u8>),
    Value(Value, Filter),
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Variable(u16),
    Id,
    Seq,
    Conn,
    Iteration,
    Timestamp,
    IsoTimestamp,
    SentNs,
    Uuid,
    RandomInt(i64, i64),
    RandomString(u64),
    RandomEmail,
    /// Letters and digits that repeat.
    Payload(u64),
    Pick(Vec<Vec<u8>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Raw,
    Json,
    Url,
}

/// What the variables of a connection hold.
pub trait Variables {
    /// The value of the variable at a place, if it has one.
    fn value(&self, place: u16) -> Option<&[u8]>;
}

/// There are none.
#[derive(Debug, Clone, Copy)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _place: u16) -> Option<&[u8]> {
        None
    }
}

/// A variable, by its place, that holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unset(pub u16);

/// Added to the number of a message that answers another, or goes by a clock: how many of these have been sent depends on
/// the server and the time, and must not change what the seed says of the rest.
pub const ASIDE: u64 = 1 << 39;

/// What a rendering depends on.
#[derive(Debug, Clone, Copy)]
pub struct RenderContext {
    /// The run's.
    pub seed: u64,
    /// Number of the connection slot over the whole run.
    pub slot: u32,
    /// Which of the slot's messages this is, from 0.
    pub seq: u64,
    /// Which of the slot's iterations, from 0.
    pub iteration: u64,
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
    /// No such filter.
    #[error("the placeholder at byte {at} has the filter {name:?}, which does not exist: json, url or raw")]
    Filter {
        /// Where it begins.
        at: usize,
        /// As written.
        name: String,
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
    /// Finds the placeholders of a text that knows no variables.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        Self::compile_with(text, |_| None)
    }

    /// Finds the placeholders of a text; `place_of` knows the variables.
    pub fn compile_with(text: &str, place_of: impl Fn(&str) -> Option<u16>) -> Result<Self, TemplateError> {
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
            pieces.push(placeholder(inside.trim(), at, &place_of)?);
            rest = after;
        }
        literal.extend_from_slice(rest.as_bytes());
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces, source: text.into() })
    }

    /// Appends the message, which needs no variables.
    pub fn render(&self, cx: &RenderContext, out: &mut Vec<u8>) {
        // A template compiled without variables has none.
        let _ = self.render_with(cx, &NoVariables, out);
    }

    /// Appends the message; a variable without a value ends it there.
    pub fn render_with(&self, cx: &RenderContext, variables: &impl Variables, out: &mut Vec<u8>) -> Result<(), Unset> {
        for (place, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Value(value, filter) => {
                    let start = out.len();
                    value.append(cx, place as u64, variables, out)?;
                    filter.apply(start, out);
                }
            }
        }
        Ok(())
    }

    /// Whether every rendering is the same.
    pub fn is_static(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// The text, of a template without placeholders.
    pub fn as_static(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(b""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl Value {
    fn append(
        &self,
        cx: &RenderContext,
        place: u64,
        variables: &impl Variables,
        out: &mut Vec<u8>,
    ) -> Result<(), Unset> {
        // Each placeholder of a message has draws of its own.
        let random = |number: u64| draw(cx.seed, Purpose::Template, cx.slot, cx.seq << 20 ^ place << 12 ^ number);
        let letters = |first: u64, length: u64| {
            (0..length).map(move |index| {
                let word = random(first + index / 8);
                ALPHABET[(word >> (index % 8 * 8) & 0xff) as usize * 62 / 256]
            })
        };
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
            Self::Uuid => append_uuid(random(0), random(1), out),
            Self::RandomInt(low, high) => {
                let width = (i128::from(*high) - i128::from(*low) + 1) as u128;
                let offset = ((u128::from(random(0)) * width) >> 64) as i128;
                write!(out, "{}", i128::from(*low) + offset)
            }
            Self::RandomString(length) => {
                out.extend(letters(2, *length));
                Ok(())
            }
            Self::RandomEmail => {
                out.extend(letters(2, 10).map(|letter| letter.to_ascii_lowercase()));
                out.write_all(EMAIL_DOMAIN)
            }
            Self::Payload(length) => {
                out.extend(ALPHABET.iter().cycle().take(*length as usize));
                Ok(())
            }
            Self::Pick(choices) => {
                let chosen = (u128::from(random(0)) * choices.len() as u128) >> 64;
                out.write_all(&choices[chosen as usize])
            }
        };
        Ok(())
    }
}

impl Filter {
    /// Rewrites what was appended from `start` on; what needs no change is left where it is.
    fn apply(self, start: usize, out: &mut Vec<u8>) {
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

fn placeholder(inside: &str, at: usize, place_of: &impl Fn(&str) -> Option<u16>) -> Result<Piece, TemplateError> {
    // A bar among arguments is theirs: {{$pick(a|b,c)}}.
    let (value, filter) = match inside.rsplit_once('|').filter(|(_, after)| !after.contains(')')) {
        Some((value, name)) => (value.trim(), filter(name.trim(), at)?),
        None => (inside, Filter::Raw),
    };
    Ok(Piece::Value(value_of(value, at, place_of)?, filter))
}

fn filter(name: &str, at: usize) -> Result<Filter, TemplateError> {
    match name {
        "json" => Ok(Filter::Json),
        "url" => Ok(Filter::Url),
        "raw" => Ok(Filter::Raw),
        _ => Err(TemplateError::Filter { at, name: name.to_owned() }),
    }
}

fn value_of(inside: &str, at: usize, place_of: &impl Fn(&str) -> Option<u16>) -> Result<Value, TemplateError> {
    if let Some(place) = place_of(inside) {
        return Ok(Value::Variable(place));
    }
    let (name, arguments) = match inside.split_once('(') {
        Some((name, rest)) => {
            (name.trim(), rest.strip_suffix(')').map(|list| list.split(',').map(str::trim).collect()))
        }
        None => (inside, Some(Vec::new())),
    };
    let arguments: Vec<&str> = arguments.ok_or(TemplateError::Unclosed { at })?;
    let plain = |piece, name| if arguments.is_empty() { Ok(piece) } else { Err((name, "no arguments")) };
    let made = match (name, &arguments[..]) {
        ("$id", _) => plain(Value::Id, "$id"),
        ("$seq", _) => plain(Value::Seq, "$seq"),
        ("$conn", _) => plain(Value::Conn, "$conn"),
        ("$iteration", _) => plain(Value::Iteration, "$iteration"),
        ("$isoTimestamp", _) => plain(Value::IsoTimestamp, "$isoTimestamp"),
        ("$randomEmail", _) => plain(Value::RandomEmail, "$randomEmail"),
        ("$timestamp", _) => plain(Value::Timestamp, "$timestamp"),
        ("$sentNs", _) => plain(Value::SentNs, "$sentNs"),
        ("$uuid", _) => plain(Value::Uuid, "$uuid"),
        ("$randomInt", [low, high]) => match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) if low <= high => Ok(Value::RandomInt(low, high)),
            _ => Err(("$randomInt", "two whole numbers, the lower first")),
        },
        ("$randomInt", _) => Err(("$randomInt", "two whole numbers, the lower first")),
        ("$randomString", [length]) => match length.parse() {
            Ok(length @ 0..=MAX_LENGTH) => Ok(Value::RandomString(length)),
            _ => Err(("$randomString", "a length of at most 67108864")),
        },
        ("$randomString", _) => Err(("$randomString", "a length of at most 67108864")),
        ("$payload", [length]) => match length.parse() {
            Ok(length @ 0..=MAX_LENGTH) => Ok(Value::Payload(length)),
            _ => Err(("$payload", "a length of at most 67108864")),
        },
        ("$payload", _) => Err(("$payload", "a length of at most 67108864")),
        ("$pick", []) => Err(("$pick", "what to pick from")),
        ("$pick", choices) => Ok(Value::Pick(choices.iter().map(|choice| choice.as_bytes().to_vec()).collect())),
        _ => return Err(TemplateError::Unknown { at, name: name.to_owned() }),
    };
    made.map_err(|(name, takes)| TemplateError::Arguments { at, name, takes })
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

    const CX: RenderContext =
        RenderContext { iteration: 0, seed: 7, slot: 3, seq: 5, unix_ns: 1_700_000_000_123_456_789 };

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

    struct Two;

    impl Variables for Two {
        fn value(&self, place: u16) -> Option<&[u8]> {
            [Some(&b"say \"hi\"\n\xc3\xa9 & co\x01"[..]), None][usize::from(place)]
        }
    }

    #[test]
    fn variables_are_filled_in_as_their_surroundings_need_them() {
        let place_of = |name: &str| ["text", "absent"].iter().position(|known| *known == name).map(|at| at as u16);
        let render = |text: &str| {
            let mut out = Vec::new();
            let done = Template::compile_with(text, place_of).unwrap().render_with(&CX, &Two, &mut out);
            done.map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(render("<{{text}}>").unwrap(), "<say \"hi\"\n\u{e9} & co\u{1}>");
        assert_eq!(render("<{{ text | json }}>").unwrap(), "<say \\\"hi\\\"\\n\u{e9} & co\\u0001>");
        assert_eq!(render("?q={{text|url}}").unwrap(), "?q=say%20%22hi%22%0A%C3%A9%20%26%20co%01");
        assert_eq!(render("a{{absent}}"), Err(Unset(1)));
        assert_eq!(
            Template::compile_with("{{text|yaml}}", place_of).unwrap_err(),
            TemplateError::Filter { at: 0, name: "yaml".into() }
        );
        assert_eq!(rendered("{{$pick(a|b)}}", CX), "a|b");
    }

    #[test]
    fn made_up_texts_have_their_shape() {
        assert_eq!(rendered("{{$isoTimestamp}}", CX), "2023-11-14T22:13:20.123Z");
        let leap = RenderContext { unix_ns: 951_827_696_000_000_000, ..CX };
        assert_eq!(rendered("{{$isoTimestamp}}", leap), "2000-02-29T12:34:56.000Z");
        assert_eq!(rendered("{{$isoTimestamp}}", RenderContext { unix_ns: 0, ..CX }), "1970-01-01T00:00:00.000Z");
        let email = rendered("{{$randomEmail}}", CX);
        assert!(email.ends_with("@example.com") && email.len() == 22 && email == email.to_lowercase(), "{email}");
        assert_eq!(rendered("{{$payload(70)}}", CX).len(), 70);
        assert_eq!(rendered("{{$iteration}}", RenderContext { iteration: 9, ..CX }), "9");
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
