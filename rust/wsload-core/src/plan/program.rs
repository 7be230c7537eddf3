//! A scenario's steps as data: what each kind of user does on its connections.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KeySpec, MessageKind, payload_base64};
use crate::schedule::Think;

/// Everything a scenario says beyond one message and a schedule. The schedule starts *iterations*.
///
/// Texts called *template* hold `{{name}}` for a variable, `{{$id}}` and the like for made-up values, `{{name|json}}` for
/// either as the inside of a JSON string; `\{{` is a literal `{{`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Names under which exchanges are recorded, at most 100.
    pub names: Vec<Name>,
    /// All variables; other parts refer to them by name in templates and by place elsewhere.
    pub variables: Vec<Variable>,
    /// Where rows of values come from.
    #[serde(deserialize_with = "Option::deserialize")]
    pub data: Option<Data>,
    /// Messages that steps send.
    pub messages: Vec<Outgoing>,
    /// Kinds of users; each slot is one of them for the whole run.
    pub users: Vec<User>,
    /// Target, headers and cookies of the plan are templates, rendered for each attempt to connect.
    pub handshake_template: bool,
    /// A script takes the place of the steps of the one kind of user there is.
    #[serde(deserialize_with = "Option::deserialize")]
    pub script: Option<Script>,
}

/// A scenario in Python; only the worker's driver reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Its file.
    pub path: String,
    /// The function in it.
    pub function: String,
    /// It waits for iterations.
    pub iterates: bool,
}

/// A name for exchanges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// As it is printed.
    pub name: String,
    /// It counts in the totals: exchanges of iterations do, those of `on_open` and `on_message` do not.
    pub total: bool,
}

/// A variable of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// As templates write it.
    pub name: String,
    /// What it holds before anything else sets it; `None`: nothing, using it then is a failure.
    #[serde(deserialize_with = "Option::deserialize")]
    pub value: Option<String>,
    /// How long what is captured or set lives.
    pub lives: Lives,
    /// It must never be stored or printed.
    pub secret: bool,
}

/// How long a value lives that was captured, set or read from a row; then the initial value holds again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lives {
    /// Until the iteration ends.
    Iteration,
    /// Until the connection ends.
    Connection,
    /// As long as the run: over reconnects.
    Slot,
}

/// Rows of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Variables, by place, that a row sets.
    pub columns: Vec<u16>,
    /// Each with as many values as there are columns.
    pub rows: Vec<Vec<String>>,
    /// When a row is read.
    pub bind: Bind,
    /// Which one.
    pub order: RowOrder,
    /// What happens when all have been used.
    pub exhausted: Exhausted,
}

/// When a row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    /// Once for a slot: it keeps its row over reconnects.
    Connection,
    /// For each iteration.
    Iteration,
}

/// Which row is read: row `n`, where `n` is the slot's number or that of the iteration over all slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// In the file's order.
    Sequential,
    /// Any, drawn by the seed.
    Random,
}

/// What happens when every row has been used; a random order never comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// Begin again.
    Recycle,
    /// The slot does nothing more.
    Stop,
    /// The same, and it is counted as a failure.
    Error,
}

/// A message that a step sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Place of its name.
    pub name: u16,
    /// Text or binary.
    pub kind: MessageKind,
    /// The payload (base64 in JSON).
    #[serde(with = "payload_base64")]
    pub payload: Vec<u8>,
    /// The payload is a template.
    pub template: bool,
    /// What answers it; `None`: nothing is awaited, unless the next step expects a message.
    #[serde(deserialize_with = "Option::deserialize")]
    pub reply: Option<Reply>,
}

/// How a reply finds its message. The step is over when it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// `None`: the next message that nobody else takes.
    #[serde(deserialize_with = "Option::deserialize")]
    pub key: Option<KeyPair>,
    /// From the send to the instant it is given up.
    pub within_ns: u64,
}

/// Where a key stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// In what is sent.
    pub sent: KeySpec,
    /// In what is received.
    pub received: KeySpec,
}

/// A kind of user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// As it is printed.
    pub name: String,
    /// Share of the slots, relative to the other users' weights.
    pub weight: u32,
    /// On each new connection, before iterations.
    pub on_open: Vec<Step>,
    /// An iteration.
    pub iterate: Vec<Step>,
    /// Messages that are answered or swallowed wherever the steps stand; the first rule that applies takes one.
    pub on_message: Vec<Rule>,
    /// Repeated on a clock of their own while the connection is open.
    pub every: Vec<Every>,
    /// What a Close of the server means; the first rule that applies says. Without one it is a failure.
    pub on_close: Vec<OnClose>,
    /// What a failed step does.
    pub on_error: OnError,
}

/// Closes of the server that are as they should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnClose {
    /// Lowest and highest code of each range; 1005 where there is none, 1006 where TCP ends without a Close. None: any.
    pub codes: Vec<(u16, u16)>,
    /// Expression that is found in the reason.
    pub reason: Option<String>,
    /// What becomes of the connection.
    pub then: AfterClose,
}

