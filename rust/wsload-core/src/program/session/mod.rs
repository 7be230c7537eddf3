//! Where one connection stands in its steps.

mod hear;

use std::borrow::Cow;
use std::collections::VecDeque;

use super::{Capture, Lives, Message, Op, Payload, Program, RenderContext, Scope, Template, Unset, User, Variables};
use crate::frame::opcode::Opcode;
use crate::plan::program::{Bind, Exhausted, OnError};
use crate::template::ASIDE;

/// Replies given up that are still recognised when they come late.
const REMEMBERED: usize = 16;
/// Instructions run without a send or a wait in between: a loop of nothing must not hold up everybody else.
const MAX_IDLE_OPS: u32 = 100_000;

/// The instant, on both clocks, and whose.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Monotonic.
    pub ns: u64,
    /// Since 1970.
    pub unix_ns: u64,
    /// Number of the slot over the whole run.
    pub slot: u32,
}

/// A message that went out and awaits its reply, or had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Place of its name.
    pub name: u16,
    /// When it was to be sent.
    pub intended_ns: u64,
    /// When it was.
    pub sent_ns: u64,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send what has been appended to `out`, then tell [`Session::sent`].
    Send {
        /// Text or Binary.
        opcode: Opcode,
        /// Place of its name.
        name: u16,
        /// When it was to be sent.
        intended_ns: u64,
        /// Since when it could be.
        able_ns: u64,
    },
    /// Send a control ping.
    Ping,
    /// Close the connection.
    Close {
        /// Close code.
        code: u16,
        /// Reason.
        reason: String,
    },
    /// Close the connection and open it again at once.
    Reconnect,
    /// Close the connection for good.
    Abandon,
    /// Nothing until this instant, or a message.
    Wait(Option<u64>),
    /// Something was not as expected.
    Failed {
        /// In general, the same for all connections.
        detail: String,
        /// In particular.
        example: String,
    },
    /// The reply to this message has not come in time.
    Unanswered(Exchange),
    /// The steps of a new connection are over; after a failure the connection is of no use.
    Opened {
        /// A step failed.
        failed: bool,
    },
    /// An iteration is over.
    Ended {
        /// A step failed.
        failed: bool,
        /// When it was due.
        due_ns: u64,
        /// When its last step was over.
        end_ns: u64,
    },
}

/// Who took a message that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the reply to this one.
    Answer(Exchange),
    /// It is a reply that had been given up.
    Late(Exchange),
    /// A rule, or a step that awaited it without having sent anything.
    Taken,
    /// Nobody.
    Push,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Open,
    Iterate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// A message is to be sent first: [`Session::sent`].
    Sending {
        message: u16,
        key: Option<u64>,
        expects: bool,
    },
    Reply {
        key: Option<u64>,
        until_ns: u64,
    },
    Message {
        until_ns: u64,
        left: u32,
    },
    Think {
        until_ns: u64,
    },
}

/// Steps under way.
#[derive(Debug)]
struct Thread {
    which: Which,
    at: usize,
    stack: Vec<u32>,
    failed: bool,
    due_ns: u64,
    /// Nothing has been sent yet: the first exchange counts from when the iteration was due.
    fresh: bool,
}

/// What is to follow the end of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    End,
    Then(OnError),
}

/// Where one connection stands. It outlives its connections, like its slot.
#[derive(Debug)]
pub struct Session {
    /// Values set or captured, by place; empty until there is one.
    own: Vec<Option<Box<[u8]>>>,
    row: Option<usize>,
    thread: Option<Thread>,
    waiting: Waiting,
    exchange: Option<Exchange>,
    /// Since when the next step could begin.
    ready_ns: u64,
    after: Option<After>,
    /// Instructions beside the steps: list and next one of it.
    asides: VecDeque<(usize, usize)>,
    given_up: VecDeque<(u64, Exchange)>,
    clocks_ns: Vec<u64>,
    /// A rule or a check could not be evaluated: to be told.
    trouble: Option<Unset>,
    mismatch: Option<(String, String)>,
    seq: u64,
    asides_sent: u64,
    iterations: u64,
    thoughts: u64,
    open: bool,
}

