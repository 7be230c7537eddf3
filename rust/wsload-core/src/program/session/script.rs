//! A session that a script drives: it asks for one thing at a time and is told what came of it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::{Incoming, Program, User};
use super::{Action, After, Exchange, Now, Session, Taken, Waiting};
use crate::frame::opcode::Opcode;
use crate::matching::KeySource;
use crate::plan::program::OnError;

/// Messages that came while the script waited for none: it can still have them.
const MAX_KEPT: usize = 32;
/// Payload bytes of them; a single one may be larger.
const MAX_KEPT_BYTES: usize = 16 * 1024;
/// Replies given up that are still recognised when they come late.
const REMEMBERED: usize = 16;

/// What a script asks for. Those that wait are answered by a [`Note`], and until then nothing else may be asked.
#[derive(Debug)]
pub enum Command {
    /// Send a message. Without a reply it is done at once.
    Send {
        /// Text or Binary.
        opcode: Opcode,
        /// Place of its name.
        name: u16,
        /// As it goes out.
        payload: Vec<u8>,
        /// What is awaited.
        reply: Option<Awaited>,
    },
    /// Wait for the next message that nobody else takes.
    Receive {
        /// Until it is given up.
        within_ns: u64,
    },
    /// Wait.
    Think {
        /// How long.
        for_ns: u64,
    },
    /// Send a control ping.
    Ping,
    /// Close the connection.
    Close {
        /// Close code.
        code: u16,
        /// Up to 123 bytes.
        reason: String,
    },
    /// Close the connection with 1000 and open it again at once.
    Reconnect,
    /// The opening, or the iteration, is over: wait for the next one.
    Iterate,
    /// It has waited for something that is no business of ours: the next message counts from now.
    Back,
    /// The script has returned or failed.
    Over {
        /// The iteration has failed.
        failed: bool,
        /// What is told of it, in general and in particular; `None`: it has been counted as something else.
        told: Option<(String, String)>,
        /// It is an expectation that was not met, rather than a mistake of the script.
        expected: bool,
    },
}

/// The reply to a message.
#[derive(Debug)]
pub struct Awaited {
    /// The message's key, and where it stands in the reply; `None`: the next message that nobody else takes.
    pub key: Option<(u64, Arc<KeySource>)>,
    /// From the send until it is given up.
    pub within_ns: u64,
}

/// What a script is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Note {
    /// The connection is open: a new script begins.
    Opened,
    /// The next iteration begins.
    Begun,
    /// The message that was waited for.
    Message(Opcode, Box<[u8]>),
    /// The wait is over.
    Elapsed,
    /// No such message came in time.
    Missed,
    /// The connection is gone.
    Closed,
}

/// Where the script of one connection stands.
#[derive(Debug, Default)]
pub(super) struct Script {
    alive: bool,
    command: Option<Command>,
    /// Of the message that is being sent or awaits its reply.
    awaited: Option<Awaited>,
    kept: VecDeque<(Opcode, Box<[u8]>)>,
    kept_bytes: usize,
    given_up: VecDeque<(u64, Arc<KeySource>, Exchange)>,
    /// What follows its end.
    then: Option<OnError>,
    notes: VecDeque<Note>,
}

impl Script {
    /// A message that nobody waits for; false: there is no room for it.
    fn keep(&mut self, message: Incoming<'_>) -> bool {
        let room = self.kept.is_empty() || self.kept_bytes + message.payload.len() <= MAX_KEPT_BYTES;
        let keeps = self.alive && self.kept.len() < MAX_KEPT && room;
        if keeps {
            self.kept_bytes += message.payload.len();
            self.kept.push_back((message.opcode, message.payload.into()));
        }
        keeps
    }
}

impl Session {
    /// Whether a script runs on the connection and may ask for something.
    pub fn has_script(&self) -> bool {
        self.script.as_ref().is_some_and(|script| script.alive)
    }

    /// What the script asks for next; [`Session::next`] does it.
    pub fn ask(&mut self, command: Command) {
        if let Some(script) = self.script.as_mut().filter(|script| script.alive) {
            script.command = Some(command);
        }
    }

