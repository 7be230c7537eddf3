//! Which reply answers which message.
//!
//! By order: the n-th reply on a connection answers its n-th message ([`InFlight`]). By key: a reply answers the message
//! that holds the same key ([`KeyedInFlight`], [`KeySource`]).

mod key;
mod keyed;
mod order;

pub use key::{KeyError, KeySource};
pub use keyed::{KeyedInFlight, Received};
pub use order::{InFlight, Queue};

/// A message that went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// When it was to be sent.
    pub intended_ns: u64,
    /// When it was handed to the kernel.
    pub sent_ns: u64,
    /// It was intended during the warm-up.
    pub warmup: bool,
    /// Place of the name under which it is recorded.
    pub name: u16,
}