struct View<'v> {
    own: &'v [Option<Box<[u8]>>],
    row: Option<usize>,
    program: &'v Program,
}

impl Variables for View<'_> {
    fn value(&self, place: u16) -> Option<&[u8]> {
        let at = usize::from(place);
        if let Some(value) = self.own.get(at).and_then(Option::as_deref) {
            return Some(value);
        }
        if let (Some(row), Some(column)) = (self.row, self.program.column_of.get(at).copied().flatten()) {
            return Some(self.program.data.as_ref()?.rows[row][column].as_bytes());
        }
        self.program.variables.get(at)?.value.as_deref().map(str::as_bytes)
    }
}

impl Session {
    /// A slot's session. `Err`: there is no row for it, and whether that is a failure.
    pub fn new(program: &Program, slot: u32) -> Result<Self, bool> {
        let mut session = Self {
            own: Vec::new(),
            row: None,
            thread: None,
            waiting: Waiting::Nothing,
            exchange: None,
            ready_ns: 0,
            after: None,
            asides: VecDeque::new(),
            given_up: VecDeque::new(),
            clocks_ns: Vec::new(),
            trouble: None,
            mismatch: None,
            seq: 0,
            asides_sent: 0,
            iterations: 0,
            thoughts: 0,
            open: false,
        };
        if let Some(data) = program.data.as_ref().filter(|data| data.bind == Bind::Connection) {
            let row = program.row(data, u64::from(slot), slot);
            session.row = Some(row.ok_or(data.exhausted == Exhausted::Error)?);
        }
        Ok(session)
    }

    /// The connection has been opened: its first steps begin.
    pub fn opened(&mut self, program: &Program, now: Now) {
        self.open = false;
        self.ready_ns = now.ns;
        let user = program.user_of(now.slot);
        self.clocks_ns = user.periods_ns.iter().map(|period| now.ns + period).collect();
        self.start(Which::Open, now.ns);
    }

    /// Whether an iteration may begin.
    pub fn is_free(&self) -> bool {
        self.open && self.thread.is_none() && self.after.is_none()
    }

    /// Whether steps are under way.
    pub fn is_busy(&self) -> bool {
        self.thread.is_some()
    }

    /// Since when the next iteration could begin.
    pub fn free_since_ns(&self) -> u64 {
        self.ready_ns
    }

    /// Begins an iteration that was due at `due_ns`. `Err`: there is no row for it, and whether that is a failure.
    pub fn begin(&mut self, program: &Program, due_ns: u64, slot: u32) -> Result<(), bool> {
        if let Some(data) = program.data.as_ref().filter(|data| data.bind == Bind::Iteration) {
            let number = self.iterations * u64::from(program.connections) + u64::from(slot);
            self.row = Some(program.row(data, number, slot).ok_or(data.exhausted == Exhausted::Error)?);
        }
        self.ready_ns = self.ready_ns.max(due_ns);
        self.start(Which::Iterate, due_ns);
        Ok(())
    }

    fn start(&mut self, which: Which, due_ns: u64) {
        self.waiting = Waiting::Nothing;
        self.thread = Some(Thread { which, at: 0, stack: Vec::new(), failed: false, due_ns, fresh: true });
    }

    /// The connection is gone. The message that awaited its reply, and the iteration that was under way: when it was due.
    pub fn closed(&mut self) -> (Option<Exchange>, Option<u64>) {
        let exchange = self.exchange.take();
        let thread = self.thread.take();
        self.open = false;
        self.waiting = Waiting::Nothing;
        self.after = None;
        self.mismatch = None;
        self.trouble = None;
        self.asides.clear();
        self.clocks_ns.clear();
        self.given_up.clear();
        (exchange, thread.filter(|thread| thread.which == Which::Iterate).map(|thread| thread.due_ns))
    }

    /// Forgets what lived as long as the connection.
    pub fn forget(&mut self, program: &Program) {
        self.clear(program, &[Lives::Iteration, Lives::Connection]);
    }

