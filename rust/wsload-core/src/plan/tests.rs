//! Plans as JSON: what is read, and what is refused by name.

use serde_json::{Value, json};

use super::*;
use crate::schedule::{Stage, Think};

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
        "record": record(),
        "redact": ["$.token"]
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
    let objects = ["/target", "/dials/0", "/proxy", "/tls", "/tls/identity", "/handshake", "/handshake/compression"];
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
        ("/load", json!({"model": "closed", "in_flight": 2, "think": {"law": "fixed", "span_ns": 1}}), "load.think"),
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
