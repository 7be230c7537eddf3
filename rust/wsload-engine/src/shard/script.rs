//! Connections whose steps a script decides: it asks through [`Shard::command`] and is told through
//! [`Shard::take_notes`], many connections at a time.

use wsload_core::frame::opcode::Opcode;
use wsload_core::program::{Command, Note};

use super::slot::Stage;
use super::{Phase, Shard};
use crate::os::monotonic_ns;

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or is answered by a note.
    Asked,
    /// A message that came before it was asked for.
    Message(Opcode, Box<[u8]>),
    /// The next iteration has begun.
    Begun,
}

/// The connection is gone: nothing can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl Shard {
    /// Does what the script of a connection asks for, as far as it can be done at once; what waits is answered by a
    /// note. After the last command of a batch, call [`Shard::commands_over`].
    pub fn command(&mut self, index: u32, command: Command) -> Result<Answer, Gone> {
        // Nothing new while the last replies come in.
        let over = self.phase >= Phase::Draining && self.paces_itself();
        let slot = self.slots.get_mut(index as usize).ok_or(Gone)?;
        let session = slot.session.as_mut().filter(|session| session.has_script()).ok_or(Gone)?;
        if slot.stage != Stage::Open || over {
            return Err(Gone);
        }
        if matches!(command, Command::Receive { .. })
            && let Some(kept) = session.take_kept()
        {
            return Ok(Answer::Message(kept.0, kept.1));
        }
        let iterates = matches!(command, Command::Iterate);
        session.ask(command);
        self.follow(index);
        // A closed loop, or a schedule that is behind, has the next one ready.
        let session = self.slots[index as usize].session.as_mut();
        let begun = iterates && session.is_some_and(|session| session.take_begun());
        Ok(if begun { Answer::Begun } else { Answer::Asked })
    }

    /// What scripts are to be told: the connection's place on this worker, and what.
    pub fn take_notes(&mut self, notes: &mut Vec<(u32, Note)>) {
        for index in std::mem::take(&mut self.told) {
            let Some(session) = &mut self.slots[index as usize].session else { continue };
            while let Some(note) = session.take_note() {
                notes.push((index, note));
            }
        }
    }

    /// Whether there is anything to tell.
    pub fn has_notes(&self) -> bool {
        !self.told.is_empty()
    }

    /// After commands: looks whether the run goes on to its next phase, and sets the timer.
    pub fn commands_over(&mut self) {
        self.step(monotonic_ns());
        self.arm();
        if self.has_notes() {
            self.timer.set(Some(1));
        }
    }

    /// What a variable of a connection holds.
    pub fn variable(&self, index: u32, place: u16) -> Option<&[u8]> {
        self.slots.get(index as usize)?.session.as_ref()?.value(self.settings.program.as_ref()?, place)
    }

    /// Sets a variable of a connection.
    pub fn set_variable(&mut self, index: u32, place: u16, value: &[u8]) {
        let Some(program) = &self.settings.program else { return };
        if let Some(session) = self.slots.get_mut(index as usize).and_then(|slot| slot.session.as_mut()) {
            session.set(program, place, value.into());
        }
    }

    /// Number over the whole run of a connection's place on this worker.
    pub fn number_of(&self, index: u32) -> u32 {
        self.settings.global_slot(index)
    }

    /// The session of a slot may have something to tell.
    pub(super) fn has_told(&mut self, index: u32) {
        let has_notes = |slot: &super::slot::Slot| slot.session.as_ref().is_some_and(|session| session.has_notes());
        if has_notes(&self.slots[index as usize]) && self.told.last() != Some(&index) {
            self.told.push(index);
        }
    }
}