    fn clear(&mut self, program: &Program, lives: &[Lives]) {
        for (value, variable) in self.own.iter_mut().zip(&program.variables) {
            if lives.contains(&variable.lives) {
                *value = None;
            }
        }
    }

    /// When something that is repeated is due next.
    pub fn next_clock_ns(&self) -> Option<u64> {
        self.clocks_ns.iter().min().copied()
    }

    /// What is repeated and due is done next.
    pub fn tick(&mut self, program: &Program, now: Now) {
        let user = program.user_of(now.slot);
        let rules = user.rules.len();
        for (place, (at_ns, period_ns)) in self.clocks_ns.iter_mut().zip(&user.periods_ns).enumerate() {
            if *at_ns <= now.ns {
                *at_ns += (now.ns - *at_ns) / period_ns * period_ns + period_ns;
                self.asides.push_back((rules + place, 0));
            }
        }
    }

    /// Number of messages sent: the next one's.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Counts a message that was rendered by [`Session::render`].
    pub fn count_sent(&mut self) {
        self.seq += 1;
    }

    fn cx(&self, program: &Program, now: Now) -> RenderContext {
        self.cx_of(program, now, self.seq)
    }

    fn cx_of(&self, program: &Program, now: Now, seq: u64) -> RenderContext {
        RenderContext { seed: program.seed, slot: now.slot, seq, iteration: self.iterations, unix_ns: now.unix_ns }
    }

    fn view<'v>(&'v self, program: &'v Program) -> View<'v> {
        View { own: &self.own, row: self.row, program }
    }

    /// Appends a message that is no step of the program.
    pub fn render(&self, program: &Program, template: &Template, now: Now, out: &mut Vec<u8>) -> Result<(), String> {
        template.render_with(&self.cx(program, now), &self.view(program), out).map_err(|unset| program.unset(unset))
    }

    pub(super) fn render_text(&self, program: &Program, template: &Template, now: Now) -> Result<String, Unset> {
        let mut text = Vec::new();
        template.render_with(&self.cx(program, now), &self.view(program), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// A message without the values that secret variables hold: each is replaced by `***name***`.
    pub fn hide<'m>(&self, program: &Program, message: &'m [u8]) -> Cow<'m, [u8]> {
        let mut hidden = Cow::Borrowed(message);
        let view = self.view(program);
        for &place in &program.secrets {
            let Some(value) = view.value(place).filter(|value| !value.is_empty()) else { continue };
            let name = &program.variables[usize::from(place)].name;
            let mut out = Vec::new();
            let mut rest = &hidden[..];
            while let Some(at) = rest.windows(value.len()).position(|part| part == value) {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(format!("***{name}***").as_bytes());
                rest = &rest[at + value.len()..];
            }
            if !out.is_empty() {
                out.extend_from_slice(rest);
                hidden = Cow::Owned(out);
            }
        }
        hidden
    }

    fn set(&mut self, program: &Program, place: u16, value: Box<[u8]>) {
        if self.own.is_empty() {
            self.own = vec![None; program.variables.len()];
        }
        if let Some(own) = self.own.get_mut(usize::from(place)) {
            *own = Some(value);
        }
    }

    /// Keeps parts of a message; the first that is not there is named.
    fn capture<'c>(&mut self, program: &'c Program, captures: &'c [Capture], payload: &[u8]) -> Result<(), &'c str> {
        for capture in captures {
            let name = || program.variables.get(usize::from(capture.variable)).map_or("?", |known| known.name.as_str());
            let value = capture.from.find(payload).ok_or_else(name)?;
            self.set(program, capture.variable, value);
        }
        Ok(())
    }

