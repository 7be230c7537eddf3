//! A scenario's steps, compiled once and run on each connection.
//!
//! [`Program`] is what all connections share, [`Session`] is where one of them stands. A session never does anything: it
//! says what is to be done next ([`Action`]) and is told what came in, so that all of it runs in virtual time.
//!
//! Steps become a flat list of instructions with jumps; loops keep their counters on a small stack.

mod compile;
mod condition;
mod filter;
mod session;
#[cfg(test)]
mod tests;

use regex::bytes::Regex;

pub use self::condition::Incoming;
use self::condition::{Check, Scope, Test};
pub use self::filter::Filter;
pub use self::session::{Action, Awaited, Command, Exchange, Note, Now, Session, Taken};
use crate::frame::opcode::Opcode;
use crate::json::{Query, plain};
use crate::matching::KeySource;
use crate::plan::program::{self as plan, AfterClose, Exhausted, Lives, OnError};
use crate::plan::{Handshake, Target};
use crate::rng::{Purpose, draw};
use crate::schedule::Think;
use crate::template::{RenderContext, Template, Unset, Variables};

/// Why a program cannot be run. A user meets this only where the front end cannot know better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CompileError(pub String);

/// What all connections of a run share.
#[derive(Debug)]
pub struct Program {
    seed: u64,
    connections: u32,
    variables: Vec<plan::Variable>,
    /// Places of those whose values must not be stored.
    secrets: Vec<u16>,
    /// By place of the variable: the column of a row that holds it.
    column_of: Vec<Option<usize>>,
    data: Option<plan::Data>,
    messages: Vec<Message>,
    users: Vec<User>,
    total_weight: u32,
    redact: Vec<Query>,
    handshake: Option<HandshakeTemplate>,
    script: Option<plan::Script>,
}

/// A message that is sent.
#[derive(Debug)]
struct Message {
    name: u16,
    opcode: Opcode,
    payload: Payload,
    reply: Option<Reply>,
}

#[derive(Debug)]
enum Payload {
    Fixed(Vec<u8>),
    Template(Template),
}

#[derive(Debug)]
struct Reply {
    /// Where the key stands in what is sent and in what is received.
    keys: Option<(KeySource, KeySource)>,
    within_ns: u64,
}

/// A kind of user.
#[derive(Debug)]
struct User {
    on_open: Vec<Op>,
    iterate: Vec<Op>,
    rules: Vec<Rule>,
    /// Instructions of the rules, then of what is repeated: they run beside the steps and never wait.
    asides: Vec<Vec<Op>>,
    periods_ns: Vec<u64>,
    closes: Vec<ExpectedClose>,
    on_error: OnError,
    weight: u32,
}

#[derive(Debug)]
struct ExpectedClose {
    codes: Vec<(u16, u16)>,
    reason: Option<Regex>,
    then: AfterClose,
}

#[derive(Debug)]
struct Rule {
    when: Vec<Check>,
    captures: Vec<Capture>,
    pass_on: bool,
}

/// An instruction.
#[derive(Debug)]
enum Op {
    /// `expects`: the next instruction waits for its reply.
    Send {
        message: u16,
        expects: bool,
    },
    /// `strict`: the next message must be it; else others pass by.
    Await {
        expect: Expect,
        strict: bool,
    },
    Think(Think),
    Repeat {
        times: u32,
        end: usize,
    },
    Again {
        start: usize,
    },
    Each {
        variable: u16,
        values: Vec<Template>,
        end: usize,
    },
    NextEach {
        start: usize,
    },
    Unless {
        value: Template,
        test: Test,
        to: usize,
    },
    Jump(usize),
    Set {
        variable: u16,
        value: Template,
    },
    Close {
        code: u16,
        reason: String,
    },
    Reconnect,
    Ping,
    Mark(String),
}

#[derive(Debug)]
struct Expect {
    checks: Vec<Check>,
    within_ns: u64,
    captures: Vec<Capture>,
    count: u32,
    nothing: bool,
    order: Option<Query>,
}

#[derive(Debug)]
struct Capture {
    variable: u16,
    from: CaptureFrom,
}

#[derive(Debug)]
enum CaptureFrom {
    Json(Query),
    Regex(Regex),
    Bytes(usize, Option<usize>),
}

impl CaptureFrom {
    fn find(&self, payload: &[u8]) -> Option<Box<[u8]>> {
        match self {
            Self::Json(query) => query.first(payload).map(|value| plain(&value).into()),
            Self::Regex(regex) => {
                let found = regex.captures(payload)?;
                Some(found.get(1).or_else(|| found.get(0))?.as_bytes().into())
            }
            Self::Bytes(start, end) => payload.get(*start..end.unwrap_or(payload.len())).map(Into::into),
        }
    }
}

/// Parts of the upgrade request that differ from connection to connection.
#[derive(Debug)]
struct HandshakeTemplate {
    resource: Template,
    headers: Vec<(String, Template)>,
    cookies: Vec<(String, Template)>,
}

impl Program {
    /// Which kind of user a slot is: users take turns by their weights.
    fn user_of(&self, slot: u32) -> &User {
        let mut turn = slot % self.total_weight;
        for user in &self.users {
            if turn < user.weight {
                return user;
            }
            turn -= user.weight;
        }
        &self.users[0]
    }