    /// A message that came before the script asked for it.
    pub fn take_kept(&mut self) -> Option<(Opcode, Box<[u8]>)> {
        let script = self.script.as_mut()?;
        let (opcode, payload) = script.kept.pop_front()?;
        script.kept_bytes -= payload.len();
        Some((opcode, payload))
    }

    /// What the script is to be told, oldest first.
    pub fn take_note(&mut self) -> Option<Note> {
        self.script.as_mut()?.notes.pop_front()
    }

    /// Whether an iteration has begun, if that is all there is to tell: then it has been told.
    pub fn take_begun(&mut self) -> bool {
        let Some(script) = &mut self.script else { return false };
        let begun = script.notes.len() == 1 && script.notes[0] == Note::Begun;
        if begun {
            script.notes.clear();
        }
        begun
    }

    /// Whether there is anything to tell.
    pub fn has_notes(&self) -> bool {
        self.script.as_ref().is_some_and(|script| !script.notes.is_empty())
    }

    pub(super) fn tell(&mut self, note: Note) {
        let Some(script) = &mut self.script else { return };
        match note {
            Note::Opened => {
                let notes = std::mem::take(&mut script.notes);
                **script = Script { alive: true, notes, ..Script::default() };
            }
            Note::Closed if !script.alive => return,
            Note::Closed => {
                let notes = std::mem::take(&mut script.notes);
                **script = Script { notes, ..Script::default() };
            }
            _ => {}
        }
        script.notes.push_back(note);
    }

    /// Begins what the script asks for.
    pub(super) fn follow_script(&mut self, program: &Program, user: &User, now: Now, out: &mut Vec<u8>) -> Action {
        let Some(script) = &mut self.script else { return Action::Wait(None) };
        let Some(command) = script.command.take() else { return Action::Wait(None) };
        match command {
            Command::Send { opcode, name, payload, reply } => {
                out.extend_from_slice(&payload);
                let key = reply.as_ref().and_then(|reply| reply.key.as_ref()).map(|(key, _)| *key);
                script.awaited = reply;
                self.send_of_script((opcode, name), key, now)
            }
            Command::Receive { within_ns } => {
                let until_ns = now.ns.saturating_add(within_ns);
                self.waiting = Waiting::Message { until_ns, left: 1 };
                Action::Wait(Some(until_ns))
            }
            Command::Think { for_ns } => {
                let until_ns = now.ns.saturating_add(for_ns);
                self.waiting = Waiting::Think { until_ns };
                Action::Wait(Some(until_ns))
            }
            Command::Ping => Action::Ping,
            Command::Close { code, reason } => Action::Close { code, reason },
            Command::Reconnect => Action::Reconnect,
            Command::Iterate => self.end(program, user),
            Command::Back => {
                self.ready_ns = now.ns;
                Action::Wait(None)
            }
            Command::Over { failed, told, expected } => {
                script.alive = false;
                let gives_up = failed && user.on_error == OnError::Abort;
                script.then = Some(if gives_up { OnError::Abort } else { OnError::Reconnect });
                if let Some(thread) = &mut self.thread {
                    thread.failed |= failed;
                }
                match told {
                    Some((detail, example)) => {
                        self.after = Some(After::End);
                        let example = String::from_utf8_lossy(&self.hide(program, example.as_bytes())).into_owned();
                        if expected {
                            Action::Failed { detail, example }
                        } else {
                            Action::ScriptFailed { detail, example }
                        }
                    }
                    None => self.end(program, user),
                }
            }
        }
    }

    fn send_of_script(&mut self, (opcode, name): (Opcode, u16), key: Option<u64>, now: Now) -> Action {
        let Some(thread) = &mut self.thread else { return Action::Wait(None) };
        let intended_ns = if thread.fresh { thread.due_ns } else { self.ready_ns };
        thread.fresh = false;
        self.waiting = Waiting::Sending { message: 0, key, expects: false };
        self.exchange = Some(Exchange { name, intended_ns, sent_ns: now.ns });
        Action::Send { opcode, name, intended_ns, able_ns: self.ready_ns.max(intended_ns) }
    }