    /// What is to be done next. [`Action::Wait`] ends a turn; anything else is to be done, and asked again.
    pub fn next(&mut self, program: &Program, now: Now, out: &mut Vec<u8>) -> Action {
        let user = program.user_of(now.slot);
        if let Some(unset) = self.trouble.take() {
            return self.failed(user, ("a variable holds nothing".to_owned(), program.unset(unset)));
        }
        if let Some(told) = self.mismatch.take() {
            return self.failed(user, told);
        }
        if let Some(action) = self.aside(program, user, now, out) {
            return action;
        }
        match self.after.take() {
            Some(After::End) => return self.end(program, user),
            Some(After::Then(OnError::Reconnect)) => return Action::Reconnect,
            Some(After::Then(OnError::Abort)) => return Action::Abandon,
            _ => {}
        }
        if let Some(action) = self.wait(user, now) {
            return action;
        }
        for _ in 0..MAX_IDLE_OPS {
            if let Some(action) = self.step(program, user, now, out) {
                return action;
            }
        }
        self.failed(user, ("steps that go round without end".to_owned(), "no step of a loop sends or waits".to_owned()))
    }

    /// Looks at what is waited for; `None`: nothing any more.
    fn wait(&mut self, user: &User, now: Now) -> Option<Action> {
        match self.waiting {
            Waiting::Nothing => None,
            Waiting::Think { until_ns } if now.ns >= until_ns => {
                self.ready_ns = until_ns;
                self.proceed();
                None
            }
            Waiting::Reply { until_ns, .. } | Waiting::Message { until_ns, .. } if now.ns >= until_ns => {
                self.timed_out(user, until_ns)
            }
            Waiting::Think { until_ns } | Waiting::Reply { until_ns, .. } | Waiting::Message { until_ns, .. } => {
                Some(Action::Wait(Some(until_ns)))
            }
            // Not told that it was sent: the connection was closed meanwhile.
            Waiting::Sending { .. } => Some(Action::Wait(None)),
        }
    }

    fn timed_out(&mut self, user: &User, until_ns: u64) -> Option<Action> {
        self.ready_ns = until_ns;
        let thread = self.thread.as_ref()?;
        let expect = match ops(user, thread.which).get(thread.at) {
            Some(Op::Await { expect, .. }) => Some(expect),
            _ => None,
        };
        if expect.is_some_and(|expect| expect.nothing) {
            self.proceed();
            return None;
        }
        if let Some(exchange) = self.exchange.take() {
            if let Waiting::Reply { key: Some(key), .. } = self.waiting {
                if self.given_up.len() == REMEMBERED {
                    self.given_up.pop_front();
                }
                self.given_up.push_back((key, exchange));
            }
            self.fail_step(user);
            return Some(Action::Unanswered(exchange));
        }
        let words = expect.map_or_else(|| "a reply".to_owned(), super::Expect::words);
        Some(self.failed(user, (format!("expected {words}"), "no such message came in time".to_owned())))
    }

    /// The step is over, the next one begins.
    fn proceed(&mut self) {
        self.waiting = Waiting::Nothing;
        if let Some(thread) = &mut self.thread {
            thread.at += 1;
        }
    }

    /// A step has failed: what the user does then.
    fn fail_step(&mut self, user: &User) {
        self.exchange = None;
        if let Some(thread) = &mut self.thread {
            thread.failed = true;
            match user.on_error {
                OnError::Ignore => self.proceed(),
                OnError::Next | OnError::Reconnect | OnError::Abort => {
                    self.waiting = Waiting::Nothing;
                    self.after = Some(After::End);
                }
            }
        }
    }

    fn failed(&mut self, user: &User, (detail, example): (String, String)) -> Action {
        self.fail_step(user);
        Action::Failed { detail, example }
    }

    /// The steps are over.
    fn end(&mut self, program: &Program, user: &User) -> Action {
        let Some(thread) = self.thread.take() else { return Action::Wait(None) };
        self.exchange = None;
        match thread.which {
            Which::Open => {
                self.open = !thread.failed;
                Action::Opened { failed: thread.failed }
            }
            Which::Iterate => {
                self.iterations += 1;
                self.clear(program, &[Lives::Iteration]);
                if thread.failed && matches!(user.on_error, OnError::Reconnect | OnError::Abort) {
                    self.after = Some(After::Then(user.on_error));
                }
                Action::Ended { failed: thread.failed, due_ns: thread.due_ns, end_ns: self.ready_ns }
            }
        }
    }

