//! Conditions on messages and values, compiled from a plan.

use regex::bytes::Regex;
use serde_json::Value;

use super::CompileError;
use crate::frame::opcode::Opcode;
use crate::json::{Query, plain};
use crate::plan::MessageKind;
use crate::plan::program as plan;
use crate::template::{RenderContext, Template, Unset, Variables};

/// A message that came in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'p> {
    /// Text or Binary.
    pub opcode: Opcode,
    /// What it holds.
    pub payload: &'p [u8],
}

/// What templates in conditions are filled in with.
pub(super) struct Scope<'s, V> {
    pub(super) render: RenderContext,
    pub(super) variables: &'s V,
}

/// A condition, ready to be tested.
#[derive(Debug)]
pub(super) enum Check {
    Type(Opcode),
    Equals(Template),
    Contains(Template),
    Regex(Regex),
    Prefix(Vec<u8>),
    Json(Query, Test),
    Schema(Box<jsonschema::Validator>),
    Size(u64, u64),
    Not(Box<Check>),
}

/// A test of a value, ready to be made.
#[derive(Debug)]
pub(super) enum Test {
    Exists,
    /// The JSON text that a fixed string has without escapes, beside what it means.
    Eq(Expected),
    Ne(Expected),
    Compare(fn(f64, f64) -> bool, f64),
    Contains(Template),
    Matches(Regex),
}

/// A value that is compared with.
#[derive(Debug)]
pub(super) enum Expected {
    Text(Template),
    Value(Value),
}

pub(super) type PlaceOf<'p> = &'p dyn Fn(&str) -> Option<u16>;

fn template(text: &str, place_of: PlaceOf<'_>) -> Result<Template, CompileError> {
    Template::compile_with(text, place_of).map_err(|error| CompileError(format!("{text:?}: {error}")))
}

fn regex(text: &str) -> Result<Regex, CompileError> {
    Regex::new(text).map_err(|error| CompileError(format!("{text:?} is no regular expression: {error}")))
}

pub(super) fn query(text: &str) -> Result<Query, CompileError> {
    Query::parse(text).map_err(|error| CompileError(error.to_string()))
}

impl Check {
    pub(super) fn compile(condition: &plan::Condition, place_of: PlaceOf<'_>) -> Result<Self, CompileError> {
        Ok(match condition {
            plan::Condition::Type(MessageKind::Text) => Self::Type(Opcode::Text),
            plan::Condition::Type(MessageKind::Binary) => Self::Type(Opcode::Binary),
            plan::Condition::Equals(text) => Self::Equals(template(text, place_of)?),
            plan::Condition::Contains(text) => Self::Contains(template(text, place_of)?),
            plan::Condition::Regex(text) => Self::Regex(regex(text)?),
            plan::Condition::Prefix(bytes) => Self::Prefix(bytes.clone()),
            plan::Condition::Json { path, test } => Self::Json(query(path)?, Test::compile(test, place_of)?),
            plan::Condition::Schema(schema) => Self::Schema(Box::new(
                jsonschema::validator_for(schema)
                    .map_err(|error| CompileError(format!("not a JSON Schema: {error}")))?,
            )),
            plan::Condition::Size { min, max } => Self::Size(*min, *max),
            plan::Condition::Not(inner) => Self::Not(Box::new(Self::compile(inner, place_of)?)),
        })
    }

    /// Whether it holds. A variable without a value is an error: nothing can be said.
    pub(super) fn holds<V: Variables>(&self, message: Incoming<'_>, scope: &Scope<'_, V>) -> Result<bool, Unset> {
        let payload = message.payload;
        Ok(match self {
            Self::Type(opcode) => message.opcode == *opcode,
            Self::Equals(text) => text.with(scope, |text| payload == text)?,
            Self::Contains(text) => text.with(scope, |text| contains(payload, text))?,
            Self::Regex(regex) => regex.is_match(payload),
            Self::Prefix(bytes) => payload.starts_with(bytes),
            Self::Json(query, test) => {
                let mut unset = None;
                let found = query.any(payload, |value| match test.holds(value, scope) {
                    Ok(holds) => holds,
                    Err(error) => {
                        unset = Some(error);
                        false
                    }
                });
                match unset {
                    Some(error) => return Err(error),
                    None => found,
                }
            }
            Self::Schema(validator) => {
                serde_json::from_slice::<Value>(payload).is_ok_and(|value| validator.is_valid(&value))
            }
            Self::Size(min, max) => (*min..=*max).contains(&(payload.len() as u64)),
            Self::Not(inner) => !inner.holds(message, scope)?,
        })
    }
}

