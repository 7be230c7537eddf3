//! What tells a message's reply from others: a part of the payload, or all of it.

use std::hash::{DefaultHasher, Hasher as _};

use regex::bytes::Regex;

use crate::json::Path;

/// Where a key is found in a payload.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A value of a JSON text.
    Json(JsonPath),
    /// The first group of a regular expression, or all that it matches.
    Regex(Regex),
    /// The whole payload.
    Echo,
}

/// A path that has been read.
#[derive(Debug, Clone)]
pub struct JsonPath(Path);

/// Why a source cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a singular query of RFC 9535.
    #[error("{path:?} is no path to one value, at byte {at}: write $.id or $.items[0]['name']")]
    Path {
        /// As given.
        path: String,
        /// Where it goes wrong.
        at: usize,
    },
    /// Not a regular expression.
    #[error("not a regular expression: {0}")]
    Regex(String),
}

impl KeySource {
    /// By a path, as RFC 9535 writes it.
    pub fn json(path: &str) -> Result<Self, KeyError> {
        let parsed = Path::parse(path).map_err(|at| KeyError::Path { path: path.to_owned(), at })?;
        Ok(Self::Json(JsonPath(parsed)))
    }

    /// By a regular expression.
    pub fn regex(expression: &str) -> Result<Self, KeyError> {
        Regex::new(expression).map(Self::Regex).map_err(|error| KeyError::Regex(error.to_string()))
    }

    /// The key in a payload: a hash of 64 bits. Two of a million messages in flight share one once in 37 million runs.
    pub fn key_of(&self, payload: &[u8]) -> Option<u64> {
        let found = match self {
            Self::Json(JsonPath(path)) => path.find(payload)?,
            Self::Regex(regex) if regex.captures_len() > 1 => regex.captures(payload)?.get(1)?.as_bytes(),
            Self::Regex(regex) => regex.find(payload)?.as_bytes(),
            Self::Echo => payload,
        };
        let mut hasher = DefaultHasher::new();
        hasher.write(found);
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_part_is_the_same_key_wherever_it_stands() {
        let (sent, received) = (KeySource::json("$.id").unwrap(), KeySource::regex(r"re:(\d+)").unwrap());
        let key = sent.key_of(br#"{"text": "hi", "id": 17}"#);
        assert!(key.is_some());
        assert_eq!(received.key_of(b"re:17 ok"), key);
        assert_ne!(received.key_of(b"re:18 ok"), key);
        assert_eq!(KeySource::Echo.key_of(b"17"), key);
        assert_eq!(KeySource::regex("[0-9]+").unwrap().key_of(b"no 17"), key);
    }

    #[test]
    fn a_payload_without_the_part_has_no_key() {
        assert_eq!(KeySource::json("$.id").unwrap().key_of(b"[]"), None);
        assert_eq!(KeySource::regex("x(y)").unwrap().key_of(b"x"), None);
    }

    #[test]
    fn sources_that_cannot_be_read_are_explained() {
        let error = KeySource::json("$.a.").unwrap_err();
        assert_eq!(error, KeyError::Path { path: "$.a.".into(), at: 4 });
        assert!(matches!(KeySource::regex("("), Err(KeyError::Regex(_))));
    }
}