    /// What a script sent has gone out.
    pub(super) fn sent_by_script(&mut self, key: Option<u64>, sent_ns: u64) {
        let within_ns = self.script.as_ref().and_then(|script| Some(script.awaited.as_ref()?.within_ns));
        self.waiting = match within_ns {
            Some(within_ns) => Waiting::Reply { key, until_ns: sent_ns.saturating_add(within_ns) },
            None => {
                self.exchange = None;
                Waiting::Nothing
            }
        };
    }

    /// A message that no rule took.
    pub(super) fn offer_script(&mut self, message: Incoming<'_>, arrival_ns: u64) -> Taken {
        let Some(script) = &mut self.script else { return Taken::Push };
        let taken = match (self.waiting, &script.awaited) {
            (Waiting::Reply { key: Some(key), .. }, Some(Awaited { key: Some((_, source)), .. })) => {
                source.key_of(message.payload) == Some(key)
            }
            _ => false,
        };
        if !taken {
            let late =
                |(key, source, _): &(u64, Arc<KeySource>, Exchange)| source.key_of(message.payload) == Some(*key);
            if let Some(place) = script.given_up.iter().position(late) {
                return script.given_up.remove(place).map_or(Taken::Push, |(_, _, exchange)| Taken::Late(exchange));
            }
            if !matches!(self.waiting, Waiting::Message { .. } | Waiting::Reply { key: None, .. }) {
                return if script.keep(message) { Taken::Taken } else { Taken::Push };
            }
        }
        script.awaited = None;
        self.waiting = Waiting::Nothing;
        self.ready_ns = arrival_ns;
        self.tell(Note::Message(message.opcode, message.payload.into()));
        self.exchange.take().map_or(Taken::Taken, Taken::Answer)
    }

    /// Nothing came in time.
    pub(super) fn missed_by_script(&mut self) -> Action {
        let Some(script) = &mut self.script else { return Action::Wait(None) };
        self.waiting = Waiting::Nothing;
        let exchange = self.exchange.take();
        let awaited = script.awaited.take().and_then(|awaited| awaited.key);
        if let (Some(exchange), Some((key, source))) = (exchange, awaited) {
            if script.given_up.len() == REMEMBERED {
                script.given_up.pop_front();
            }
            script.given_up.push_back((key, source, exchange));
        }
        self.tell(Note::Missed);
        exchange.map_or(Action::Wait(None), Action::Unanswered)
    }