/// What becomes of a connection that the server closed as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterClose {
    /// As of any that is lost: the plan's reconnects say.
    Ignore,
    /// It is opened again at once.
    Reconnect,
    /// It stays closed.
    End,
}

/// What a failed step does; the iteration counts as failed in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Go on with the next step.
    Ignore,
    /// Go on with the next iteration.
    Next,
    /// Close the connection and open it again.
    Reconnect,
    /// Close the connection for good.
    Abort,
}

/// One step. Steps run one after the other, one iteration at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Send a message, and wait for its reply if it has one.
    Send {
        /// Place in [`Program::messages`].
        message: u16,
    },
    /// The next message that no rule takes must be such a one. After a send it is its reply.
    Expect {
        /// What it must be.
        expect: Expect,
    },
    /// Wait for such a message; others pass by as pushes.
    WaitFor {
        /// What it must be.
        expect: Expect,
    },
    /// Wait.
    Think {
        /// How long.
        law: Think,
    },
    /// The same steps several times.
    Repeat {
        /// How often.
        times: u32,
        /// What.
        steps: Vec<Step>,
    },
    /// The same steps for each value.
    ForEach {
        /// Place of the variable that holds it.
        variable: u16,
        /// Templates.
        values: Vec<String>,
        /// What.
        steps: Vec<Step>,
    },
    /// One or the other.
    If {
        /// A template whose text is tested.
        value: String,
        /// How.
        test: Test,
        /// When it holds.
        then: Vec<Step>,
        /// When not.
        otherwise: Vec<Step>,
    },
    /// Set a variable.
    Set {
        /// Its place.
        variable: u16,
        /// A template.
        value: String,
    },
    /// Close the connection; it counts as closed by us, and is opened again if reconnects are allowed.
    Close {
        /// Close code.
        code: u16,
        /// Up to 123 bytes.
        reason: String,
    },
    /// Close the connection with 1000 and open it again at once.
    Reconnect,
    /// Send a control ping.
    Ping,
    /// Leave a note in the timeline.
    Mark {
        /// What it says.
        text: String,
    },
}

/// What a received message must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// From the step's beginning, or the send before it, to the instant it is given up.
    pub within_ns: u64,
    /// What to keep of it.
    pub captures: Vec<Capture>,
    /// So many such messages, at least 1.
    pub count: u32,
    /// None such may come within the time.
    pub nothing: bool,
    /// A JSONPath whose value grows from each of them to the next.
    pub order: Option<String>,
}

/// Something that holds for a message or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// It is a text or a binary message.
    Type(MessageKind),
    /// A template: the whole payload.
    Equals(String),
    /// A template: a part of the payload.
    Contains(String),
    /// Found anywhere in the payload.
    Regex(String),
    /// First bytes (base64).
    Prefix(#[serde(with = "payload_base64")] Vec<u8>),
    /// Of a JSON text.
    Json {
        /// A JSONPath query (RFC 9535).
        path: String,
        /// What one of the values it finds must be.
        test: Test,
    },
    /// It is JSON and valid by this JSON Schema.
    Schema(Value),
    /// Payload bytes.
    Size {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
    },
    /// The opposite.
    Not(Box<Condition>),
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// It is there.
    Exists,
    /// The same JSON value; a string is a template.
    Eq(Value),
    /// Another one.
    Ne(Value),
    /// A number below.
    Lt(f64),
    /// At most.
    Le(f64),
    /// Above.
    Gt(f64),
    /// At least.
    Ge(f64),
    /// A template: a part of a string.
    Contains(String),
    /// A string in which it is found.
    Matches(String),
}

/// A part of a message that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Place of the variable that holds it.
    pub variable: u16,
    /// Which part.
    pub from: CaptureFrom,
}

/// Which part of a message is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CaptureFrom {
    /// The first value that a JSONPath query (RFC 9535) finds: a string's text, else its JSON.
    Json(String),
    /// The first group of a regular expression, or all that it matches.
    Regex(String),
    /// Bytes from `start` up to `end`, or to the payload's end.
    Bytes {
        /// First.
        start: u32,
        /// First after it.
        #[serde(deserialize_with = "Option::deserialize")]
        end: Option<u32>,
    },
}

/// What to do with messages that come at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// All must hold.
    pub when: Vec<Condition>,
    /// What to keep; it lives as long as the connection.
    pub captures: Vec<Capture>,
    /// Only `send` without a reply, `set`, `close`, `reconnect` and `ping`.
    pub steps: Vec<Step>,
    /// The message is passed on to whoever waits for one.
    pub pass_on: bool,
}

/// Steps on a clock of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Every {
    /// From the connection's opening to the first time, and between two.
    pub period_ns: u64,
    /// As in a rule.
    pub steps: Vec<Step>,
}
