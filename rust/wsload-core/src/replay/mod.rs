//! A recording played again: what each connection did, when, and what it had heard by then.
//!
//! The [`Script`] is the same for all of a run; a [`Player`] is one connection's place in it. Neither sends anything:
//! the player says whose turn it is and is told what came in, so all of it is tested in virtual time.

mod player;
mod script;

pub use player::{Pace, Pending, Player, Turn};
pub use script::{Act, Expected, Part, Script, ScriptError, Step};
