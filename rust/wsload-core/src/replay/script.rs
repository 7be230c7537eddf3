//! What was recorded, in the shape in which it is played.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::frame::opcode::{Opcode, close_code_is_valid};

/// Longest reason of a Close (RFC 6455 section 5.5).
const MAX_REASON_BYTES: usize = 123;
/// Longest payload of a ping, section 5.5.
const MAX_CONTROL_BYTES: usize = 125;

/// Connections to play. Times are nanoseconds on the recording's own clock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// They are played in turn: copy 0 of each, then copy 1.
    pub parts: Vec<Part>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// When it began.
    pub begin_ns: u64,
    /// What it did, in order; the last step is a Close or the end.
    pub steps: Vec<Step>,
    /// The messages it got, in order.
    pub received: Vec<Expected>,
    /// The server closed it.
    pub closed_by_server: bool,
}

/// Something that a connection did.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub at_ns: u64,
    /// Messages it had got by then.
    pub after: u32,
    /// What.
    pub act: Act,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Sends a message.
    Send {
        /// It is binary.
        binary: bool,
        /// Place of its name.
        name: u16,
        /// The payload in pieces: between two of them stands the number of the copy.
        #[serde(deserialize_with = "all_base64")]
        pieces: Vec<Vec<u8>>,
        /// What the timeline keeps in its stead, because it holds a secret.
        #[serde(deserialize_with = "maybe_base64")]
        stored: Option<Vec<u8>>,
        /// A message that was received answers it.
        answered: bool,
    },
    /// Sends a ping.
    Ping {
        /// Its payload.
        #[serde(deserialize_with = "base64")]
        payload: Vec<u8>,
    },
    /// Closes the connection.
    Close {
        /// With this code.
        code: u16,
        /// And this reason.
        reason: String,
    },
    /// The recording ends; the connection stays open until the run ends.
    End,
}

impl Act {
    /// Opcode of the message it sends.
    pub fn opcode(&self) -> Option<Opcode> {
        match self {
            Self::Send { binary, .. } => Some(if *binary { Opcode::Binary } else { Opcode::Text }),
            _ => None,
        }
    }

    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Close { .. } | Self::End)
    }
}

/// A message that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// [`crate::matching::KeySource::Echo`]'s key of its payload.
    pub key: u64,
    /// Number of the step that it answers.
    pub answers: Option<u32>,
}

/// Why a script was refused. A user never causes this: the Python side makes it.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Not JSON, or not of this shape.
    #[error("not a script: {0}")]
    Shape(#[from] serde_json::Error),
    /// A connection that cannot be played.
    #[error("script, connection {part}: {why}")]
    Part {
        /// Which.
        part: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Script {
    /// Reads and validates a script; messages have one of `names` names.
    pub fn from_json(text: &str, names: usize) -> Result<Self, ScriptError> {
        let script: Self = serde_json::from_str(text)?;
        if script.parts.is_empty() {
            return Err(ScriptError::Part { part: 0, why: "there is none" });
        }
        for (part, one) in script.parts.iter().enumerate() {
            one.validate(names).map_err(|why| ScriptError::Part { part, why })?;
        }
        Ok(script)
    }

    /// The instant of the recording at which the schedule begins: that of the first step of all, without one the first
    /// connection's. What began before stands when it comes.
    pub fn origin_ns(&self) -> u64 {
        let steps = self.parts.iter().flat_map(|part| &part.steps).filter(|step| !step.act.is_last());
        let begins = self.parts.iter().map(|part| part.begin_ns);
        steps.map(|step| step.at_ns).min().or_else(|| begins.min()).unwrap_or(0)
    }

    /// Length of the schedule.
    pub fn length_ns(&self) -> u64 {
        let last = self.parts.iter().filter_map(|part| part.steps.last()).map(|step| step.at_ns).max();
        last.unwrap_or(0).saturating_sub(self.origin_ns())
    }

    /// Messages that one copy of all connections sends.
    pub fn messages(&self) -> u64 {
        let steps = self.parts.iter().flat_map(|part| &part.steps);
        steps.filter(|step| step.act.opcode().is_some()).count() as u64
    }
}

impl Part {
    fn validate(&self, names: usize) -> Result<(), &'static str> {
        let Some((last, others)) = self.steps.split_last() else { return Err("no step") };
        if !last.act.is_last() || others.iter().any(|step| step.act.is_last()) {
            return Err("the end must be its last step");
        }
        if self.steps.windows(2).any(|pair| pair[0].at_ns > pair[1].at_ns || pair[0].after > pair[1].after) {
            return Err("steps must be in order");
        }
        if self.steps.iter().any(|step| step.after as usize > self.received.len()) {
            return Err("more came before a step than came at all");
        }
        let answered =
            |step: u32| matches!(self.steps.get(step as usize)?.act, Act::Send { answered: true, .. }).then_some(());
        if self.received.iter().filter_map(|one| one.answers).any(|step| answered(step).is_none()) {
            return Err("what is received must answer a message that is answered");
        }
        self.steps.iter().try_for_each(|step| step.act.validate(names))
    }
}

impl Act {
    fn validate(&self, names: usize) -> Result<(), &'static str> {
        let (holds, why) = match self {
            Self::Send { name, pieces, .. } => {
                (usize::from(*name) < names && !pieces.is_empty(), "a message needs a name and a payload")
            }
            Self::Ping { payload } => (payload.len() <= MAX_CONTROL_BYTES, "a ping is at most 125 bytes"),
            Self::Close { code, reason } => {
                (close_code_is_valid(*code) && reason.len() <= MAX_REASON_BYTES, "a Close that must not be sent")
            }
            Self::End => (true, ""),
        };
        if holds { Ok(()) } else { Err(why) }
    }
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn maybe_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| STANDARD.decode(text).map_err(D::Error::custom)).transpose()
}

