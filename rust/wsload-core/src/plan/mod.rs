//! The plan: everything a worker needs to know of a run, as versioned JSON.
//!
//! Python validates what a person wrote and resolves it into this; a worker reads nothing else. Every field is
//! required (serde lets an absent `Option` pass unless it has a `deserialize_with`), unknown fields are refused, so that
//! the two descriptions (this one and `wsload.scenario.plan`) cannot drift apart unseen.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::json::{Query, QueryError};
use crate::reconnect::Reconnect;

mod load;
mod message;
pub mod program;
mod record;
#[cfg(test)]
mod tests;
mod validate;
mod wire;

pub use load::{Arrivals, Load};
use message::payload_base64;
pub use message::{KeySpec, Matching, Message, MessageKind};
pub use record::{Record, RecordSecret, WholeConnections};
pub use wire::{Close, Compression, Dial, Handshake, Identity, Ping, Proxy, Target, Tls, TlsVersion, Trust};

/// The only plan version this build reads.
pub const SCHEMA_VERSION: u32 = 1;

/// A resolved run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Must equal [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The service that is asked for.
    pub target: Target,
    /// Where TCP connects to: the target, addresses given in its stead, or a proxy. The parent resolves them.
    pub dials: Vec<Dial>,
    /// Slots take turns over all addresses and stay with theirs; else all go to the first that works.
    pub every_address: bool,
    /// The proxy's errand, if what is dialled is one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub proxy: Option<Proxy>,
    /// How to secure the connection; `None`: not at all.
    #[serde(deserialize_with = "Option::deserialize")]
    pub tls: Option<Tls>,
    /// What the opening handshake carries beside what RFC 6455 asks for.
    pub handshake: Handshake,
    /// Connections over the whole run, all workers together.
    pub connections: u32,
    /// New connections per second, all workers together; `None`: as fast as they succeed.
    #[serde(deserialize_with = "Option::deserialize")]
    pub connect_rate_per_s: Option<f64>,
    /// From the first SYN to a judged upgrade response.
    pub connect_timeout_ns: u64,
    /// From a send to the instant its reply is given up.
    pub reply_timeout_ns: u64,
    /// Local addresses; slot `s` uses number `s mod len`. Empty: the kernel chooses.
    pub source_ips: Vec<IpAddr>,
    /// Connections older than this are closed and replaced; `None`: they live as long as the run.
    #[serde(deserialize_with = "Option::deserialize")]
    pub connection_lifetime_ns: Option<u64>,
    /// When lost connections are opened again.
    pub reconnect: Reconnect,
    /// What starts messages.
    pub load: Load,
    /// The message of the schedule; `None` only when [`Load::Idle`].
    #[serde(deserialize_with = "Option::deserialize")]
    pub message: Option<Message>,
    /// Sent once on each new connection; no reply is awaited.
    #[serde(deserialize_with = "Option::deserialize")]
    pub first_message: Option<Message>,
    /// How a reply finds its send.
    pub matching: Matching,
    /// Steps instead of one message; the schedule starts iterations of them.
    #[serde(deserialize_with = "Option::deserialize")]
    pub program: Option<program::Program>,
    /// Length of the measured part, warm-up not included; `None`: until `iterations` are done.
    #[serde(deserialize_with = "Option::deserialize")]
    pub duration_ns: Option<u64>,
    /// Only so many slots, the first ones, send; every connection is to receive what they send.
    #[serde(deserialize_with = "Option::deserialize")]
    pub publishers: Option<u32>,
    /// Messages to send over the whole run, warm-up included; `None`: until `duration_ns` is over.
    #[serde(deserialize_with = "Option::deserialize")]
    pub iterations: Option<u64>,
    /// Messages intended in the first `warmup_ns` are kept apart from the result.
    pub warmup_ns: u64,
    /// Length of a reporting interval.
    pub interval_ns: u64,
    /// The schedule's grain: an intended instant is rounded up to its worker's next tick.
    pub grain_ns: u64,
    /// Seed of all randomness a user can see.
    pub seed: u64,
    /// Longest frame payload accepted from the server.
    pub max_frame_bytes: u64,
    /// Longest message accepted from the server, inflated if compressed.
    pub max_message_bytes: u64,
    /// Send messages in frames of at most this size; `None`: each in one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub fragment_bytes: Option<u64>,
    /// Pings of ours.
    #[serde(deserialize_with = "Option::deserialize")]
    pub ping: Option<Ping>,
    /// What our Close at the end of the run says.
    pub close: Close,
    /// Attempts under way at once on one worker; `None`: the engine's own bound.
    #[serde(deserialize_with = "Option::deserialize")]
    pub max_opening: Option<u32>,
    /// Which messages are kept; `None`: none, and nothing is spent on it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub record: Option<Record>,
    /// JSONPaths of values in messages that are not to be stored or shown.
    pub redact: Vec<String>,
}

/// Why a plan was refused. A user never causes this: the Python side validates first.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not JSON, or not of this shape.
    #[error("not a plan: {0}")]
    Shape(#[from] serde_json::Error),
    /// Written by another version.
    #[error("plan schema version {found}, this build reads {SCHEMA_VERSION}")]
    Version {
        /// What the plan says.
        found: u32,
    },
    /// A value no engine can run.
    #[error("plan field {field}: {why}")]
    Value {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What is to be redacted is no query.
    #[error("plan field redact: {0}")]
    Redact(#[from] QueryError),
}

impl Plan {
    /// What is not to be stored or shown.
    pub fn redacted(&self) -> Result<Vec<Query>, PlanError> {
        self.redact.iter().map(|text| Ok(Query::parse(text)?)).collect()
    }

    /// Reads and validates a plan.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            schema_version: u32,
        }
        let VersionOnly { schema_version: found } = serde_json::from_str(text)?;
        if found != SCHEMA_VERSION {
            return Err(PlanError::Version { found });
        }
        let plan: Self = serde_json::from_str(text)?;
        plan.validate()?;
        Ok(plan)
    }
}
