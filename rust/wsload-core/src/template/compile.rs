//! From a placeholder's text to what it stands for, or why it stands for nothing.

use super::{Filter, Piece, Value};

/// Longest made-up text of one placeholder.
const MAX_LENGTH: u64 = 64 << 20;
const A_LENGTH: &str = "a length of at most 67108864";
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

/// What stands between `{{` and `}}`; `at` is where that is in the text.
pub(super) fn placeholder(
    inside: &str,
    at: usize,
    place_of: &impl Fn(&str) -> Option<u16>,
) -> Result<Piece, TemplateError> {
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
    let plain = |value, name| if arguments.is_empty() { Ok(value) } else { Err((name, "no arguments")) };
    let made = match name {
        "$id" => plain(Value::Id, "$id"),
        "$seq" => plain(Value::Seq, "$seq"),
        "$conn" => plain(Value::Conn, "$conn"),
        "$iteration" => plain(Value::Iteration, "$iteration"),
        "$isoTimestamp" => plain(Value::IsoTimestamp, "$isoTimestamp"),
        "$randomEmail" => plain(Value::RandomEmail, "$randomEmail"),
        "$timestamp" => plain(Value::Timestamp, "$timestamp"),
        "$sentNs" => plain(Value::SentNs, "$sentNs"),
        "$uuid" => plain(Value::Uuid, "$uuid"),
        "$randomInt" => bounds(&arguments).ok_or(("$randomInt", "two whole numbers, the lower first")),
        "$randomString" => length(&arguments).map(Value::RandomString).ok_or(("$randomString", A_LENGTH)),
        "$payload" => length(&arguments).map(Value::Payload).ok_or(("$payload", A_LENGTH)),
        "$pick" if arguments.is_empty() => Err(("$pick", "what to pick from")),
        "$pick" => Ok(Value::Pick(arguments.iter().map(|choice| choice.as_bytes().to_vec()).collect())),
        _ => return Err(TemplateError::Unknown { at, name: name.to_owned() }),
    };
    made.map_err(|(name, takes)| TemplateError::Arguments { at, name, takes })
}

/// The two ends of a range.
fn bounds(arguments: &[&str]) -> Option<Value> {
    let [low, high] = arguments else { return None };
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(Value::RandomInt(low, high))
}

fn length(arguments: &[&str]) -> Option<u64> {
    let [length] = arguments else { return None };
    length.parse().ok().filter(|length| *length <= MAX_LENGTH)
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
