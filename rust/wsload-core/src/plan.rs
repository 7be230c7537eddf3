//! The plan: everything a worker needs to know of a run, as versioned JSON.
//!
//! Python validates what a person wrote and resolves it into this; a worker reads nothing else. Every field is
//! required (serde lets an absent `Option` pass unless it has a `deserialize_with`), unknown fields are refused, so that
//! the two descriptions (this file and `wsload.scenario.plan`) cannot drift apart unseen.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The only plan version this build reads.
pub const SCHEMA_VERSION: u32 = 1;
/// A hundred years: with longer spans, sums of instants would not fit 64 bits.
const MAX_SPAN_NS: u64 = 100 * 365 * 86_400 * 1_000_000_000;
/// One message in a million seconds: a schedule's rate is exact to a millionth.
const MIN_RATE_PER_S: f64 = 1e-6;

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
    #[serde(deserialize_with = "Option::deserialize")]
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
    #[serde(deserialize_with = "Option::deserialize")]
    pub message: Option<Message>,
    /// Sent once on each new connection; no reply is awaited.
    #[serde(deserialize_with = "Option::deserialize")]
    pub first_message: Option<Message>,
    /// How a reply finds its send.
    pub matching: Matching,
    /// Length of the measured part, warm-up not included; `None`: until `iterations` are done.
    #[serde(deserialize_with = "Option::deserialize")]
    pub duration_ns: Option<u64>,
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
    #[serde(deserialize_with = "Option::deserialize")]
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
        require(self.connections > 0, "connections", "must be at least 1")?;
        let connect_rate = self.connect_rate_per_s.unwrap_or(1.0);
        require(connect_rate.is_finite() && connect_rate > 0.0, "connect_rate_per_s", "must be positive")?;
        self.validate_spans()?;
        self.validate_load()?;
        for message in self.message.iter().chain(&self.first_message) {
            let valid = message.kind == MessageKind::Binary || std::str::from_utf8(&message.payload).is_ok();
            require(valid, "message.payload", "text must be valid UTF-8")?;
        }
        Ok(())
    }

    fn validate_spans(&self) -> Result<(), PlanError> {
        require(self.interval_ns >= 1_000_000, "interval_ns", "must be at least 1 ms")?;
        require(self.grain_ns >= 1_000, "grain_ns", "must be at least 1 us")?;
        require(self.connect_timeout_ns > 0, "connect_timeout_ns", "must be positive")?;
        require(self.reply_timeout_ns > 0, "reply_timeout_ns", "must be positive")?;
        require(self.duration_ns.is_some() || self.iterations.is_some(), "duration_ns", "or iterations is needed")?;
        [
            (self.connect_timeout_ns, "connect_timeout_ns"),
            (self.reply_timeout_ns, "reply_timeout_ns"),
            (self.duration_ns.unwrap_or(0), "duration_ns"),
            (self.warmup_ns, "warmup_ns"),
            (self.interval_ns, "interval_ns"),
            (self.grain_ns, "grain_ns"),
        ]
        .into_iter()
        .try_for_each(|(span_ns, field)| require(span_ns <= MAX_SPAN_NS, field, "must be at most 100 years"))
    }

    fn validate_load(&self) -> Result<(), PlanError> {
        match self.load {
            Load::Closed { in_flight } => {
                require(in_flight > 0, "load.in_flight", "must be at least 1")?;
                require(self.matching == Matching::Order, "matching", "a closed loop waits for replies")?;
            }
            Load::Open { rate_per_s, .. } => {
                let in_range = rate_per_s.is_finite() && rate_per_s >= MIN_RATE_PER_S;
                require(in_range, "load.rate_per_s", "must be at least 0.000001")?;
            }
            Load::Idle => require(self.duration_ns.is_some(), "duration_ns", "is needed when idle")?,
        }
        let sends = !matches!(self.load, Load::Idle);
        require(sends == self.message.is_some(), "message", "is needed unless idle")
    }
}