    /// What follows the end of a script whose connection lives on.
    pub(super) fn after_script(&mut self) -> Option<After> {
        self.script.as_mut()?.then.take().map(After::Then)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::{Handshake, Target, program as plan};

    const MS: u64 = 1_000_000;

    fn program(iterates: bool, on_error: &str, on_message: &serde_json::Value) -> Program {
        let program: plan::Program = serde_json::from_value(json!({
            "names": [{"name": "say", "total": true}],
            "variables": [{"name": "token", "value": "s3cret", "lives": "connection", "secret": true}],
            "data": null,
            "messages": [],
            "users": [{
                "name": "u", "weight": 1, "on_open": [], "iterate": [], "on_message": on_message, "every": [], "on_close": [],
                "on_error": on_error,
            }],
            "handshake_template": false,
            "script": {"path": "a.py", "function": "f", "iterates": iterates},
        }))
        .unwrap();
        let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
        let handshake: Handshake = serde_json::from_value(json!({
            "headers": [], "cookies": [], "keep_cookies": false, "subprotocols": [], "require_subprotocol": false,
            "origin": null, "compression": null,
        }))
        .unwrap();
        Program::compile(&program, (&target, &handshake), (1, 1)).unwrap()
    }

    struct End {
        program: Program,
        session: Session,
    }

    impl End {
        /// An open connection whose script has been told so.
        fn open(on_error: &str) -> Self {
            let program = program(true, on_error, &json!([]));
            let mut session = Session::new(&program, 0).unwrap();
            session.opened(&program, now(0));
            assert_eq!(session.take_note(), Some(Note::Opened));
            Self { program, session }
        }

        fn next(&mut self, ns: u64) -> Action {
            self.session.next(&self.program, now(ns), &mut Vec::new())
        }

        fn asks(&mut self, command: Command, ns: u64) -> Action {
            self.session.ask(command);
            self.next(ns)
        }

        fn hears(&mut self, payload: &[u8], ns: u64) -> Taken {
            let message = Incoming { opcode: Opcode::Text, payload };
            self.session.hear(&self.program, message, ns, now(ns))
        }

        /// In an iteration that was due at `due_ns`.
        fn iterates(&mut self, due_ns: u64) {
            self.asks(Command::Iterate, due_ns);
            self.session.begin(&self.program, due_ns, 0).unwrap();
            assert_eq!(self.session.take_note(), Some(Note::Begun));
        }

        fn sends(&mut self, payload: &[u8], ns: u64) -> Action {
            let source = Arc::new(KeySource::json("$.id").unwrap());
            let key = source.key_of(payload).map(|key| (key, source));
            let reply = Some(Awaited { key, within_ns: 100 * MS });
            let action = self.asks(Command::Send { opcode: Opcode::Text, name: 0, payload: payload.into(), reply }, ns);
            self.session.sent(&self.program, ns);
            action
        }
    }

    fn now(ns: u64) -> Now {
        Now { ns, unix_ns: ns, slot: 0 }
    }

    fn text(payload: &[u8]) -> Note {
        Note::Message(Opcode::Text, payload.into())
    }

    #[test]
    fn the_first_message_of_an_iteration_counts_from_when_it_was_due_the_next_from_the_reply_before() {
        let mut end = End::open("next");
        assert_eq!(end.asks(Command::Iterate, 5), Action::Opened { failed: false });
        assert!(end.session.is_free());
        end.session.begin(&end.program, 10, 0).unwrap();
        assert_eq!(end.session.take_note(), Some(Note::Begun));
        let send =
            |intended_ns: u64, able_ns: u64| Action::Send { opcode: Opcode::Text, name: 0, intended_ns, able_ns };
        assert_eq!(end.sends(br#"{"id": 1}"#, 12), send(10, 10));
        let reply = br#"{"id": 1, "ok": true}"#;
        assert_eq!(end.hears(reply, 20), Taken::Answer(Exchange { name: 0, intended_ns: 10, sent_ns: 12 }));
        assert_eq!(end.session.take_note(), Some(text(reply)));
        assert_eq!(end.sends(br#"{"id": 2}"#, 25), send(20, 20));
        end.hears(br#"{"id": 2}"#, 30);
        assert_eq!(end.asks(Command::Iterate, 31), Action::Ended { failed: false, due_ns: 10, end_ns: 30 });
    }

    #[test]
    fn a_reply_is_told_by_its_key_and_what_comes_before_it_is_kept_for_whoever_asks() {
        let mut end = End::open("next");
        end.iterates(0);
        end.sends(br#"{"id": 1}"#, 1);
        assert_eq!(end.hears(b"news", 2), Taken::Taken);
        assert!(matches!(end.hears(br#"{"id": 1}"#, 3), Taken::Answer(_)));
        assert_eq!(end.session.take_kept(), Some((Opcode::Text, (*b"news").into())));
        assert_eq!(end.session.take_kept(), None);
    }

    #[test]
    fn what_nobody_asks_for_is_kept_within_bounds_and_is_a_push_beyond() {
        let mut end = End::open("next");
        for _ in 0..MAX_KEPT {
            assert_eq!(end.hears(b"x", 1), Taken::Taken);
        }
        assert_eq!(end.hears(b"x", 1), Taken::Push);
        let mut end = End::open("next");
        assert_eq!(end.hears(&[b'x'; 2 * MAX_KEPT_BYTES], 1), Taken::Taken);
        assert_eq!(end.hears(b"x", 1), Taken::Push);
    }

    #[test]
    fn a_reply_that_does_not_come_in_time_is_unanswered_and_known_when_it_is_late() {
        let mut end = End::open("next");
        end.iterates(0);
        end.sends(br#"{"id": 1}"#, 1);
        let exchange = Exchange { name: 0, intended_ns: 0, sent_ns: 1 };
        assert_eq!(end.next(1 + 100 * MS), Action::Unanswered(exchange));
        assert_eq!(end.session.take_note(), Some(Note::Missed));
        assert_eq!(end.hears(br#"{"id": 1}"#, 200 * MS), Taken::Late(exchange));
        assert!(!end.session.has_notes());
    }

    #[test]
    fn waiting_for_a_message_or_a_time_ends_in_virtual_time() {
        let mut end = End::open("next");
        assert_eq!(end.asks(Command::Receive { within_ns: 10 }, 5), Action::Wait(Some(15)));
        assert_eq!(end.next(15), Action::Wait(None));
        assert_eq!(end.session.take_note(), Some(Note::Missed));
        assert_eq!(end.asks(Command::Think { for_ns: 10 }, 20), Action::Wait(Some(30)));
        assert_eq!(end.next(30), Action::Wait(None));
        assert_eq!(end.session.take_note(), Some(Note::Elapsed));
        end.asks(Command::Receive { within_ns: 10 }, 40);
        assert_eq!(end.hears(b"hi", 41), Taken::Taken);
        assert_eq!(end.session.take_note(), Some(text(b"hi")));
    }

    #[test]
    fn an_exception_fails_the_iteration_and_the_connection_is_opened_again() {
        let mut end = End::open("next");
        end.iterates(7);
        let told = Some(("KeyError, line 3".to_owned(), "KeyError: 's3cret'".to_owned()));
        let action = end.asks(Command::Over { failed: true, told, expected: false }, 9);
        let (detail, example) = ("KeyError, line 3".to_owned(), "KeyError: '***token***'".to_owned());
        assert_eq!(action, Action::ScriptFailed { detail, example });
        assert!(matches!(end.next(9), Action::Ended { failed: true, due_ns: 7, .. }));
        assert_eq!(end.next(9), Action::Reconnect);
        assert!(!end.session.has_script());
    }

    #[test]
    fn a_script_that_gives_up_before_its_first_iteration_has_not_opened() {
        let mut end = End::open("abort");
        assert_eq!(
            end.asks(Command::Over { failed: true, told: None, expected: false }, 1),
            Action::Opened { failed: true }
        );
        let mut end = End::open("abort");
        end.iterates(0);
        assert!(matches!(
            end.asks(Command::Over { failed: true, told: None, expected: false }, 1),
            Action::Ended { failed: true, .. }
        ));
        assert_eq!(end.next(1), Action::Abandon);
    }

    #[test]
    fn a_script_that_returns_begins_anew_on_another_connection() {
        let mut end = End::open("next");
        let over = Command::Over { failed: false, told: None, expected: false };
        assert_eq!(end.asks(over, 1), Action::Opened { failed: false });
        assert_eq!(end.next(1), Action::Reconnect);
    }

    #[test]
    fn a_lost_connection_is_told_once_and_nothing_more_may_be_asked() {
        let mut end = End::open("next");
        end.iterates(3);
        end.sends(br#"{"id": 1}"#, 4);
        let (exchange, iteration) = end.session.closed();
        assert_eq!((exchange.map(|one| one.sent_ns), iteration), (Some(4), Some(3)));
        end.session.closed();
        assert_eq!((end.session.take_note(), end.session.take_note()), (Some(Note::Closed), None));
        assert!(!end.session.has_script());
        end.session.ask(Command::Ping);
        assert_eq!(end.next(5), Action::Wait(None));
        end.session.opened(&end.program, now(6));
        assert!(end.session.has_script());
    }

    #[test]
    fn rules_have_the_first_say() {
        let rules = json!([{"when": [{"equals": "2"}], "captures": [], "steps": [], "pass_on": false}]);
        let program = program(true, "next", &rules);
        let mut session = Session::new(&program, 0).unwrap();
        session.opened(&program, now(0));
        let mut end = End { program, session };
        end.session.take_note();
        end.asks(Command::Receive { within_ns: 10 }, 1);
        assert_eq!(end.hears(b"2", 2), Taken::Taken);
        assert!(!end.session.has_notes());
    }
}