    /// The same program, which shows nothing of what these find in messages.
    pub fn hiding(self, redact: Vec<Query>) -> Self {
        Self { redact, ..self }
    }

    /// Whether scripts take the place of steps.
    pub fn is_scripted(&self) -> bool {
        self.script.is_some()
    }

    /// Whether a connection counts as open before its opening steps are over: a script that never waits for an
    /// iteration has no others.
    pub fn opens_at_once(&self) -> bool {
        self.script.as_ref().is_some_and(|script| !script.iterates)
    }

    /// The place of a variable.
    pub fn variable(&self, name: &str) -> Option<u16> {
        self.variables.iter().zip(0..).find(|(variable, _)| variable.name == name).map(|(_, place)| place)
    }

    /// Whether a slot's connections do something before their iterations.
    pub fn has_first_steps(&self, slot: u32) -> bool {
        self.is_scripted() || !self.user_of(slot).on_open.is_empty()
    }

    /// What becomes of a slot's connection that the server closed with such a code and reason; `None`: it should not
    /// have.
    pub fn on_close(&self, slot: u32, code: u16, reason: &str) -> Option<AfterClose> {
        let applies = |rule: &&ExpectedClose| {
            let is_one = rule.codes.is_empty() || rule.codes.iter().any(|(from, to)| (*from..=*to).contains(&code));
            is_one && rule.reason.as_ref().is_none_or(|expression| expression.is_match(reason.as_bytes()))
        };
        self.user_of(slot).closes.iter().find(applies).map(|rule| rule.then)
    }

    /// Whether anything is repeated on a clock of its own.
    pub fn has_clocks(&self) -> bool {
        self.users.iter().any(|user| !user.periods_ns.is_empty())
    }

    /// The one message that is all an iteration does, if there is one kind of user and that is so: such iterations may
    /// overlap.
    pub fn simple(program: &plan::Program) -> Option<&plan::Outgoing> {
        let [user] = &program.users[..] else { return None };
        let [plan::Step::Send { message }] = &user.iterate[..] else { return None };
        let by_iteration = program.data.as_ref().is_some_and(|data| data.bind == plan::Bind::Iteration);
        if by_iteration { None } else { program.messages.get(usize::from(*message)) }
    }

    /// What a variable holds that has not been set: its column of the row, else its initial value.
    fn initial(&self, row: Option<usize>, place: u16) -> Option<&[u8]> {
        let at = usize::from(place);
        if let (Some(row), Some(column)) = (row, self.column_of.get(at).copied().flatten()) {
            return Some(self.data.as_ref()?.rows[row][column].as_bytes());
        }
        self.variables.get(at)?.value.as_deref().map(str::as_bytes)
    }

    /// The row that number `n` of a slot or an iteration reads; `None`: all have been used.
    fn row(&self, data: &plan::Data, n: u64, slot: u32) -> Option<usize> {
        let count = data.rows.len() as u64;
        match data.order {
            plan::RowOrder::Random => {
                let word = draw(self.seed, Purpose::Template, slot, u64::MAX - n);
                Some(((u128::from(word) * u128::from(count)) >> 64) as usize)
            }
            plan::RowOrder::Sequential if n < count => Some(n as usize),
            plan::RowOrder::Sequential => (data.exhausted == Exhausted::Recycle).then_some((n % count) as usize),
        }
    }

    /// Target and handshake of one connection; `None`: all connections ask for the same.
    pub fn handshake(
        &self,
        session: &Session,
        now: Now,
        (target, handshake): (&Target, &Handshake),
    ) -> Option<Result<(Target, Handshake), String>> {
        let template = self.handshake.as_ref()?;
        let text = |template: &Template| session.render_text(self, template, now);
        let render = || -> Result<(Target, Handshake), Unset> {
            let mut target = target.clone();
            let mut handshake = handshake.clone();
            target.resource = text(&template.resource)?;
            handshake.headers = pairs(&template.headers, text)?;
            handshake.cookies = pairs(&template.cookies, text)?;
            Ok((target, handshake))
        };
        Some(render().map_err(|unset| self.unset(unset)))
    }

    fn unset(&self, Unset(place): Unset) -> String {
        let name = self.variables.get(usize::from(place)).map_or("?", |variable| variable.name.as_str());
        format!("the variable {name} holds nothing")
    }
}

fn pairs(
    templates: &[(String, Template)],
    text: impl Fn(&Template) -> Result<String, Unset>,
) -> Result<Vec<(String, String)>, Unset> {
    // A value must not end its header: a data row or the server may have chosen it.
    let one_line = |text: String| text.chars().filter(|char| !char.is_control()).collect();
    templates.iter().map(|(name, value)| Ok((name.clone(), one_line(text(value)?)))).collect()
}

impl Expect {
    /// Whether a message is what is expected; else what of it is not so.
    fn judge<'c, V: Variables>(
        &'c self,
        message: Incoming<'_>,
        scope: &Scope<'_, V>,
    ) -> Result<Option<&'c Check>, Unset> {
        for check in &self.checks {
            if !check.holds(message, scope)? {
                return Ok(Some(check));
            }
        }
        Ok(None)
    }

    fn words(&self) -> String {
        if self.checks.is_empty() {
            return "a message".to_owned();
        }
        self.checks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
    }
}
