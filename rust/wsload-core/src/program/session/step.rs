//! One instruction after the other.

use super::super::{Op, Program, Scope, User};
use super::{Action, Exchange, Now, Session, Thread, View, Waiting, ops};

impl Session {
    /// Runs one instruction; `None`: go on.
    pub(super) fn step(&mut self, program: &Program, user: &User, now: Now, out: &mut Vec<u8>) -> Option<Action> {
        if self.script.is_some() {
            return Some(self.follow_script(program, user, now, out));
        }
        let Some(thread) = &mut self.thread else { return Some(Action::Wait(None)) };
        let Some(op) = ops(user, thread.which).get(thread.at) else { return Some(self.end(program, user)) };
        match op {
            Op::Send { message, expects } => return Some(self.send(program, user, (*message, *expects), now, out)),
            Op::Await { expect, .. } => {
                let from_ns = self.exchange.map_or(self.ready_ns.max(now.ns), |exchange| exchange.sent_ns);
                let until_ns = from_ns + expect.within_ns;
                self.waiting = Waiting::Message { until_ns, left: expect.count };
                self.before = None;
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
            Op::Mark(text) => {
                self.proceed();
                return Some(Action::Mark(text.clone()));
            }
        }
        None
    }

    /// Sets the variable of a loop over values to that of the round.
    pub(super) fn each(&mut self, program: &Program, user: &User, start: usize, now: Now) -> Option<Action> {
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

    pub(super) fn send(
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
        if self.script.is_some() {
            return self.sent_by_script(key, sent_ns);
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
