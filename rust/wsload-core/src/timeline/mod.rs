//! The timeline: which messages of a run are kept, and how they travel.
//!
//! Every event of a connection is written to a bounded ring of its shard ([`ring`]), linked back to the connection's
//! event before it. From there events are *kept* for one of four reasons ([`Why`]): their connection is recorded whole,
//! something failed on it, a reply took unusually long, or they are part of a fair sample of exchanges. What is kept is
//! bounded by bytes ([`budget`]); what is not is counted. Nothing is allocated per message.

mod budget;
mod event;
mod redact;
mod reservoir;
mod ring;
mod sampler;

pub use event::{Direction, Event, EventError, Head, Kind, NO_NAME, Why, decode, shift};
pub use redact::Secret;
pub use sampler::{Answer, Kept, Settings, Timeline, Whole};

/// Payload was longer than what is kept of it.
pub const CUT: u8 = 1;
/// A secret in the payload was replaced by its name.
pub const REDACTED: u8 = 2;
/// The connection's earlier events had left the ring already.
pub const OUT_OF_REACH: u8 = 4;
