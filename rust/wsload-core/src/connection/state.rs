//! The states of a client connection, as a table.
//!
//! A connection begins idle. Sending the upgrade request makes it *opening*; an accepted response makes it *open*,
//! anything else *failed*. From then on two things end it. An orderly end takes two Close frames, one each way, in
//! either order: when ours goes first the connection is *closing* until the server's arrives; when the server's comes
//! first we answer it in the same breath, so both paths meet in *closed*. The other end is a fault: the server broke
//! a rule, we say so in a Close if the connection was open, and look at nothing that follows: *failed*. The loss of
//! TCP is not in the table: it can strike in any state, and the state then tells what was lost.
//!
//! Data may be sent in *open* only; it may still arrive in *closing*, because the server had not seen our Close.

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing sent yet.
    Idle,
    /// The request is out, the response not judged.
    Opening,
    /// Messages go both ways.
    Open,
    /// Our Close is out, the server's has not come.
    Closing,
    /// Both Closes are out. The server is to end TCP (RFC 6455 section 7.1.1).
    Closed,
    /// The server broke a rule, or did not upgrade.
    Failed,
}

/// What moves a connection from state to state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// We send the upgrade request.
    SendRequest,
    /// The response is accepted.
    ReceiveAccept,
    /// We send Close first.
    SendClose,
    /// The server's Close arrives.
    ReceiveClose,
    /// The server breaks a rule.
    Fault,
}

/// Every transition; what is not here does not happen.
pub const TRANSITIONS: &[(State, Input, State)] = &[
    (State::Idle, Input::SendRequest, State::Opening),
    (State::Opening, Input::ReceiveAccept, State::Open),
    (State::Opening, Input::Fault, State::Failed),
    (State::Open, Input::SendClose, State::Closing),
    (State::Open, Input::ReceiveClose, State::Closed),
    (State::Open, Input::Fault, State::Failed),
    (State::Closing, Input::ReceiveClose, State::Closed),
    (State::Closing, Input::Fault, State::Failed),
];

impl State {
    /// The state after an input; `None` when the input has no place in this state.
    pub fn after(self, input: Input) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| (*from, *by) == (self, input)).map(|(_, _, to)| *to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram() -> String {
        let row = |(from, input, to): &(State, Input, State)| format!("    {from:?} --> {to:?}: {}\n", words(*input));
        let rows: String = TRANSITIONS.iter().map(row).collect();
        format!("stateDiagram-v2\n    [*] --> Idle\n{rows}    Closed --> [*]\n    Failed --> [*]\n")
    }

    fn words(input: Input) -> &'static str {
        match input {
            Input::SendRequest => "send the upgrade request",
            Input::ReceiveAccept => "receive an accepted response",
            Input::SendClose => "send Close",
            Input::ReceiveClose => "receive Close, answer it unless ours is out",
            Input::Fault => "receive what breaks a rule",
        }
    }

    #[test]
    fn the_diagram_in_the_docs_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/state-machine.md");
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page.contains(&diagram()), "docs/state-machine.md should contain:\n{}", diagram());
    }

    #[test]
    fn nothing_leaves_an_end_state() {
        for end in [State::Closed, State::Failed] {
            assert!(TRANSITIONS.iter().all(|(from, _, _)| *from != end));
        }
        assert_eq!(State::Idle.after(Input::SendClose), None);
    }
}
