//! JSONPath (RFC 9535), for runs and for whoever looks at messages afterwards.
//!
//! A singular query (`$.a.b[0]`) is answered without reading the rest of the text into memory; any other parses it.

mod hide;
mod lazy;

use std::borrow::Cow;

use serde_json::Value;
use serde_json_path::JsonPath;

pub use self::hide::hide;
pub(crate) use self::lazy::Path;

/// A query.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    singular: Option<Path>,
    general: JsonPath,
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no JSONPath query, at byte {at}: {why}")]
pub struct QueryError {
    /// As given.
    pub path: String,
    /// Where it goes wrong.
    pub at: usize,
    /// How.
    pub why: String,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let general = JsonPath::parse(text).map_err(|error| QueryError {
            path: text.to_owned(),
            at: error.position(),
            why: error.message().to_owned(),
        })?;
        Ok(Self { text: text.to_owned(), singular: Path::parse(text).ok(), general })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The JSON texts of all values it finds; none if the payload is not JSON.
    pub fn all(&self, payload: &[u8]) -> Vec<String> {
        let Ok(value) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
        self.general.query(&value).into_iter().map(ToString::to_string).collect()
    }

    /// The normalised paths (RFC 9535 section 2.7) of all values it finds.
    pub fn paths(&self, payload: &[u8]) -> Vec<String> {
        let Ok(value) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
        self.general.query_located(&value).locations().map(ToString::to_string).collect()
    }

    /// The JSON text of the first value it finds.
    pub fn first<'p>(&self, payload: &'p [u8]) -> Option<Cow<'p, [u8]>> {
        if let Some(path) = &self.singular {
            return path.find_value(payload).map(Cow::Borrowed);
        }
        let value: Value = serde_json::from_slice(payload).ok()?;
        let first = self.general.query(&value).first()?.to_string();
        Some(Cow::Owned(first.into_bytes()))
    }

    /// Whether one of the values it finds is such a one.
    pub fn any(&self, payload: &[u8], mut holds: impl FnMut(&[u8]) -> bool) -> bool {
        match &self.singular {
            Some(path) => path.find_value(payload).is_some_and(holds),
            None => self.all(payload).iter().any(|value| holds(value.as_bytes())),
        }
    }
}

/// What a JSON text means to a person: a string's characters, anything else as it is written.
pub fn plain(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")) else {
        return Cow::Borrowed(value);
    };
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_slice::<String>(value).map_or(Cow::Borrowed(inner), |text| Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{"items": [{"id": 1, "t": "a\"b"}, {"id": 2}], "n": null}"#;

    fn first(query: &str) -> Option<String> {
        let found = Query::parse(query).unwrap().first(TEXT)?.into_owned();
        Some(String::from_utf8(found).unwrap())
    }

    #[test]
    fn singular_and_general_queries_give_json_texts() {
        assert_eq!(first("$.items[1].id").as_deref(), Some("2"));
        assert_eq!(first("$.items[0].t").as_deref(), Some(r#""a\"b""#));
        assert_eq!(first("$.items[?@.id > 1].id").as_deref(), Some("2"));
        assert_eq!(first("$..id").as_deref(), Some("1"));
        assert_eq!(first("$.n").as_deref(), Some("null"));
        assert_eq!((first("$.x"), first("$.items[7]"), first("$.items[?@.id > 5]")), (None, None, None));
        assert_eq!(Query::parse("$..id").unwrap().all(TEXT), ["1", "2"]);
        assert!(Query::parse("$..id").unwrap().any(TEXT, |value| value == b"2"));
        assert!(Query::parse("$.a").unwrap().first(b"not json").is_none());
    }

    #[test]
    fn a_string_is_its_characters() {
        assert_eq!(&*plain(br#""a\"b""#), b"a\"b");
        assert_eq!(&*plain(br#""ab""#), b"ab");
        assert_eq!(&*plain(b"1.5"), b"1.5");
    }

    #[test]
    fn what_is_no_query_is_explained() {
        let error = Query::parse("$.a[").unwrap_err();
        assert_eq!((error.path.as_str(), error.at > 0, error.why.is_empty()), ("$.a[", true, false));
    }
}
