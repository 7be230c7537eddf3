//! What is to be done next: asked again and again, until there is something to wait for.

use super::super::{Expect, Message, Op, Payload, Program, Unset, User};
use super::{Action, After, Lives, Note, Now, Session, Waiting, Which, ops};
use crate::plan::program::OnError;
use crate::template::ASIDE;

/// Replies given up that are still recognised when they come late.
const REMEMBERED: usize = 16;
/// Instructions run without a send or a wait in between: a loop of nothing must not hold up everybody else.
const MAX_IDLE_OPS: u32 = 100_000;

impl Session {
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
    pub(super) fn wait(&mut self, user: &User, now: Now) -> Option<Action> {
        match self.waiting {
            Waiting::Nothing => None,
            Waiting::Think { until_ns } if now.ns >= until_ns => {
                self.ready_ns = until_ns;
                self.proceed();
                self.tell(Note::Elapsed);
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

    pub(super) fn timed_out(&mut self, user: &User, until_ns: u64) -> Option<Action> {
        self.ready_ns = until_ns;
        if self.script.is_some() {
            return Some(self.missed_by_script());
        }
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
        let words = expect.map_or_else(|| "a reply".to_owned(), Expect::words);
        Some(self.failed(user, (format!("expected {words}"), "no such message came in time".to_owned())))
    }

    /// The step is over, the next one begins.
    pub(super) fn proceed(&mut self) {
        self.waiting = Waiting::Nothing;
        if let Some(thread) = &mut self.thread {
            thread.at += 1;
        }
    }

    /// A step has failed: what the user does then.
    pub(super) fn fail_step(&mut self, user: &User) {
        if self.script.is_some() {
            // A rule has failed: the script knows nothing of it and goes on.
            return;
        }
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

    pub(super) fn failed(&mut self, user: &User, (detail, example): (String, String)) -> Action {
        self.fail_step(user);
        Action::Failed { detail, example }
    }

    /// The steps are over.
    pub(super) fn end(&mut self, program: &Program, user: &User) -> Action {
        let Some(thread) = self.thread.take() else { return Action::Wait(None) };
        self.exchange = None;
        match thread.which {
            Which::Open => {
                self.open = !thread.failed;
                if self.open {
                    self.after = self.after_script();
                }
                Action::Opened { failed: thread.failed }
            }
            Which::Iterate => {
                self.iterations += 1;
                self.clear(program, &[Lives::Iteration]);
                if thread.failed && matches!(user.on_error, OnError::Reconnect | OnError::Abort) {
                    self.after = Some(After::Then(user.on_error));
                }
                self.after = self.after_script().or(self.after);
                Action::Ended { failed: thread.failed, due_ns: thread.due_ns, end_ns: self.ready_ns }
            }
        }
    }

    /// Runs instructions beside the steps.
    pub(super) fn aside(&mut self, program: &Program, user: &User, now: Now, out: &mut Vec<u8>) -> Option<Action> {
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

    pub(super) fn append(
        &self,
        program: &Program,
        message: &Message,
        now: Now,
        seq: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Unset> {
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
}
