//! The plan: everything a worker needs to know of a run, as versioned JSON.
//!
//! Python validates what a person wrote and resolves it into this; a worker reads nothing else. Every field is
//! required (serde lets an absent `Option` pass unless it has a `deserialize_with`), unknown fields are refused, so that
//! the two descriptions (this file and `wsload.scenario.plan`) cannot drift apart unseen.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::frame::opcode::close_code_is_valid;
use crate::matching::{KeyError, KeySource};
use crate::reconnect::Reconnect;
use crate::schedule::{Stage, Think};

pub mod program;
mod record;
mod wire;

pub use record::{Record, RecordSecret, WholeConnections};
pub use wire::{Close, Compression, Dial, Handshake, Identity, Ping, Proxy, Target, Tls, TlsVersion, Trust};

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
}

/// The load model: what starts messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
pub enum Load {
    /// Each connection keeps `in_flight` messages outstanding.
    Closed {
        /// Outstanding messages per connection, at least 1.
        in_flight: u32,
        /// From a reply to the next send; only with one message in flight.
        #[serde(deserialize_with = "Option::deserialize")]
        think: Option<Think>,
    },
    /// Messages are due on a schedule that ignores how the server is doing.
    Open {
        /// Messages per second, all connections together; with stages the highest rate they reach.
        rate_per_s: f64,
        /// How the rate changes; none: it does not.
        stages: Vec<Stage>,
        /// How the instants are spread.
        arrivals: Arrivals,
    },
    /// Connections only listen.
    Idle,
    /// Connections send back what they receive.
    Echo,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Matching {
    /// The n-th message received answers the n-th sent.
    Order,
    /// Sends expect no reply; whatever arrives is a push.
    None,
    /// A message answers the one that holds the same key.
    Key {
        /// Where the key stands in what is sent.
        sent: KeySpec,
        /// Where in what is received.
        received: KeySpec,
    },
}

/// Where a key stands in a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySpec {
    /// It is the whole payload.
    Echo,
    /// At a path of a JSON text (RFC 9535, singular).
    Json(String),
    /// What a regular expression finds.
    Regex(String),
}

