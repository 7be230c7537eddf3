//! A scenario's steps, compiled once and run on each connection.
//!
//! [`Program`] is what all connections share, [`Session`] is where one of them stands. A session never does anything: it
//! says what is to be done next ([`Action`]) and is told what came in, so that all of it runs in virtual time.
//!
//! Steps become a flat list of instructions with jumps; loops keep their counters on a small stack.

mod condition;
mod session;
#[cfg(test)]
mod tests;

use regex::bytes::Regex;

pub use self::condition::Incoming;
use self::condition::{Check, Scope, Test, query};
pub use self::session::{Action, Exchange, Now, Session, Taken};
use crate::frame::opcode::Opcode;
use crate::json::{Query, plain};
use crate::matching::KeySource;
use crate::plan::MessageKind;
use crate::plan::program::{self as plan, Exhausted, Lives, OnError};
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
    handshake: Option<HandshakeTemplate>,
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
    on_error: OnError,
    weight: u32,
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
}

#[derive(Debug)]
struct Expect {
    checks: Vec<Check>,
    within_ns: u64,
    captures: Vec<Capture>,
    count: u32,
    nothing: bool,
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
    /// Compiles what a plan says; target and headers are templates if it says so.
    pub fn compile(
        program: &plan::Program,
        (target, handshake): (&Target, &Handshake),
        (seed, connections): (u64, u32),
    ) -> Result<Self, CompileError> {
        let places: std::collections::HashMap<&str, u16> =
            program.variables.iter().zip(0..).map(|(variable, place)| (variable.name.as_str(), place)).collect();
        let place_of = |name: &str| places.get(name).copied();
        let compiler = Compiler { place_of: &place_of, messages: &program.messages };
        let mut column_of = vec![None; program.variables.len()];
        for (column, variable) in program.data.iter().flat_map(|data| data.columns.iter().enumerate()) {
            if let Some(place) = column_of.get_mut(usize::from(*variable)) {
                *place = Some(column);
            }
        }
        let whole = |data: &plan::Data| data.rows.iter().all(|row| row.len() == data.columns.len());
        require(program.data.as_ref().is_none_or(whole), "a row of data has not as many values as there are columns")?;
        require(program.data.as_ref().is_none_or(|data| !data.rows.is_empty()), "there are no rows of data")?;
        let total_weight = program.users.iter().map(|user| user.weight).sum();
        require(total_weight > 0, "no user has a weight above 0")?;
        let known = |message: &plan::Outgoing| usize::from(message.name) < program.names.len();
        require(program.messages.iter().all(known), "a message has a name that does not exist")?;
        Ok(Self {
            seed,
            connections,
            column_of,
            data: program.data.clone(),
            secrets: (0..).zip(&program.variables).filter(|(_, one)| one.secret).map(|(place, _)| place).collect(),
            variables: program.variables.clone(),
            messages: program.messages.iter().map(|message| compiler.message(message)).collect::<Result<_, _>>()?,
            users: program.users.iter().map(|user| compiler.user(user)).collect::<Result<_, _>>()?,
            total_weight,
            handshake: program.handshake_template.then(|| compiler.handshake(target, handshake)).transpose()?,
        })
    }

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

fn require(holds: bool, why: &str) -> Result<(), CompileError> {
    if holds { Ok(()) } else { Err(CompileError(why.to_owned())) }
}

struct Compiler<'p> {
    place_of: condition::PlaceOf<'p>,
    messages: &'p [plan::Outgoing],
}

