//! The plan: everything a worker needs to know of a run, as versioned JSON.
//!
//! Python validates what a person wrote and resolves it into this; a worker reads nothing else. Every field is
//! required, unknown fields are refused, so that the two descriptions (this file and `wsload.scenario.plan`) cannot
//! drift apart unseen.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The only plan version this build reads.
pub const SCHEMA_VERSION: u32 = 1;

/// A resolved run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Must equal [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Where to connect.
    pub target: Target,
    /// What the opening handshake carries beside what RFC 6455 asks for.
    pub handshake: Handshake,
    /// Connections over the whole run, all workers together.
    pub connections: u32,
    /// New connections per second, all workers together; `None`: as fast as they succeed.
    pub connect_rate_per_s: Option<f64>,
    /// From the first SYN to a judged upgrade response.
    pub connect_timeout_ns: u64,
    /// From a send to the instant its reply is given up.
    pub reply_timeout_ns: u64,
    /// Local addresses; slot `s` uses number `s mod len`. Empty: the kernel chooses.
    pub source_ips: Vec<IpAddr>,
    /// Consecutive failed attempts after which a slot stays closed; 0: a lost connection is never reopened.
    pub reconnect_attempts: u32,
    /// What starts messages.
    pub load: Load,
    /// The message of the schedule; `None` only when [`Load::Idle`].
    pub message: Option<Message>,
    /// Sent once on each new connection; no reply is awaited.
    pub first_message: Option<Message>,
    /// How a reply finds its send.
    pub matching: Matching,
    /// Length of the measured part, warm-up not included; `None`: until `iterations` are done.
    pub duration_ns: Option<u64>,
    /// Messages to send over the whole run, warm-up included; `None`: until `duration_ns` is over.
    pub iterations: Option<u64>,
    /// Messages intended in the first `warmup_ns` are kept apart from the result.
    pub warmup_ns: u64,
    /// Length of a reporting interval.
    pub interval_ns: u64,
    /// The schedule's grain: an intended instant is rounded up to its worker's next tick.
    pub grain_ns: u64,
    /// Seed of all randomness a user can see.
    pub seed: u64,
    /// Longest message accepted from the server.
    pub max_message_bytes: u64,
}

/// Where to connect and what to ask for there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Host name or address literal (IPv6 without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query, not empty (RFC 6455 section 3).
    pub resource: String,
    /// Value of the `Host` header: the port is named only when it is not the scheme's default.
    pub host_header: String,
}

/// What the opening handshake carries beside what RFC 6455 asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// Extra header lines in order (cookies included, as one `Cookie` line).
    pub headers: Vec<(String, String)>,
    /// Offered subprotocols in order of preference.
    pub subprotocols: Vec<String>,
    /// Value of `Origin`, sent only when set.
    pub origin: Option<String>,
}

/// The load model: what starts messages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
pub enum Load {
    /// Each connection keeps `in_flight` messages outstanding.
    Closed {
        /// Outstanding messages per connection, at least 1.
        in_flight: u32,
    },
    /// Messages are due on a schedule that ignores how the server is doing.
    Open {
        /// Messages per second, all connections together.
        rate_per_s: f64,
        /// How the instants are spread.
        arrivals: Arrivals,
    },
    /// Connections only listen.
    Idle,
}

/// How an open schedule spreads its instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Equal gaps over all connections, which take turns.
    Constant,
    /// Exponential gaps, one independent stream per slot.
    Poisson,
}

/// How a reply finds its send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// The n-th message received answers the n-th sent.
    Order,
    /// Sends expect no reply; whatever arrives is a push.
    None,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Name under which its latencies are recorded.
    pub name: String,
    /// Text messages must hold valid UTF-8.
    pub kind: MessageKind,
    /// The payload (base64 in JSON).
    #[serde(with = "payload_base64")]
    pub payload: Vec<u8>,
}

/// Type of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
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
}

impl Plan {
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

    /// Checks what the types cannot say.
    pub fn validate(&self) -> Result<(), PlanError> {
        let require = |ok: bool, field, why| if ok { Ok(()) } else { Err(PlanError::Value { field, why }) };
        require(self.connections > 0, "connections", "must be at least 1")?;
        require(self.interval_ns >= 1_000_000, "interval_ns", "must be at least 1 ms")?;
        require(self.grain_ns >= 1_000, "grain_ns", "must be at least 1 us")?;
        require(
            self.connect_rate_per_s.is_none_or(|rate| rate.is_finite() && rate > 0.0),
            "connect_rate_per_s",
            "must be positive",
        )?;
        require(self.connect_timeout_ns > 0, "connect_timeout_ns", "must be positive")?;
        require(self.reply_timeout_ns > 0, "reply_timeout_ns", "must be positive")?;
        require(self.duration_ns.is_some() || self.iterations.is_some(), "duration_ns", "or iterations is needed")?;
        match self.load {
            Load::Closed { in_flight } => {
                require(in_flight > 0, "load.in_flight", "must be at least 1")?;
                require(self.matching == Matching::Order, "matching", "a closed loop waits for replies")?;
            }
            Load::Open { rate_per_s, .. } => {
                require(rate_per_s.is_finite() && rate_per_s > 0.0, "load.rate_per_s", "must be positive")?;
            }
            Load::Idle => require(self.duration_ns.is_some(), "duration_ns", "is needed when idle")?,
        }
        let sends = !matches!(self.load, Load::Idle);
        require(sends == self.message.is_some(), "message", "is needed unless idle")?;
        for message in self.message.iter().chain(&self.first_message) {
            let valid = message.kind == MessageKind::Binary || std::str::from_utf8(&message.payload).is_ok();
            require(valid, "message.payload", "text must be valid UTF-8")?;
        }
        Ok(())
    }
}

mod payload_base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(payload: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(payload))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}