    /// Runs instructions beside the steps.
    fn aside(&mut self, program: &Program, user: &User, now: Now, out: &mut Vec<u8>) -> Option<Action> {
        while let Some((list, at)) = self.asides.front_mut() {
            let Some(op) = user.asides[*list].get(*at) else {
                self.asides.pop_front();
                continue;
            };
            *at += 1;
            match op {
                Op::Send { message, .. } => {
                    let message = &program.messages[usize::from(*message)];
                    return Some(match self.append(program, message, now, self.asides_sent | ASIDE, out) {
                        Ok(()) => {
                            self.asides_sent += 1;
                            let (intended_ns, able_ns) = (now.ns, now.ns);
                            Action::Send { opcode: message.opcode, name: message.name, intended_ns, able_ns }
                        }
                        Err(unset) => Action::Failed {
                            detail: "a variable holds nothing".to_owned(),
                            example: program.unset(unset),
                        },
                    });
                }
                Op::Set { variable, value } => match self.render_text(program, value, now) {
                    Ok(text) => self.set(program, *variable, text.into_bytes().into()),
                    Err(unset) => self.trouble = Some(unset),
                },
                Op::Close { code, reason } => return Some(Action::Close { code: *code, reason: reason.clone() }),
                Op::Reconnect => return Some(Action::Reconnect),
                Op::Ping => return Some(Action::Ping),
                _ => {}
            }
        }
        None
    }

    fn append(&self, program: &Program, message: &Message, now: Now, seq: u64, out: &mut Vec<u8>) -> Result<(), Unset> {
        match &message.payload {
            Payload::Fixed(bytes) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Payload::Template(template) => {
                template.render_with(&self.cx_of(program, now, seq), &self.view(program), out)
            }
        }
    }

    /// Runs one instruction; `None`: go on.
    fn step(&mut self, program: &Program, user: &User, now: Now, out: &mut Vec<u8>) -> Option<Action> {
        let Some(thread) = &mut self.thread else { return Some(Action::Wait(None)) };
        let Some(op) = ops(user, thread.which).get(thread.at) else { return Some(self.end(program, user)) };
        match op {
            Op::Send { message, expects } => return Some(self.send(program, user, (*message, *expects), now, out)),
            Op::Await { expect, .. } => {
                let from_ns = self.exchange.map_or(self.ready_ns.max(now.ns), |exchange| exchange.sent_ns);
                let until_ns = from_ns + expect.within_ns;
                self.waiting = Waiting::Message { until_ns, left: expect.count };
                return Some(Action::Wait(Some(until_ns)));
            }
            Op::Think(law) => {
                self.thoughts += 1;
                let until_ns = self.ready_ns + law.before(program.seed, now.slot, self.thoughts);
                self.waiting = Waiting::Think { until_ns };
                return self.wait(user, now);
            }
            Op::Repeat { times, end } => {
                if *times == 0 {
                    thread.at = *end;
                } else {
                    thread.stack.push(0);
                    thread.at += 1;
                }
            }
            Op::Again { start } => {
                let times = match &ops(user, thread.which)[*start] {
                    Op::Repeat { times, .. } => *times,
                    _ => 0,
                };
                thread.round(*start, times);
            }
            Op::Each { values, end, .. } => {
                if values.is_empty() {
                    thread.at = *end;
                } else {
                    thread.stack.push(0);
                    let start = thread.at;
                    thread.at += 1;
                    return self.each(program, user, start, now);
                }
            }
            Op::NextEach { start } => {
                let start = *start;
                let count = match &ops(user, thread.which)[start] {
                    Op::Each { values, .. } => values.len() as u32,
                    _ => 0,
                };
                if thread.round(start, count) {
                    return self.each(program, user, start, now);
                }
            }
            Op::Unless { value, test, to } => {
                // What holds nothing is an empty text: that is how one asks whether it is there.
                let mut text = Vec::new();
                let (cx, to) = (self.cx(program, now), *to);
                let view = View { own: &self.own, row: self.row, program };
                let _ = value.render_with(&cx, &view, &mut text);
                let holds = test.holds_text(&text, &Scope { render: cx, variables: &view });
                if let Some(thread) = &mut self.thread {
                    thread.at = if holds.unwrap_or(false) { thread.at + 1 } else { to };
                }
            }
            Op::Jump(to) => thread.at = *to,
            Op::Set { variable, value } => match self.render_text(program, value, now) {
                Ok(text) => {
                    self.set(program, *variable, text.into_bytes().into());
                    self.proceed();
                }
                Err(unset) => {
                    return Some(self.failed(user, ("a variable holds nothing".to_owned(), program.unset(unset))));
                }
            },
            Op::Close { code, reason } => {
                self.proceed();
                return Some(Action::Close { code: *code, reason: reason.clone() });
            }
            Op::Reconnect => {
                self.proceed();
                return Some(Action::Reconnect);
            }
            Op::Ping => {
                self.proceed();
                return Some(Action::Ping);
            }
        }
        None
    }

