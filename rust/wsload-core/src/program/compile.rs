//! From what a plan says to instructions.

use regex::bytes::Regex;

use super::condition::{Check, PlaceOf, Test, query};
use super::{
    Capture, CaptureFrom, CompileError, Expect, ExpectedClose, HandshakeTemplate, Message, Op, Payload, Program, Reply,
    Rule, User,
};
use crate::frame::opcode::Opcode;
use crate::plan::program as plan;
use crate::plan::{Handshake, MessageKind, Target};
use crate::template::Template;

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
            script: program.script.clone(),
            redact: Vec::new(),
            handshake: program.handshake_template.then(|| compiler.handshake(target, handshake)).transpose()?,
        })
    }
}

fn on_close(rule: &plan::OnClose) -> Result<ExpectedClose, CompileError> {
    let expression = |text: &String| Regex::new(text).map_err(|error| CompileError(error.to_string()));
    let reason = rule.reason.as_ref().map(expression).transpose()?;
    Ok(ExpectedClose { codes: rule.codes.clone(), reason, then: rule.then })
}

fn require(holds: bool, why: &str) -> Result<(), CompileError> {
    if holds { Ok(()) } else { Err(CompileError(why.to_owned())) }
}

struct Compiler<'p> {
    place_of: PlaceOf<'p>,
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
            closes: user.on_close.iter().map(on_close).collect::<Result<_, _>>()?,
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
                    let next = steps[place + 1..].iter().find(|step| !matches!(step, plan::Step::Mark { .. }));
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
                plan::Step::Mark { text } => ops.push(Op::Mark(text.clone())),
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
            order: expect.order.as_deref().map(query).transpose()?,
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