impl Compiler<'_> {
    fn template(&self, text: &str) -> Result<Template, CompileError> {
        Template::compile_with(text, self.place_of).map_err(|error| CompileError(format!("{text:?}: {error}")))
    }

    fn message(&self, message: &plan::Outgoing) -> Result<Message, CompileError> {
        let payload = if message.template {
            let text = std::str::from_utf8(&message.payload);
            let template = self.template(text.map_err(|_| CompileError("a template must be text".to_owned()))?)?;
            template.as_static().map(|text| Payload::Fixed(text.to_vec())).unwrap_or(Payload::Template(template))
        } else {
            Payload::Fixed(message.payload.clone())
        };
        let reply = message.reply.as_ref().map(|reply| {
            let source = |spec: &crate::plan::KeySpec| spec.source().map_err(|error| CompileError(error.to_string()));
            let keys = match &reply.key {
                Some(pair) => Some((source(&pair.sent)?, source(&pair.received)?)),
                None => None,
            };
            Ok(Reply { keys, within_ns: reply.within_ns })
        });
        let opcode = match message.kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        Ok(Message { name: message.name, opcode, payload, reply: reply.transpose()? })
    }

    fn user(&self, user: &plan::User) -> Result<User, CompileError> {
        let steps = |steps: &[plan::Step]| {
            let mut ops = Vec::new();
            self.steps(steps, &mut ops).map(|()| ops)
        };
        let rules = user.on_message.iter().map(|rule| {
            Ok(Rule { when: self.checks(&rule.when)?, captures: self.captures(&rule.captures)?, pass_on: rule.pass_on })
        });
        let asides = user.on_message.iter().map(|rule| &rule.steps).chain(user.every.iter().map(|every| &every.steps));
        let periods_ns: Vec<u64> = user.every.iter().map(|every| every.period_ns).collect();
        require(periods_ns.iter().all(|period| *period >= 1_000_000), "a period must be at least 1 ms")?;
        Ok(User {
            on_open: steps(&user.on_open)?,
            iterate: steps(&user.iterate)?,
            rules: rules.collect::<Result<_, _>>()?,
            asides: asides.map(|aside| self.aside(aside)).collect::<Result<_, _>>()?,
            periods_ns,
            on_error: user.on_error,
            weight: user.weight,
        })
    }

    /// Steps beside the others: none may wait.
    fn aside(&self, steps: &[plan::Step]) -> Result<Vec<Op>, CompileError> {
        let mut ops = Vec::new();
        self.steps(steps, &mut ops)?;
        let waits =
            |op: &Op| !matches!(op, Op::Send { .. } | Op::Set { .. } | Op::Close { .. } | Op::Reconnect | Op::Ping);
        require(!ops.iter().any(waits), "a rule takes only send, set, close, reconnect and ping")?;
        Ok(ops)
    }

    fn steps(&self, steps: &[plan::Step], ops: &mut Vec<Op>) -> Result<(), CompileError> {
        for (place, step) in steps.iter().enumerate() {
            match step {
                plan::Step::Send { message } => {
                    let known = self.messages.get(usize::from(*message));
                    let Some(outgoing) = known else { return Err(CompileError("a step sends no message".to_owned())) };
                    let next = steps.get(place + 1);
                    let expects = match next {
                        Some(plan::Step::Expect { expect } | plan::Step::WaitFor { expect }) => !expect.nothing,
                        _ => false,
                    };
                    ops.push(Op::Send { message: *message, expects: expects && outgoing.reply.is_none() });
                }
                plan::Step::Expect { expect } => ops.push(Op::Await { expect: self.expect(expect)?, strict: true }),
                plan::Step::WaitFor { expect } => ops.push(Op::Await { expect: self.expect(expect)?, strict: false }),
                plan::Step::Think { law } => {
                    require(law.is_valid(), "a think time must be in order and finite")?;
                    ops.push(Op::Think(*law));
                }
                plan::Step::Repeat { times, steps } => {
                    let start = ops.len();
                    ops.push(Op::Repeat { times: *times, end: 0 });
                    self.steps(steps, ops)?;
                    ops.push(Op::Again { start });
                    ops[start] = Op::Repeat { times: *times, end: ops.len() };
                }
                plan::Step::ForEach { variable, values, steps } => {
                    let start = ops.len();
                    let values: Vec<Template> =
                        values.iter().map(|value| self.template(value)).collect::<Result<_, _>>()?;
                    ops.push(Op::Jump(0));
                    self.steps(steps, ops)?;
                    ops.push(Op::NextEach { start });
                    ops[start] = Op::Each { variable: *variable, values, end: ops.len() };
                }
                plan::Step::If { value, test, then, otherwise } => {
                    let at = ops.len();
                    let (value, test) = (self.template(value)?, Test::compile(test, self.place_of)?);
                    ops.push(Op::Jump(0));
                    self.steps(then, ops)?;
                    let past = ops.len();
                    ops.push(Op::Jump(0));
                    ops[at] = Op::Unless { value, test, to: ops.len() };
                    self.steps(otherwise, ops)?;
                    ops[past] = Op::Jump(ops.len());
                }
                plan::Step::Set { variable, value } => {
                    ops.push(Op::Set { variable: *variable, value: self.template(value)? });
                }
                plan::Step::Close { code, reason } => ops.push(Op::Close { code: *code, reason: reason.clone() }),
                plan::Step::Reconnect => ops.push(Op::Reconnect),
                plan::Step::Ping => ops.push(Op::Ping),
            }
        }
        Ok(())
    }

    fn expect(&self, expect: &plan::Expect) -> Result<Expect, CompileError> {
        Ok(Expect {
            checks: self.checks(&expect.conditions)?,
            within_ns: expect.within_ns,
            captures: self.captures(&expect.captures)?,
            count: expect.count.max(1),
            nothing: expect.nothing,
        })
    }

    fn checks(&self, conditions: &[plan::Condition]) -> Result<Vec<Check>, CompileError> {
        conditions.iter().map(|condition| Check::compile(condition, self.place_of)).collect()
    }

    fn captures(&self, captures: &[plan::Capture]) -> Result<Vec<Capture>, CompileError> {
        let from = |from: &plan::CaptureFrom| -> Result<CaptureFrom, CompileError> {
            Ok(match from {
                plan::CaptureFrom::Json(text) => CaptureFrom::Json(query(text)?),
                plan::CaptureFrom::Regex(text) => {
                    CaptureFrom::Regex(Regex::new(text).map_err(|error| CompileError(error.to_string()))?)
                }
                plan::CaptureFrom::Bytes { start, end } => {
                    CaptureFrom::Bytes(*start as usize, end.map(|end| end as usize))
                }
            })
        };
        captures.iter().map(|one| Ok(Capture { variable: one.variable, from: from(&one.from)? })).collect()
    }

    fn handshake(&self, target: &Target, handshake: &Handshake) -> Result<HandshakeTemplate, CompileError> {
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| Ok((name.clone(), self.template(value)?))).collect::<Result<_, _>>()
        };
        Ok(HandshakeTemplate {
            resource: self.template(&target.resource)?,
            headers: pairs(&handshake.headers)?,
            cookies: pairs(&handshake.cookies)?,
        })
    }
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