    /// Sets the variable of a loop over values to that of the round.
    fn each(&mut self, program: &Program, user: &User, start: usize, now: Now) -> Option<Action> {
        let thread = self.thread.as_ref()?;
        let round = thread.stack.last().copied().unwrap_or(0);
        let Op::Each { variable, values, .. } = &ops(user, thread.which)[start] else { return None };
        match self.render_text(program, values.get(round as usize)?, now) {
            Ok(text) => {
                self.set(program, *variable, text.into_bytes().into());
                None
            }
            Err(unset) => Some(self.failed(user, ("a variable holds nothing".to_owned(), program.unset(unset)))),
        }
    }

    fn send(
        &mut self,
        program: &Program,
        user: &User,
        (number, expects): (u16, bool),
        now: Now,
        out: &mut Vec<u8>,
    ) -> Action {
        let message = &program.messages[usize::from(number)];
        let start = out.len();
        if let Err(unset) = self.append(program, message, now, self.seq, out) {
            out.truncate(start);
            return self.failed(user, ("a variable holds nothing".to_owned(), program.unset(unset)));
        }
        let keys = message.reply.as_ref().and_then(|reply| reply.keys.as_ref());
        let key = keys.map(|(sent, _)| sent.key_of(&out[start..]));
        if key == Some(None) {
            out.truncate(start);
            let example = "nothing could answer it".to_owned();
            return self.failed(user, ("a message without the key of its reply".to_owned(), example));
        }
        let Some(thread) = &mut self.thread else { return Action::Wait(None) };
        let intended_ns = if thread.fresh { thread.due_ns } else { self.ready_ns };
        thread.fresh = false;
        self.waiting = Waiting::Sending { message: number, key: key.flatten(), expects };
        self.exchange = Some(Exchange { name: message.name, intended_ns, sent_ns: now.ns });
        let able_ns = self.ready_ns.max(intended_ns);
        Action::Send { opcode: message.opcode, name: message.name, intended_ns, able_ns }
    }

    /// What [`Action::Send`] asked for has gone out. Messages of rules need not be told: they await nothing.
    pub fn sent(&mut self, program: &Program, sent_ns: u64) {
        let Waiting::Sending { message, key, expects } = self.waiting else { return };
        self.seq += 1;
        self.ready_ns = sent_ns;
        if let Some(exchange) = &mut self.exchange {
            exchange.sent_ns = sent_ns;
        }
        match &program.messages[usize::from(message)].reply {
            Some(reply) => self.waiting = Waiting::Reply { key, until_ns: sent_ns + reply.within_ns },
            None => {
                if !expects {
                    self.exchange = None;
                }
                self.proceed();
            }
        }
    }
}

impl Thread {
    /// The end of a loop's body: another round, or past it.
    fn round(&mut self, start: usize, times: u32) -> bool {
        let round = self.stack.last_mut().map_or(times, |round| {
            *round += 1;
            *round
        });
        let again = round < times;
        if again {
            self.at = start + 1;
        } else {
            self.stack.pop();
            self.at += 1;
        }
        again
    }
}

fn ops(user: &User, which: Which) -> &[Op] {
    match which {
        Which::Open => &user.on_open,
        Which::Iterate => &user.iterate,
    }
}