fn require(holds: bool, field: &'static str, why: &'static str) -> Result<(), PlanError> {
    if holds { Ok(()) } else { Err(PlanError::Value { field, why }) }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn open_plan() -> Value {
        json!({
            "schema_version": 1,
            "target": {"host": "::1", "port": 9000, "resource": "/chat?room=1", "host_header": "[::1]:9000"},
            "handshake": {"headers": [["X-A", "1"]], "subprotocols": ["chat"], "origin": null},
            "connections": 1000,
            "connect_rate_per_s": 500.0,
            "connect_timeout_ns": 10_000_000_000_u64,
            "reply_timeout_ns": 10_000_000_000_u64,
            "source_ips": ["127.0.0.2", "::1"],
            "reconnect_attempts": 3,
            "load": {"model": "open", "rate_per_s": 20000.0, "arrivals": "poisson"},
            "message": {"name": "message", "kind": "binary", "payload": "AP8="},
            "first_message": {"name": "first", "kind": "text", "payload": "w6k="},
            "matching": "order",
            "duration_ns": 30_000_000_000_u64,
            "iterations": null,
            "warmup_ns": 0,
            "interval_ns": 1_000_000_000,
            "grain_ns": 250_000,
            "seed": u64::MAX,
            "max_message_bytes": 1_048_576
        })
    }

    /// The plan with one value replaced; `path` as in `/load/model`.
    fn with(path: &str, value: Value) -> Value {
        let mut plan = open_plan();
        *plan.pointer_mut(path).unwrap() = value;
        plan
    }

    fn read(plan: &Value) -> Result<Plan, String> {
        Plan::from_json(&plan.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plan_is_read_and_written_as_it_stands() {
        let plan = read(&open_plan()).unwrap();
        assert_eq!(plan.load, Load::Open { rate_per_s: 20_000.0, arrivals: Arrivals::Poisson });
        assert_eq!(plan.message.as_ref().unwrap().payload, [0, 255]);
        assert_eq!(plan.first_message.as_ref().unwrap().payload, "é".as_bytes());
        assert_eq!((plan.seed, plan.source_ips.len()), (u64::MAX, 2));
        assert_eq!(serde_json::to_value(&plan).unwrap(), open_plan());
    }

    #[test]
    fn the_other_load_models_are_read_too() {
        let closed = with("/load", json!({"model": "closed", "in_flight": 16}));
        assert_eq!(read(&closed).unwrap().load, Load::Closed { in_flight: 16 });
        let mut idle = with("/load", json!({"model": "idle"}));
        idle["message"] = Value::Null;
        assert_eq!(read(&idle).unwrap().load, Load::Idle);
    }

    #[test]
    fn every_field_is_needed_and_no_other_is_taken() {
        let shape = |plan: Value| matches!(Plan::from_json(&plan.to_string()), Err(PlanError::Shape(_)));
        for name in open_plan().as_object().unwrap().keys() {
            let mut plan = open_plan();
            plan.as_object_mut().unwrap().remove(name);
            assert!(shape(plan), "{name}");
        }
        let mut plan = open_plan();
        plan["handshake"].as_object_mut().unwrap().remove("origin");
        assert!(shape(plan));
        for object in ["", "/target", "/handshake", "/load", "/message"] {
            let mut plan = open_plan();
            plan.pointer_mut(object).unwrap()["surprise"] = json!(1);
            assert!(shape(plan), "{object}");
        }
        assert!(shape(with("/message/payload", json!("not base64"))));
        assert!(shape(with("/source_ips/0", json!("localhost"))));
    }

    #[test]
    fn another_version_is_told_before_any_difference_in_shape() {
        let error = Plan::from_json(r#"{"schema_version": 2, "anything": []}"#).unwrap_err();
        assert_eq!(error.to_string(), "plan schema version 2, this build reads 1");
    }

    #[test]
    fn values_that_no_engine_can_run_are_refused_by_name() {
        let century = 100 * 366 * 86_400 * 1_000_000_000_u64;
        for (path, value, field) in [
            ("/connections", json!(0), "connections"),
            ("/connect_rate_per_s", json!(0.0), "connect_rate_per_s"),
            ("/connect_timeout_ns", json!(0), "connect_timeout_ns"),
            ("/connect_timeout_ns", json!(century), "connect_timeout_ns"),
            ("/reply_timeout_ns", json!(0), "reply_timeout_ns"),
            ("/reply_timeout_ns", json!(u64::MAX), "reply_timeout_ns"),
            ("/duration_ns", json!(null), "duration_ns"),
            ("/duration_ns", json!(century), "duration_ns"),
            ("/warmup_ns", json!(century), "warmup_ns"),
            ("/interval_ns", json!(999_999), "interval_ns"),
            ("/interval_ns", json!(century), "interval_ns"),
            ("/grain_ns", json!(999), "grain_ns"),
            ("/grain_ns", json!(century), "grain_ns"),
            ("/load/rate_per_s", json!(0.0), "load.rate_per_s"),
            ("/load/rate_per_s", json!(0.000_000_9), "load.rate_per_s"),
            ("/load", json!({"model": "closed", "in_flight": 0}), "load.in_flight"),
            ("/load", json!({"model": "idle"}), "message"),
            ("/message", json!(null), "message"),
            ("/message/kind", json!("text"), "message.payload"),
            ("/first_message/payload", json!("/w=="), "message.payload"),
        ] {
            let error = read(&with(path, value.clone())).expect_err(path);
            assert!(error.starts_with(&format!("plan field {field}: ")), "{path} {value}: {error}");
        }
    }

    #[test]
    fn a_closed_loop_needs_replies_and_an_idle_run_an_end() {
        let mut closed = with("/load", json!({"model": "closed", "in_flight": 1}));
        closed["matching"] = json!("none");
        assert_eq!(read(&closed).unwrap_err(), "plan field matching: a closed loop waits for replies");
        let mut idle = with("/load", json!({"model": "idle"}));
        (idle["message"], idle["duration_ns"], idle["iterations"]) = (json!(null), json!(null), json!(5));
        assert_eq!(read(&idle).unwrap_err(), "plan field duration_ns: is needed when idle");
    }
}
