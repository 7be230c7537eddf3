//! One condition by itself, for whoever looks at messages afterwards: the same one, by the same code.

use super::CompileError;
use super::condition::{Check, Incoming, Scope};
use crate::frame::opcode::Opcode;
use crate::plan::program::Condition;
use crate::template::{NoVariables, RenderContext};

/// A condition without variables, ready to be tested.
#[derive(Debug)]
pub struct Filter(Check);

impl Filter {
    /// Compiles a condition.
    pub fn compile(condition: &Condition) -> Result<Self, CompileError> {
        Check::compile(condition, &|_| None).map(Self)
    }

    /// Whether a text message with this payload fits.
    pub fn holds(&self, payload: &[u8]) -> bool {
        let render = RenderContext { seed: 0, slot: 0, seq: 0, iteration: 0, unix_ns: 0 };
        let message = Incoming { opcode: Opcode::Text, payload };
        self.0.holds(message, &Scope { render, variables: &NoVariables }).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::program::Test;

    #[test]
    fn a_condition_is_tested_by_itself() {
        let expression = Filter::compile(&Condition::Regex("id=[0-9]+$".into())).unwrap();
        assert!(expression.holds(b"\xff id=17") && !expression.holds(b"id=x"));
        let test = Test::Eq("a \"word\"".into());
        let json = Filter::compile(&Condition::Json { path: "$.t".into(), test }).unwrap();
        assert!(json.holds(br#"{"t": "a \"word\""}"#) && !json.holds(br#"{"t": 1}"#) && !json.holds(b"no json"));
    }

    #[test]
    fn what_is_none_is_refused() {
        assert!(Filter::compile(&Condition::Regex("(".into())).is_err());
        let unknown = Test::Eq("{{name}}".into());
        assert!(Filter::compile(&Condition::Json { path: "$".into(), test: unknown }).is_err());
    }
}