fn all_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.into_iter().map(|text| STANDARD.decode(text).map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({"parts": [{
            "begin_ns": 5, "closed_by_server": false,
            "steps": [
                {"at_ns": 10, "after": 0, "act": {"send": {
                    "binary": false, "name": 0, "pieces": ["YQ==", ""], "stored": "Kio=", "answered": true}}},
                {"at_ns": 12, "after": 0, "act": {"ping": {"payload": "cA=="}}},
                {"at_ns": 30, "after": 1, "act": {"close": {"code": 1000, "reason": "bye"}}},
            ],
            "received": [{"key": u64::MAX, "answers": 0}],
        }]})
    }

    fn refused(path: &str, value: Value) -> String {
        let mut document = document();
        *document.pointer_mut(path).unwrap() = value;
        Script::from_json(&document.to_string(), 1).unwrap_err().to_string()
    }

    #[test]
    fn a_script_is_read() {
        let script = Script::from_json(&document().to_string(), 1).unwrap();
        assert_eq!((script.origin_ns(), script.length_ns(), script.messages()), (10, 20, 1));
        let part = &script.parts[0];
        assert_eq!(part.received, [Expected { key: u64::MAX, answers: Some(0) }]);
        let Act::Send { pieces, stored, .. } = &part.steps[0].act else { panic!("a message") };
        assert_eq!((pieces.clone(), stored.clone()), (vec![b"a".to_vec(), Vec::new()], Some(b"**".to_vec())));
        assert_eq!(part.steps[0].act.opcode(), Some(Opcode::Text));
    }

    #[test]
    fn without_a_message_the_schedule_begins_with_the_first_connection() {
        let mut document = document();
        document["parts"][0]["steps"] = json!([{"at_ns": 30, "after": 0, "act": "end"}]);
        document["parts"][0]["received"] = json!([]);
        let script = Script::from_json(&document.to_string(), 1).unwrap();
        assert_eq!((script.origin_ns(), script.length_ns(), script.messages()), (5, 25, 0));
    }

    #[test]
    fn what_cannot_be_played_is_refused() {
        for (path, value, why) in [
            ("/parts", json!([]), "there is none"),
            ("/parts/0/steps", json!([]), "no step"),
            ("/parts/0/steps/1/act", json!("end"), "the end must be its last step"),
            ("/parts/0/steps/2/act", json!({"ping": {"payload": ""}}), "the end must be its last step"),
            ("/parts/0/steps/1/at_ns", json!(9), "steps must be in order"),
            ("/parts/0/steps/2/after", json!(2), "more came before a step"),
            ("/parts/0/received/0/answers", json!(1), "must answer a message"),
            ("/parts/0/steps/0/act/send/name", json!(1), "needs a name"),
            ("/parts/0/steps/0/act/send/pieces", json!(["a"]), "not a script"),
            ("/parts/0/steps/2/act/close/code", json!(1005), "a Close that must not be sent"),
            ("/parts/0/begin_ns", json!(-1), "not a script"),
        ] {
            let refusal = refused(path, value);
            assert!(refusal.contains(why), "{path}: {refusal}");
        }
    }
}
