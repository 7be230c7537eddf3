//! The part of a plan that says what is sent, and how a reply finds it.

use serde::{Deserialize, Serialize};

use crate::matching::{KeyError, KeySource};

/// How a reply finds its send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Matching {
    /// The n-th message received answers the n-th sent.
    Order,
    /// Sends expect no reply; whatever arrives is a push.
    None,
    /// A message answers the one that holds the same key.
    Key {
        /// Where the key stands in what is sent.
        sent: KeySpec,
        /// Where in what is received.
        received: KeySpec,
    },
}

/// Where a key stands in a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySpec {
    /// It is the whole payload.
    Echo,
    /// At a path of a JSON text (RFC 9535, singular).
    Json(String),
    /// What a regular expression finds.
    Regex(String),
}

impl KeySpec {
    /// The source it describes.
    pub fn source(&self) -> Result<KeySource, KeyError> {
        match self {
            Self::Echo => Ok(KeySource::Echo),
            Self::Json(path) => KeySource::json(path),
            Self::Regex(expression) => KeySource::regex(expression),
        }
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Name under which its latencies are recorded.
    pub name: String,
    /// Text messages must hold valid UTF-8.
    pub kind: MessageKind,
    /// The payload (base64 in JSON).
    #[serde(with = "payload_base64")]
    pub payload: Vec<u8>,
    /// It holds placeholders, and is rendered for each send.
    pub template: bool,
}

/// Type of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
}

/// Bytes as base64 in JSON.
pub(super) mod payload_base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(payload: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(payload))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}