impl Test {
    pub(super) fn compile(test: &plan::Test, place_of: PlaceOf<'_>) -> Result<Self, CompileError> {
        let expected = |value: &Value| -> Result<Expected, CompileError> {
            Ok(match value {
                Value::String(text) => Expected::Text(template(text, place_of)?),
                other => Expected::Value(other.clone()),
            })
        };
        Ok(match test {
            plan::Test::Exists => Self::Exists,
            plan::Test::Eq(value) => Self::Eq(expected(value)?),
            plan::Test::Ne(value) => Self::Ne(expected(value)?),
            plan::Test::Lt(bound) => Self::Compare(|value, bound| value < bound, *bound),
            plan::Test::Le(bound) => Self::Compare(|value, bound| value <= bound, *bound),
            plan::Test::Gt(bound) => Self::Compare(|value, bound| value > bound, *bound),
            plan::Test::Ge(bound) => Self::Compare(|value, bound| value >= bound, *bound),
            plan::Test::Contains(text) => Self::Contains(template(text, place_of)?),
            plan::Test::Matches(text) => Self::Matches(regex(text)?),
        })
    }

    /// Of a JSON text.
    pub(super) fn holds<V: Variables>(&self, value: &[u8], scope: &Scope<'_, V>) -> Result<bool, Unset> {
        Ok(match self {
            Self::Exists => true,
            Self::Eq(expected) => expected.is(value, scope)?,
            Self::Ne(expected) => !expected.is(value, scope)?,
            Self::Compare(holds, bound) => number(value).is_some_and(|value| holds(value, *bound)),
            Self::Contains(text) => text.with(scope, |text| contains(&plain(value), text))?,
            Self::Matches(regex) => regex.is_match(&plain(value)),
        })
    }
}

impl Test {
    /// Of a plain text, which is no JSON: numbers are read from it.
    pub(super) fn holds_text<V: Variables>(&self, text: &[u8], scope: &Scope<'_, V>) -> Result<bool, Unset> {
        let is = |expected: &Expected| match expected {
            Expected::Text(other) => other.with(scope, |other| *text == *other),
            Expected::Value(Value::Number(other)) => Ok(number(text).is_some() && number(text) == other.as_f64()),
            Expected::Value(other) => Ok(*text == *other.to_string().as_bytes()),
        };
        Ok(match self {
            Self::Exists => !text.is_empty(),
            Self::Eq(expected) => is(expected)?,
            Self::Ne(expected) => !is(expected)?,
            Self::Compare(holds, bound) => number(text).is_some_and(|value| holds(value, *bound)),
            Self::Contains(part) => part.with(scope, |part| contains(text, part))?,
            Self::Matches(regex) => regex.is_match(text),
        })
    }
}

impl Expected {
    fn is<V: Variables>(&self, value: &[u8], scope: &Scope<'_, V>) -> Result<bool, Unset> {
        match self {
            Self::Text(text) => text.with(scope, |text| value.first() == Some(&b'"') && *plain(value) == *text),
            Self::Value(expected) => Ok(match expected {
                Value::Number(expected) => number(value).is_some() && number(value) == expected.as_f64(),
                other => serde_json::from_slice::<Value>(value).is_ok_and(|value| value == *other),
            }),
        }
    }
}

/// A JSON number; a string that holds one is none.
fn number(value: &[u8]) -> Option<f64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn contains(payload: &[u8], part: &[u8]) -> bool {
    part.is_empty() || payload.windows(part.len()).any(|window| window == part)
}

