//! What variables hold on one connection, and messages made of them.

use std::borrow::Cow;

use super::super::{Capture, Program, RenderContext, Template, Unset, Variables};
use super::{Lives, Now, Session};

/// What a template of a session is filled in with.
pub(super) struct View<'v> {
    pub(super) own: &'v [Option<Box<[u8]>>],
    pub(super) row: Option<usize>,
    pub(super) program: &'v Program,
}

impl Variables for View<'_> {
    fn value(&self, place: u16) -> Option<&[u8]> {
        let own = self.own.get(usize::from(place)).and_then(Option::as_deref);
        own.or_else(|| self.program.initial(self.row, place))
    }
}

impl Session {
    /// Appends a message that is no step of the program.
    pub fn render(&self, program: &Program, template: &Template, now: Now, out: &mut Vec<u8>) -> Result<(), String> {
        template.render_with(&self.cx(program, now), &self.view(program), out).map_err(|unset| program.unset(unset))
    }

    pub(in crate::program) fn render_text(
        &self,
        program: &Program,
        template: &Template,
        now: Now,
    ) -> Result<String, Unset> {
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

    pub(super) fn clear(&mut self, program: &Program, lives: &[Lives]) {
        for (value, variable) in self.own.iter_mut().zip(&program.variables) {
            if lives.contains(&variable.lives) {
                *value = None;
            }
        }
    }

    pub(super) fn cx(&self, program: &Program, now: Now) -> RenderContext {
        self.cx_of(program, now, self.seq)
    }

    pub(super) fn cx_of(&self, program: &Program, now: Now, seq: u64) -> RenderContext {
        RenderContext { seed: program.seed, slot: now.slot, seq, iteration: self.iterations, unix_ns: now.unix_ns }
    }

    pub(super) fn view<'v>(&'v self, program: &'v Program) -> View<'v> {
        View { own: &self.own, row: self.row, program }
    }

    /// What a variable holds.
    pub fn value<'s>(&'s self, program: &'s Program, place: u16) -> Option<&'s [u8]> {
        self.own.get(usize::from(place)).and_then(Option::as_deref).or_else(|| program.initial(self.row, place))
    }

    /// Sets a variable.
    pub fn set(&mut self, program: &Program, place: u16, value: Box<[u8]>) {
        if self.own.is_empty() {
            self.own = vec![None; program.variables.len()];
        }
        if let Some(own) = self.own.get_mut(usize::from(place)) {
            *own = Some(value);
        }
    }

    /// Keeps parts of a message; the first that is not there is named.
    pub(super) fn capture<'c>(
        &mut self,
        program: &'c Program,
        captures: &'c [Capture],
        payload: &[u8],
    ) -> Result<(), &'c str> {
        for capture in captures {
            let name = || program.variables.get(usize::from(capture.variable)).map_or("?", |known| known.name.as_str());
            let value = capture.from.find(payload).ok_or_else(name)?;
            self.set(program, capture.variable, value);
        }
        Ok(())
    }
}