impl KeySpec {
    /// The source it describes.
    pub fn source(&self) -> Result<KeySource, KeyError> {
        match self {
            Self::Echo => Ok(KeySource::Echo),
            Self::Json(path) => KeySource::json(path),
            Self::Regex(expression) => KeySource::regex(expression),
        }
    }
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
    /// It holds placeholders, and is rendered for each send.
    pub template: bool,
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
        self.validate_wire()?;
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
        require(self.connection_lifetime_ns != Some(0), "connection_lifetime_ns", "must be positive")?;
        require(self.duration_ns.is_some() || self.iterations.is_some(), "duration_ns", "or iterations is needed")?;
        [
            (self.connect_timeout_ns, "connect_timeout_ns"),
            (self.reply_timeout_ns, "reply_timeout_ns"),
            (self.duration_ns.unwrap_or(0), "duration_ns"),
            (self.warmup_ns, "warmup_ns"),
            (self.interval_ns, "interval_ns"),
            (self.grain_ns, "grain_ns"),
            (self.connection_lifetime_ns.unwrap_or(0), "connection_lifetime_ns"),
        ]
        .into_iter()
        .try_for_each(|(span_ns, field)| require(span_ns <= MAX_SPAN_NS, field, "must be at most 100 years"))
    }

    fn validate_load(&self) -> Result<(), PlanError> {
        match &self.load {
            Load::Closed { in_flight, think } => {
                require(*in_flight > 0, "load.in_flight", "must be at least 1")?;
                require(self.matching != Matching::None, "matching", "a closed loop waits for replies")?;
                require(think.is_none() || *in_flight == 1, "load.think", "goes with one message in flight")?;
                require(think.is_none_or(|think| think.is_valid()), "load.think", "must be in order and finite")?;
            }
            Load::Open { rate_per_s, stages, .. } => {
                let in_range = rate_per_s.is_finite() && *rate_per_s >= MIN_RATE_PER_S;
                require(in_range, "load.rate_per_s", "must be at least 0.000001")?;
                let possible = |stage: &Stage| stage.target_per_s.is_finite() && stage.target_per_s >= 0.0;
                require(stages.iter().all(possible), "load.stages", "a target must not be negative")?;
            }
            Load::Idle | Load::Echo => {
                require(self.duration_ns.is_some(), "duration_ns", "is needed when nothing is scheduled")?;
            }
        }
        if let Some(publishers) = self.publishers {
            let open = matches!(self.load, Load::Open { .. }) && matches!(self.matching, Matching::Key { .. });
            require(open, "publishers", "need a schedule and messages with keys")?;
            require((1..=self.connections).contains(&publishers), "publishers", "are 1 to all connections")?;
        }
        let scheduled = !matches!(self.load, Load::Idle | Load::Echo);
        let alone = scheduled && self.program.is_none();
        require(alone == self.message.is_some(), "message", "is needed when something is scheduled, and only then")
    }

    fn validate_wire(&self) -> Result<(), PlanError> {
        let window = |bits: u8| (9..=15).contains(&bits);
        if let Some(Compression { offer, level }) = self.handshake.compression {
            let windows = window(offer.client_max_window_bits) && offer.server_max_window_bits.is_none_or(window);
            require(windows, "handshake.compression.offer", "windows are 9 to 15 bits")?;
            require(level <= 9, "handshake.compression.level", "must be at most 9")?;
        }
        if let Some(tls) = &self.tls {
            require(tls.min_version <= tls.max_version, "tls.min_version", "must not be above max_version")?;
        }
        if let Some(ping) = self.ping {
            require(ping.interval_ns >= 1_000_000, "ping.interval_ns", "must be at least 1 ms")?;
            require(ping.timeout_ns > 0, "ping.timeout_ns", "must be positive")?;
            require(ping.interval_ns.max(ping.timeout_ns) <= MAX_SPAN_NS, "ping", "must be at most 100 years")?;
        }
        require(close_code_is_valid(self.close.code), "close.code", "must not be sent")?;
        require(self.close.reason.len() <= 123, "close.reason", "must be at most 123 bytes")?;
        require(self.fragment_bytes != Some(0), "fragment_bytes", "must be positive")?;
        if let Some(Record { slow_quantile, payload_bytes, limit_bytes, .. }) = &self.record {
            let possible = slow_quantile.is_none_or(|quantile| quantile > 0.0 && quantile < 1.0);
            require(possible, "record.slow_quantile", "must be between 0 and 1")?;
            require(*payload_bytes <= 1 << 20, "record.payload_bytes", "must be at most 1 MiB")?;
            require(*limit_bytes <= 1 << 40, "record.limit_bytes", "must be at most 1 TiB")?;
        }
        require(!self.dials.is_empty(), "dials", "must name an address")?;
        require(self.max_opening != Some(0), "max_opening", "must be positive")
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

    fn record() -> Value {
        json!({
            "connections": {"one_in": 100}, "on_error": true, "on_close": false, "slow_quantile": 0.999,
            "exchanges": 50, "payload_bytes": 4096, "limit_bytes": 67_108_864,
            "secrets": [{"name": "token", "value": "s3cr3t"}]
        })
    }

    fn open_plan() -> Value {
        json!({
            "schema_version": 1,
            "target": {"host": "::1", "port": 9000, "resource": "/chat?room=1", "host_header": "[::1]:9000"},
            "dials": [{"host": "proxy", "port": 3128}],
            "every_address": true,
            "proxy": {"authority": "[::1]:9000", "authorization": null},
            "tls": {
                "server_name": "localhost", "trust": {"authorities": "PEM"}, "min_version": "1.2", "max_version": "1.3",
                "identity": {"certificate": "PEM", "key": "PEM"}, "resume": false
            },
            "handshake": {
                "headers": [["X-A", "1"]], "cookies": [["a", "b"]], "keep_cookies": true, "subprotocols": ["chat"],
                "require_subprotocol": true, "origin": null,
                "compression": {"level": 6, "offer": {
                    "server_no_context_takeover": false, "client_no_context_takeover": true,
                    "server_max_window_bits": 10, "client_max_window_bits": 15
                }}
            },
            "connections": 1000,
            "connect_rate_per_s": 500.0,
            "connect_timeout_ns": 10_000_000_000_u64,
            "reply_timeout_ns": 10_000_000_000_u64,
            "source_ips": ["127.0.0.2", "::1"],
            "reconnect": {"attempts": 3, "pause": {"law": "backoff", "first_ns": 1_000, "longest_ns": 30_000}},
            "connection_lifetime_ns": 60_000_000_000_u64,
            "load": {"model": "open", "rate_per_s": 20000.0, "arrivals": "poisson", "stages": [
                {"duration_ns": 0, "target_per_s": 100.0}
            ]},
            "message": {"name": "message", "kind": "binary", "payload": "AP8=", "template": false},
            "first_message": {"name": "first", "kind": "text", "payload": "w6k=", "template": true},
            "matching": {"key": {"sent": {"json": "$.id"}, "received": "echo"}},
            "program": null,
            "duration_ns": 30_000_000_000_u64,
            "publishers": 10,
            "iterations": null,
            "warmup_ns": 0,
            "interval_ns": 1_000_000_000,
            "grain_ns": 250_000,
            "seed": u64::MAX,
            "max_frame_bytes": 65_536,
            "max_message_bytes": 1_048_576,
            "fragment_bytes": 1_000,
            "ping": {"interval_ns": 1_000_000_000, "timeout_ns": 500_000_000},
            "close": {"code": 1000, "reason": "bye"},
            "max_opening": 1,
            "record": record()
        })
    }

    /// The plan with one value replaced; `path` as in `/load/model`.
    fn with(path: &str, value: Value) -> Value {
        let mut plan = open_plan();
        if !path.starts_with("/publishers") {
            plan["publishers"] = Value::Null;
        }
        *plan.pointer_mut(path).unwrap() = value;
        plan
    }

    fn read(plan: &Value) -> Result<Plan, String> {
        Plan::from_json(&plan.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plan_is_read_and_written_as_it_stands() {
        let plan = read(&open_plan()).unwrap();
        let stages = vec![Stage { duration_ns: 0, target_per_s: 100.0 }];
        assert_eq!(plan.load, Load::Open { rate_per_s: 20_000.0, arrivals: Arrivals::Poisson, stages });
        let key = Matching::Key { sent: KeySpec::Json("$.id".into()), received: KeySpec::Echo };
        assert_eq!(plan.matching, key);
        assert_eq!(plan.message.as_ref().unwrap().payload, [0, 255]);
        assert_eq!(plan.first_message.as_ref().unwrap().payload, "é".as_bytes());
        assert_eq!((plan.seed, plan.source_ips.len()), (u64::MAX, 2));
        assert_eq!(serde_json::to_value(&plan).unwrap(), open_plan());
    }

    #[test]
    fn the_other_load_models_are_read_too() {
        let closed = with("/load", json!({"model": "closed", "in_flight": 16, "think": null}));
        assert_eq!(read(&closed).unwrap().load, Load::Closed { in_flight: 16, think: None });
        let think = json!({"law": "uniform", "low_ns": 5, "high_ns": 9});
        let thinking = with("/load", json!({"model": "closed", "in_flight": 1, "think": think}));
        let think = Some(Think::Uniform { low_ns: 5, high_ns: 9 });
        assert_eq!(read(&thinking).unwrap().load, Load::Closed { in_flight: 1, think });
        let mut idle = with("/load", json!({"model": "idle"}));
        idle["message"] = Value::Null;
        assert_eq!(read(&idle).unwrap().load, Load::Idle);
        idle["load"] = json!({"model": "echo"});
        assert_eq!(read(&idle).unwrap().load, Load::Echo);
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
        let objects =
            ["/target", "/dials/0", "/proxy", "/tls", "/tls/identity", "/handshake", "/handshake/compression"];
        for object in objects.into_iter().chain(["", "/load", "/message", "/ping", "/close"]) {
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
            ("/load", json!({"model": "closed", "in_flight": 0, "think": null}), "load.in_flight"),
            (
                "/load",
                json!({"model": "closed", "in_flight": 2, "think": {"law": "fixed", "span_ns": 1}}),
                "load.think",
            ),
            ("/load/stages/0/target_per_s", json!(-1.0), "load.stages"),
            ("/connection_lifetime_ns", json!(0), "connection_lifetime_ns"),
            ("/load", json!({"model": "idle"}), "message"),
            ("/message", json!(null), "message"),
            ("/message/kind", json!("text"), "message.payload"),
            ("/first_message/payload", json!("/w=="), "message.payload"),
            ("/handshake/compression/level", json!(10), "handshake.compression.level"),
            ("/handshake/compression/offer/client_max_window_bits", json!(8), "handshake.compression.offer"),
            ("/handshake/compression/offer/server_max_window_bits", json!(16), "handshake.compression.offer"),
            ("/ping/interval_ns", json!(999_999), "ping.interval_ns"),
            ("/ping/timeout_ns", json!(0), "ping.timeout_ns"),
            ("/ping/timeout_ns", json!(century), "ping"),
            ("/close/code", json!(1005), "close.code"),
            ("/close/reason", json!("x".repeat(124)), "close.reason"),
            ("/fragment_bytes", json!(0), "fragment_bytes"),
            ("/max_opening", json!(0), "max_opening"),
            ("/dials", json!([]), "dials"),
            ("/record/slow_quantile", json!(1.0), "record.slow_quantile"),
            ("/record/payload_bytes", json!((1 << 20) + 1), "record.payload_bytes"),
            ("/record/limit_bytes", json!((1_u64 << 40) + 1), "record.limit_bytes"),
            ("/publishers", json!(0), "publishers"),
            ("/publishers", json!(1_001), "publishers"),
        ] {
            let error = read(&with(path, value.clone())).expect_err(path);
            assert!(error.starts_with(&format!("plan field {field}: ")), "{path} {value}: {error}");
        }
    }

    #[test]
    fn versions_of_tls_are_in_order() {
        let mut plan = with("/tls/min_version", json!("1.3"));
        plan["tls"]["max_version"] = json!("1.2");
        assert_eq!(read(&plan).unwrap_err(), "plan field tls.min_version: must not be above max_version");
    }

    #[test]
    fn a_closed_loop_needs_replies_and_an_idle_run_an_end() {
        let mut closed = with("/load", json!({"model": "closed", "in_flight": 1, "think": null}));
        closed["matching"] = json!("none");
        assert_eq!(read(&closed).unwrap_err(), "plan field matching: a closed loop waits for replies");
        let mut idle = with("/load", json!({"model": "idle"}));
        (idle["message"], idle["duration_ns"], idle["iterations"]) = (json!(null), json!(null), json!(5));
        assert_eq!(read(&idle).unwrap_err(), "plan field duration_ns: is needed when nothing is scheduled");
    }
}