/// Shown to a person; no value of a variable is in it.
impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Type(opcode) => write!(f, "a {} message", if *opcode == Opcode::Text { "text" } else { "binary" }),
            Self::Equals(text) => write!(f, "equal to {text}"),
            Self::Contains(text) => write!(f, "with {text} in it"),
            Self::Regex(regex) => write!(f, "matching /{regex}/"),
            Self::Prefix(bytes) => write!(f, "beginning with bytes {bytes:02x?}"),
            Self::Json(query, test) => write!(f, "{} {test}", query.text()),
            Self::Schema(_) => f.write_str("valid by its JSON Schema"),
            Self::Size(min, max) if min == max => write!(f, "{min} bytes long"),
            Self::Size(min, u64::MAX) => write!(f, "at least {min} bytes long"),
            Self::Size(min, max) => write!(f, "{min} to {max} bytes long"),
            Self::Not(inner) => write!(f, "not {inner}"),
        }
    }
}

impl std::fmt::Display for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exists => f.write_str("exists"),
            Self::Eq(expected) => write!(f, "== {expected}"),
            Self::Ne(expected) => write!(f, "!= {expected}"),
            Self::Compare(holds, bound) => {
                // Told apart by what they say of a value below, at and above the bound.
                let says = (holds(0.0, 1.0), holds(1.0, 1.0));
                let sign = match says {
                    (true, false) => "<",
                    (true, true) => "<=",
                    (false, false) => ">",
                    (false, true) => ">=",
                };
                write!(f, "{sign} {bound}")
            }
            Self::Contains(text) => write!(f, "contains {text}"),
            Self::Matches(regex) => write!(f, "matches /{regex}/"),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text}"),
            Self::Value(value) => write!(f, "{value}"),
        }
    }
}

