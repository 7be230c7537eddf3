//! Messages with placeholders: compiled once, rendered for each send without allocation.
//!
//! `{{$id}}` is unique over the run, `{{$seq}}` counts a slot's messages, `{{$conn}}` is the slot. Random values derive from
//! seed, slot and sequence: the same seed sends the same bytes on any number of workers. `{{name}}` is a variable of the
//! connection. `{{name|json}}` is the inside of a JSON string, `{{name|url}}` a part of a URL, `{{name|raw}}` the value as
//! it is, as without a filter. `\{{` is a literal `{{`.

mod compile;
mod render;
#[cfg(test)]
mod tests;

pub use self::compile::TemplateError;
use self::compile::placeholder;

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
