//! Messages that come in: whose turn they are, and whether they are what they should be.

use super::super::{Expect, Incoming, Op, Program, Scope, User};
use super::{Exchange, Now, Session, Taken, View, Waiting, ops};
use crate::json::{hide, plain};

/// Of a message, in an example of what went wrong.
const SHOWN_BYTES: usize = 300;

impl Session {
    /// A message came in: rules have the first say, then a reply awaited by its key, then what the step expects, then a
    /// reply awaited by order.
    pub fn hear(&mut self, program: &Program, message: Incoming<'_>, arrival_ns: u64, now: Now) -> Taken {
        let user = program.user_of(now.slot);
        for (place, rule) in user.rules.iter().enumerate() {
            let view = View { own: &self.own, row: self.row, program };
            let scope = Scope { render: self.cx(program, now), variables: &view };
            let applies = rule.when.iter().try_fold(true, |so_far, check| Ok(so_far && check.holds(message, &scope)?));
            match applies {
                Ok(true) => {}
                Ok(false) => continue,
                Err(unset) => {
                    self.trouble = Some(unset);
                    continue;
                }
            }
            if let Err(name) = self.capture(program, &rule.captures, message.payload) {
                self.mismatch = Some((format!("nothing to capture as {name}"), self.seen(program, message.payload)));
            }
            self.asides.push_back((place, 0));
            if !rule.pass_on {
                return Taken::Taken;
            }
        }
        self.offer(program, user, message, arrival_ns, now)
    }

    fn offer(&mut self, program: &Program, user: &User, message: Incoming<'_>, arrival_ns: u64, now: Now) -> Taken {
        if self.script.is_some() {
            return self.offer_script(message, arrival_ns);
        }
        if let Waiting::Reply { key: Some(key), .. } = self.waiting
            && self.received_key(program, user, message.payload) == Some(key)
        {
            return self.answered(arrival_ns);
        }
        if !self.given_up.is_empty()
            && let Some(key) = self.received_late_key(program, message.payload)
        {
            return Taken::Late(key);
        }
        match self.waiting {
            Waiting::Message { until_ns, left } => {
                self.judge(program, user, message, (until_ns, left), arrival_ns, now)
            }
            Waiting::Reply { key: None, .. } => self.answered(arrival_ns),
            _ => Taken::Push,
        }
    }

    fn received_key(&self, program: &Program, user: &User, payload: &[u8]) -> Option<u64> {
        let thread = self.thread.as_ref()?;
        let Some(Op::Send { message, .. }) = ops(user, thread.which).get(thread.at) else { return None };
        program.messages[usize::from(*message)].reply.as_ref()?.keys.as_ref()?.1.key_of(payload)
    }

    /// The message that was given up and that this one answers.
    fn received_late_key(&mut self, program: &Program, payload: &[u8]) -> Option<Exchange> {
        let place = self.given_up.iter().position(|(key, exchange)| {
            program.messages.iter().filter(|message| message.name == exchange.name).any(|message| {
                let keys = message.reply.as_ref().and_then(|reply| reply.keys.as_ref());
                keys.is_some_and(|(_, received)| received.key_of(payload) == Some(*key))
            })
        })?;
        self.given_up.remove(place).map(|(_, exchange)| exchange)
    }

    fn answered(&mut self, arrival_ns: u64) -> Taken {
        self.ready_ns = arrival_ns;
        self.proceed();
        self.exchange.take().map_or(Taken::Taken, Taken::Answer)
    }

    /// Of several messages that a step waits for: whether one came before its turn, and what is told of it.
    fn out_of_order(&mut self, program: &Program, expect: &Expect, payload: &[u8]) -> Option<(String, String)> {
        let query = expect.order.as_ref()?;
        let Some(value) = query.first(payload) else {
            return Some((format!("nothing at {} to see the order by", query.text()), self.seen(program, payload)));
        };
        let before = self.before.replace(value.as_ref().into())?;
        if grows(&before, &value) {
            return None;
        }
        let after = String::from_utf8_lossy(&before).into_owned();
        Some((format!("expected {} to grow", query.text()), format!("after {after}: {}", self.seen(program, payload))))
    }

    fn seen(&self, program: &Program, payload: &[u8]) -> String {
        let hidden = hide(&program.redact, payload, false);
        shown(&self.hide(program, hidden.as_deref().unwrap_or(payload)))
    }

    /// A message comes while a step waits for one.
    fn judge(
        &mut self,
        program: &Program,
        user: &User,
        message: Incoming<'_>,
        (until_ns, left): (u64, u32),
        arrival_ns: u64,
        now: Now,
    ) -> Taken {
        let Some(thread) = &self.thread else { return Taken::Push };
        let Some(Op::Await { expect, strict }) = ops(user, thread.which).get(thread.at) else { return Taken::Push };
        let view = View { own: &self.own, row: self.row, program };
        let verdict = expect.judge(message, &Scope { render: self.cx(program, now), variables: &view });
        let unmet = match verdict {
            Ok(unmet) => unmet,
            Err(unset) => {
                self.trouble = Some(unset);
                return Taken::Taken;
            }
        };
        let told = match (unmet, expect.nothing) {
            (Some(_), true) => return Taken::Push,
            (None, true) => {
                Some((format!("expected nothing that is {}", expect.words()), self.seen(program, message.payload)))
            }
            (Some(_), false) if !*strict => return Taken::Push,
            (Some(check), false) => Some((format!("expected {check}"), self.seen(program, message.payload))),
            (None, false) => None,
        };
        let told = told.or_else(|| self.out_of_order(program, expect, message.payload));
        if told.is_some() {
            self.mismatch = told;
        } else if let Err(name) = self.capture(program, &expect.captures, message.payload) {
            self.mismatch = Some((format!("nothing to capture as {name}"), self.seen(program, message.payload)));
        } else if left > 1 {
            self.waiting = Waiting::Message { until_ns, left: left - 1 };
            return Taken::Taken;
        } else {
            return self.answered(arrival_ns);
        }
        // It came, although it is not what it should be: its time counts, and the step fails.
        self.ready_ns = arrival_ns;
        self.exchange.take().map_or(Taken::Taken, Taken::Answer)
    }
}

/// Whether a value comes after another: numbers by size, texts by their characters.
fn grows(before: &[u8], value: &[u8]) -> bool {
    let whole = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i128>().ok();
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<f64>().ok();
    match (whole(before).zip(whole(value)), number(before).zip(number(value))) {
        (Some((before, value)), _) => before < value,
        (None, Some((before, value))) => before < value,
        _ => before.starts_with(b"\"") && value.starts_with(b"\"") && plain(before) < plain(value),
    }
}

/// What a person is shown of a message; whoever prints it escapes it.
fn shown(payload: &[u8]) -> String {
    let cut = &payload[..payload.len().min(SHOWN_BYTES)];
    let more = if payload.len() > cut.len() { " …" } else { "" };
    format!("got {}{more}", String::from_utf8_lossy(cut))
}