impl Template {
    /// Hands its text over; one without placeholders is not copied.
    pub(super) fn with<V: Variables, R>(
        &self,
        scope: &Scope<'_, V>,
        use_it: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Unset> {
        if let Some(text) = self.as_static() {
            return Ok(use_it(text));
        }
        let mut text = Vec::new();
        self.render_with(&scope.render, scope.variables, &mut text)?;
        Ok(use_it(&text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::NoVariables;

    struct One;

    impl Variables for One {
        fn value(&self, place: u16) -> Option<&[u8]> {
            (place == 0).then_some(b"ann")
        }
    }

    const RENDER: RenderContext = RenderContext { seed: 0, slot: 0, seq: 0, iteration: 0, unix_ns: 0 };

    fn holds(condition: serde_json::Value, payload: &[u8]) -> bool {
        let condition: plan::Condition = serde_json::from_value(condition).unwrap();
        let place_of = |name: &str| (name == "user").then_some(0);
        let check = Check::compile(&condition, &place_of).unwrap();
        check.holds(Incoming { opcode: Opcode::Text, payload }, &Scope { render: RENDER, variables: &One }).unwrap()
    }

    #[test]
    fn each_condition_holds_for_what_it_describes_and_not_for_its_neighbour() {
        let text: &[u8] = br#"{"type": "welcome", "user": "ann", "n": 3, "big": 1e3, "ok": true, "tags": ["a", "b"]}"#;
        for (condition, expected) in [
            (json!({"type": "text"}), true),
            (json!({"type": "binary"}), false),
            (json!({"contains": "\"user\": \"{{user}}\""}), true),
            (json!({"contains": "bob"}), false),
            (json!({"regex": "\"n\": [0-9]+"}), true),
            (json!({"regex": "^x"}), false),
            (json!({"prefix": "eyI="}), true),
            (json!({"prefix": "e30="}), false),
            (json!({"size": {"min": 10, "max": 1000}}), true),
            (json!({"size": {"min": 0, "max": 9}}), false),
            (json!({"not": {"contains": "bob"}}), true),
            (json!({"json": {"path": "$.type", "test": {"eq": "welcome"}}}), true),
            (json!({"json": {"path": "$.type", "test": {"eq": "welcom"}}}), false),
            (json!({"json": {"path": "$.type", "test": {"ne": "welcome"}}}), false),
            (json!({"json": {"path": "$.user", "test": {"eq": "{{user}}"}}}), true),
            (json!({"json": {"path": "$.n", "test": {"eq": 3.0}}}), true),
            (json!({"json": {"path": "$.n", "test": {"eq": "3"}}}), false),
            (json!({"json": {"path": "$.big", "test": {"eq": 1000}}}), true),
            (json!({"json": {"path": "$.n", "test": {"lt": 3.5}}}), true),
            (json!({"json": {"path": "$.n", "test": {"lt": 3}}}), false),
            (json!({"json": {"path": "$.n", "test": {"le": 3}}}), true),
            (json!({"json": {"path": "$.n", "test": {"gt": 3}}}), false),
            (json!({"json": {"path": "$.n", "test": {"ge": 3}}}), true),
            (json!({"json": {"path": "$.type", "test": {"gt": 1}}}), false),
            (json!({"json": {"path": "$.ok", "test": {"eq": true}}}), true),
            (json!({"json": {"path": "$.ok", "test": "exists"}}), true),
            (json!({"json": {"path": "$.nope", "test": "exists"}}), false),
            (json!({"json": {"path": "$.nope", "test": {"ne": 1}}}), false),
            (json!({"json": {"path": "$.tags[*]", "test": {"eq": "b"}}}), true),
            (json!({"json": {"path": "$.tags", "test": {"eq": ["a", "b"]}}}), true),
            (json!({"json": {"path": "$.type", "test": {"contains": "come"}}}), true),
            (json!({"json": {"path": "$.type", "test": {"matches": "^wel"}}}), true),
            (json!({"json": {"path": "$.type", "test": {"matches": "^come"}}}), false),
            (json!({"schema": {"type": "object", "required": ["n"]}}), true),
            (json!({"schema": {"type": "object", "required": ["m"]}}), false),
        ] {
            assert_eq!(holds(condition.clone(), text), expected, "{condition}");
        }
        assert!(holds(json!({"equals": "hi {{user}}"}), b"hi ann") && !holds(json!({"equals": "hi"}), b"hi ann"));
        assert!(!holds(json!({"schema": {}}), b"not json"));
    }

    #[test]
    fn a_variable_without_a_value_says_nothing() {
        let condition: plan::Condition = serde_json::from_value(json!({"equals": "{{user}}"})).unwrap();
        let check = Check::compile(&condition, &|_| Some(1)).unwrap();
        let scope = Scope { render: RENDER, variables: &NoVariables };
        assert_eq!(check.holds(Incoming { opcode: Opcode::Text, payload: b"" }, &scope), Err(Unset(1)));
    }

    #[test]
    fn conditions_are_told_in_words() {
        let words = |condition: serde_json::Value| {
            Check::compile(&serde_json::from_value(condition).unwrap(), &|_| Some(0)).unwrap().to_string()
        };
        assert_eq!(words(json!({"json": {"path": "$.n", "test": {"ge": 3}}})), "$.n >= 3");
        assert_eq!(words(json!({"json": {"path": "$.n", "test": {"eq": "{{x}}"}}})), "$.n == \"{{x}}\"");
        assert_eq!(words(json!({"not": {"type": "binary"}})), "not a binary message");
    }

    #[test]
    fn what_cannot_be_compiled_is_explained() {
        let error = |condition: serde_json::Value| {
            Check::compile(&serde_json::from_value(condition).unwrap(), &|_| None).unwrap_err().to_string()
        };
        assert!(error(json!({"regex": "("})).contains("no regular expression"));
        assert!(error(json!({"json": {"path": "a", "test": "exists"}})).contains("JSONPath"));
        assert!(error(json!({"equals": "{{x}}"})).contains("does not exist"));
        assert!(error(json!({"schema": {"type": "nope"}})).contains("JSON Schema"));
    }
}
