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
            let late = |(key, source, _): &(u64, Arc<KeySource>, Exchange)| source.key_of(message.payload) == Some(*key);
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
