//! Sessions in virtual time: what they do, and when what is measured begins.

use serde_json::{Value, json};

use super::*;

const MS: u64 = 1_000_000;

/// A session with its program, and the clock.
struct Bench {
    program: Program,
    session: Session,
    now: Now,
}

fn handshake() -> (Target, Handshake) {
    let target = json!({"host": "h", "port": 1, "resource": "/chat?u={{user|url}}", "host_header": "h"});
    let handshake = json!({
        "headers": [["X-User", "{{user}}"]], "cookies": [["sid", "{{user}}"]], "keep_cookies": false,
        "subprotocols": [], "require_subprotocol": false, "origin": null, "compression": null,
    });
    (serde_json::from_value(target).unwrap(), serde_json::from_value(handshake).unwrap())
}

fn program(users: Value, messages: Value, data: Value) -> plan::Program {
    let variable =
        |name: &str, value: Value, lives: &str| json!({"name": name, "value": value, "lives": lives, "secret": false});
    serde_json::from_value(json!({
        "names": [{"name": "a", "total": true}, {"name": "b", "total": true}, {"name": "login", "total": false}],
        "variables": [
            variable("user", json!("ann"), "connection"),
            variable("token", json!(null), "connection"),
            variable("once", json!(null), "iteration"),
            variable("kept", json!(null), "slot"),
        ],
        "data": data,
        "messages": messages,
        "users": users,
        "handshake_template": true,
        "script": null,
    }))
    .unwrap()
}

fn message(name: u16, text: &str, reply: Value) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    json!({"name": name, "kind": "text", "payload": STANDARD.encode(text), "template": true, "reply": reply})
}

fn user(parts: Value) -> Value {
    let mut user = json!({
        "name": "u", "weight": 1, "on_open": [], "iterate": [], "on_message": [], "every": [], "on_close": [], "on_error": "next",
    });
    user.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    user
}

fn expect(conditions: Value, captures: Value) -> Value {
    json!({"conditions": conditions, "within_ns": 100 * MS, "captures": captures, "count": 1, "nothing": false, "order": null})
}

impl Bench {
    fn new(parts: Value, messages: Value) -> Self {
        Self::of(&program(json!([user(parts)]), messages, Value::Null), 0)
    }

    fn of(plan: &plan::Program, slot: u32) -> Self {
        let (target, handshake) = handshake();
        let program = Program::compile(plan, (&target, &handshake), (7, 4)).unwrap();
        let session = Session::new(&program, slot).unwrap();
        Self { program, session, now: Now { ns: 1_000 * MS, unix_ns: 0, slot } }
    }

    fn open(mut self) -> Self {
        self.session.opened(&self.program, self.now);
        self
    }

    /// Opened, with no steps to open with.
    fn ready(parts: Value, messages: Value) -> Self {
        let mut bench = Self::new(parts, messages).open();
        assert_eq!(bench.turn(), ["opened"]);
        assert!(bench.session.is_free());
        bench
    }

    fn begin(&mut self) {
        self.session.begin(&self.program, self.now.ns, self.now.slot).unwrap();
    }

    /// One action; what is sent is told as sent 1 ms later.
    fn act(&mut self) -> (Action, String) {
        let mut out = Vec::new();
        let action = self.session.next(&self.program, self.now, &mut out);
        if matches!(action, Action::Send { .. }) {
            self.now.ns += MS;
            self.session.sent(&self.program, self.now.ns);
        }
        (action, String::from_utf8(out).unwrap())
    }

    /// All actions up to the next wait, in words.
    fn turn(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let (action, sent) = self.act();
            all.push(match action {
                Action::Wait(_) => return all,
                Action::Send { .. } => format!("send {sent}"),
                Action::Failed { detail, example } => format!("failed: {detail}: {example}"),
                Action::Unanswered(exchange) => format!("unanswered {}", exchange.name),
                Action::Opened { failed } => if failed { "not opened" } else { "opened" }.to_owned(),
                Action::Ended { failed, .. } => if failed { "ended: failed" } else { "ended" }.to_owned(),
                Action::Close { code, .. } => format!("close {code}"),
                other => format!("{other:?}").to_lowercase(),
            });
            assert!(all.len() < 50, "{all:?}");
        }
    }

    fn hear(&mut self, text: &str) -> Taken {
        let message = Incoming { opcode: Opcode::Text, payload: text.as_bytes() };
        self.session.hear(&self.program, message, self.now.ns, self.now)
    }

    fn wait(&mut self, ms: u64) {
        self.now.ns += ms * MS;
    }
}

fn by_id() -> Value {
    json!({"key": {"sent": {"json": "$.id"}, "received": {"json": "$.re"}}, "within_ns": 100 * MS})
}

#[test]
fn a_login_captures_what_later_messages_hold() {
    let mut bench = Bench::new(
        json!({
            "on_open": [
                {"do": "send", "message": 0},
                {"do": "expect", "expect": expect(
                    json!([{"json": {"path": "$.type", "test": {"eq": "welcome"}}}]),
                    json!([{"variable": 1, "from": {"json": "$.token"}}]),
                )},
            ],
            "iterate": [{"do": "send", "message": 1}],
        }),
        json!([message(2, "login {{user}}", Value::Null), message(0, "say {{token}}", Value::Null)]),
    )
    .open();
    assert_eq!(bench.turn(), ["send login ann"]);
    bench.wait(5);
    let Taken::Answer(exchange) = bench.hear(r#"{"type": "welcome", "token": "t1"}"#) else { panic!() };
    // Sent 1 ms after the connection opened, when it was intended.
    assert_eq!((exchange.name, exchange.intended_ns, exchange.sent_ns), (2, 1_000 * MS, 1_001 * MS));
    assert_eq!(bench.turn(), ["opened"]);
    bench.begin();
    assert_eq!(bench.turn(), ["send say t1", "ended"]);
    // The token is the connection's: it goes with it.
    bench.session.closed();
    bench.session.forget(&bench.program);
    bench.session.opened(&bench.program, bench.now);
    assert_eq!(bench.turn(), ["send login ann"]);
}

#[test]
fn a_wrong_welcome_fails_and_shows_what_came() {
    let mut bench = Bench::new(
        json!({"on_open": [
            {"do": "send", "message": 0},
            {"do": "expect", "expect": expect(json!([{"json": {"path": "$.ok", "test": {"eq": true}}}]), json!([]))},
        ]}),
        json!([message(2, "login", Value::Null)]),
    )
    .open();
    bench.turn();
    assert!(matches!(bench.hear(r#"{"ok": false}"#), Taken::Answer(_)));
    assert_eq!(bench.turn(), [r#"failed: expected $.ok == true: got {"ok": false}"#, "not opened"]);
    assert!(!bench.session.is_free());
}

#[test]
fn the_first_exchange_counts_from_when_the_iteration_was_due_and_a_later_one_from_its_predecessor() {
    let reply = json!({"key": null, "within_ns": 100 * MS});
    let mut bench = Bench::ready(
        json!({"iterate": [
            {"do": "send", "message": 0},
            {"do": "think", "law": {"law": "fixed", "span_ns": 20 * MS}},
            {"do": "send", "message": 1},
        ]}),
        json!([message(0, "one", reply.clone()), message(1, "two", reply)]),
    );
    // Due at 1,000 ms, begun at 1,010 because the connection was busy.
    bench.wait(10);
    bench.session.begin(&bench.program, 1_000 * MS, 0).unwrap();
    let (action, _) = bench.act();
    assert!(matches!(action, Action::Send { intended_ns, .. } if intended_ns == 1_000 * MS), "{action:?}");
    bench.turn();
    bench.wait(4);
    let Taken::Answer(first) = bench.hear("re") else { panic!() };
    assert_eq!((first.intended_ns, first.sent_ns), (1_000 * MS, 1_011 * MS));
    // The reply came at 1,015; the next message is intended 20 ms later, and we look at 1,040.
    assert_eq!(bench.act().0, Action::Wait(Some(1_035 * MS)));
    bench.wait(25);
    let (action, _) = bench.act();
    assert!(
        matches!(action, Action::Send { intended_ns, able_ns, .. } if (intended_ns, able_ns) == (1_035 * MS, 1_035 * MS)),
        "{action:?}"
    );
    bench.turn();
    let Taken::Answer(second) = bench.hear("re") else { panic!() };
    assert_eq!((second.name, second.intended_ns, second.sent_ns), (1, 1_035 * MS, 1_041 * MS));
    let (action, _) = bench.act();
    assert_eq!(action, Action::Ended { failed: false, due_ns: 1_000 * MS, end_ns: 1_041 * MS });
}

#[test]
fn replies_are_told_by_their_key_and_a_late_one_is_late() {
    let mut bench = Bench::ready(
        json!({"iterate": [{"do": "send", "message": 0}]}),
        json!([message(0, "{\"id\": {{$seq}}}", by_id())]),
    );
    bench.begin();
    assert_eq!(bench.turn(), [r#"send {"id": 0}"#]);
    assert_eq!(bench.hear(r#"{"re": 7}"#), Taken::Push);
    bench.wait(100);
    assert_eq!(bench.turn(), ["unanswered 0", "ended: failed"]);
    bench.begin();
    assert_eq!(bench.turn(), [r#"send {"id": 1}"#]);
    assert!(matches!(bench.hear(r#"{"re": 0}"#), Taken::Late(exchange) if exchange.name == 0));
    assert!(matches!(bench.hear(r#"{"re": 1}"#), Taken::Answer(_)));
    assert_eq!(bench.hear(r#"{"re": 0}"#), Taken::Push);
    assert_eq!(bench.turn(), ["ended"]);
}

#[test]
fn rules_come_first_and_may_pass_a_message_on() {
    let mut bench = Bench::ready(
        json!({
            "on_message": [
                {"when": [{"json": {"path": "$.type", "test": {"eq": "ping"}}}], "captures": [],
                 "steps": [{"do": "send", "message": 1}], "pass_on": false},
                {"when": [{"json": {"path": "$.n", "test": "exists"}}], "pass_on": true, "steps": [],
                 "captures": [{"variable": 3, "from": {"json": "$.n"}}]},
            ],
            "iterate": [{"do": "send", "message": 0}],
        }),
        json!([
            message(0, "ask", json!({"key": null, "within_ns": 100 * MS})),
            message(1, "pong {{kept}}", Value::Null),
        ]),
    );
    bench.begin();
    assert_eq!(bench.turn(), ["send ask"]);
    // It is not the reply, and it is answered while the reply is awaited: with what the second rule captured.
    assert!(matches!(bench.hear(r#"{"n": 5}"#), Taken::Answer(_)));
    bench.turn();
    bench.begin();
    bench.turn();
    assert_eq!(bench.hear(r#"{"type": "ping"}"#), Taken::Taken);
    assert_eq!(bench.turn(), ["send pong 5"]);
    assert!(matches!(bench.hear("x"), Taken::Answer(_)));
}

#[test]
fn wait_for_lets_others_pass_and_expect_does_not() {
    let steps =
        |kind: &str| json!({"iterate": [{"do": kind, "expect": expect(json!([{"contains": "go"}]), json!([]))}]});
    let mut bench = Bench::ready(steps("wait_for"), json!([]));
    bench.begin();
    assert!(bench.turn().is_empty());
    assert_eq!((bench.hear("no"), bench.hear("go")), (Taken::Push, Taken::Taken));
    assert_eq!(bench.turn(), ["ended"]);
    let mut bench = Bench::ready(steps("expect"), json!([]));
    bench.begin();
    bench.turn();
    assert_eq!(bench.hear("no"), Taken::Taken);
    assert_eq!(bench.turn(), [r#"failed: expected with "go" in it: got no"#, "ended: failed"]);
    bench.begin();
    bench.turn();
    bench.wait(100);
    assert_eq!(bench.turn(), [r#"failed: expected with "go" in it: no such message came in time"#, "ended: failed"]);
}

#[test]
fn nothing_is_expected_until_its_time_is_over_and_several_may_be() {
    let with = |changes: Value| {
        let mut expect = expect(json!([{"contains": "x"}]), json!([]));
        expect.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({"iterate": [{"do": "expect", "expect": expect}]})
    };
    let mut bench = Bench::ready(with(json!({"nothing": true})), json!([]));
    bench.begin();
    bench.turn();
    assert_eq!(bench.hear("y"), Taken::Push);
    bench.wait(100);
    assert_eq!(bench.turn(), ["ended"]);
    bench.begin();
    bench.turn();
    bench.hear("x");
    assert_eq!(bench.turn(), [r#"failed: expected nothing that is with "x" in it: got x"#, "ended: failed"]);
    let mut bench = Bench::ready(with(json!({"count": 3})), json!([]));
    bench.begin();
    bench.turn();
    assert_eq!([bench.hear("x"), bench.hear("x")], [Taken::Taken; 2]);
    assert!(bench.turn().is_empty());
    bench.hear("x");
    assert_eq!(bench.turn(), ["ended"]);
}

#[test]
fn several_messages_come_in_the_order_of_a_value() {
    let mut expect = expect(json!([]), json!([]));
    expect.as_object_mut().unwrap().extend([("count".to_owned(), json!(3)), ("order".to_owned(), json!("$.n"))]);
    let mut bench = Bench::ready(json!({"iterate": [{"do": "expect", "expect": expect}]}), json!([]));
    for (heard, end) in [
        (&["{\"n\": 9}", "{\"n\": 10}", "{\"n\": 10.5}"][..], vec!["ended"]),
        (&["{\"n\": \"a\"}", "{\"n\": \"b\"}", "{\"n\": \"ba\"}"], vec!["ended"]),
        (
            &["{\"n\": 90071992547409930}", "{\"n\": 90071992547409929}"],
            vec![
                "failed: expected $.n to grow: after 90071992547409930: got {\"n\": 90071992547409929}",
                "ended: failed",
            ],
        ),
        (&["{\"n\": 1}", "{\"n\": 1}"], vec!["failed: expected $.n to grow: after 1: got {\"n\": 1}", "ended: failed"]),
        (
            &["{\"n\": 1}", "{\"n\": \"2\"}"],
            vec!["failed: expected $.n to grow: after 1: got {\"n\": \"2\"}", "ended: failed"],
        ),
        (&["x"], vec!["failed: nothing at $.n to see the order by: got x", "ended: failed"]),
    ] {
        bench.begin();
        bench.turn();
        for text in heard {
            assert_eq!(bench.hear(text), Taken::Taken);
        }
        assert_eq!(bench.turn(), end);
    }
}

#[test]
fn closes_that_are_as_they_should_be() {
    let bench = Bench::ready(
        json!({"on_close": [
            {"codes": [[4000, 4099]], "reason": "^expired", "then": "reconnect"},
            {"codes": [[1001, 1001], [1012, 1013]], "reason": null, "then": "end"},
            {"codes": [], "reason": "later", "then": "ignore"},
        ]}),
        json!([]),
    );
    for (code, reason, then) in [
        (4001, "expired: log in", Some(AfterClose::Reconnect)),
        (4100, "expired", None),
        (4001, "banned", None),
        (1001, "", Some(AfterClose::End)),
        (1013, "later", Some(AfterClose::End)),
        (1011, "come later", Some(AfterClose::Ignore)),
        (1006, "", None),
    ] {
        assert_eq!(bench.program.on_close(0, code, reason), then, "{code} {reason}");
    }
}

#[test]
fn loops_choices_and_variables() {
    let mut bench = Bench::ready(
        json!({"iterate": [
            {"do": "repeat", "times": 2, "steps": [
                {"do": "for_each", "variable": 2, "values": ["p", "{{user}}"], "steps": [{"do": "send", "message": 0}]},
            ]},
            {"do": "repeat", "times": 0, "steps": [{"do": "send", "message": 0}]},
            {"do": "if", "value": "{{token}}", "test": "exists",
             "then": [{"do": "close", "code": 1000, "reason": ""}],
             "otherwise": [{"do": "set", "variable": 3, "value": "{{once}}!"}]},
            {"do": "send", "message": 1},
            {"do": "if", "value": "{{$iteration}}", "test": {"ge": 1}, "then": [{"do": "ping"}], "otherwise": []},
        ]}),
        json!([message(0, "{{once}}", Value::Null), message(1, "{{kept}}", Value::Null)]),
    );
    bench.begin();
    let round = ["send p", "send ann", "send p", "send ann", "send ann!"];
    assert_eq!(bench.turn(), [&round[..], &["ended"]].concat());
    bench.begin();
    assert_eq!(bench.turn(), [&round[..], &["ping", "ended"]].concat());
}

#[test]
fn what_fails_goes_on_as_the_user_says() {
    let run = |on_error: &str| {
        let mut bench = Bench::ready(
            json!({"iterate": [{"do": "send", "message": 0}, {"do": "send", "message": 1}], "on_error": on_error}),
            json!([message(0, "{{token}}", Value::Null), message(1, "after", Value::Null)]),
        );
        bench.begin();
        bench.turn()
    };
    let failed = "failed: a variable holds nothing: the variable token holds nothing";
    assert_eq!(run("ignore"), [failed, "send after", "ended: failed"]);
    assert_eq!(run("next"), [failed, "ended: failed"]);
    assert_eq!(run("reconnect"), [failed, "ended: failed", "reconnect"]);
    assert_eq!(run("abort"), [failed, "ended: failed", "abandon"]);
}

#[test]
fn a_connection_that_ends_takes_its_iteration_along() {
    let mut bench = Bench::ready(
        json!({"iterate": [{"do": "send", "message": 0}]}),
        json!([message(0, "x", json!({"key": null, "within_ns": 100 * MS}))]),
    );
    bench.begin();
    bench.turn();
    let (exchange, iteration) = bench.session.closed();
    assert_eq!((exchange.map(|one| one.name), iteration), (Some(0), Some(1_000 * MS)));
    assert!(!bench.session.is_free());
    assert_eq!(bench.session.closed(), (None, None));
}

#[test]
fn what_is_repeated_has_a_clock_of_its_own() {
    let mut bench = Bench::ready(
        json!({"every": [{"period_ns": 30 * MS, "steps": [{"do": "send", "message": 0}]}]}),
        json!([message(2, "keep", Value::Null)]),
    );
    let tick = |bench: &mut Bench| {
        bench.session.tick(&bench.program, bench.now);
        bench.turn()
    };
    assert_eq!(bench.session.next_clock_ns(), Some(1_030 * MS));
    assert!(tick(&mut bench).is_empty());
    bench.wait(30);
    assert_eq!(tick(&mut bench), ["send keep"]);
    // Held up for three periods: it is sent once, and then as before.
    bench.wait(99);
    assert_eq!(tick(&mut bench), ["send keep"]);
    assert_eq!(bench.session.next_clock_ns(), Some(1_150 * MS));
}

#[test]
fn rows_belong_to_slots_or_iterations_and_run_out_as_asked() {
    let data = |bind: &str, exhausted: &str| {
        json!({"columns": [0], "rows": [["r0"], ["r1"], ["r2"], ["r3"], ["r4"]], "bind": bind, "order": "sequential",
               "exhausted": exhausted})
    };
    let messages = json!([message(0, "{{user}}", Value::Null)]);
    let plan = |data: Value| {
        program(json!([user(json!({"iterate": [{"do": "send", "message": 0}]}))]), messages.clone(), data)
    };
    let of = |plan: &plan::Program, slot| {
        let mut bench = Bench::of(plan, slot).open();
        bench.turn();
        bench
    };
    let mut third = of(&plan(data("connection", "stop")), 2);
    third.begin();
    assert_eq!(third.turn(), ["send r2", "ended"]);
    let (target, shake) = handshake();
    let compiled = Program::compile(&plan(data("connection", "error")), (&target, &shake), (7, 4)).unwrap();
    assert!(matches!(Session::new(&compiled, 5), Err(true)));
    // Four slots take turns: slot 1 reads rows 1 and 5, which begins again with 0.
    let mut second = of(&plan(data("iteration", "recycle")), 1);
    for row in ["send r1", "send r0", "send r4"] {
        second.begin();
        assert_eq!(second.turn(), [row, "ended"]);
    }
    let mut last = of(&plan(data("iteration", "stop")), 1);
    last.begin();
    last.turn();
    assert_eq!(last.session.begin(&last.program, 0, 1), Err(false));
}

#[test]
fn a_handshake_is_rendered_for_each_connection_and_stays_one_line() {
    let plan = program(
        json!([user(json!({}))]),
        json!([]),
        json!({
            "columns": [0], "rows": [["a b"], ["x\r\nEvil: 1"]], "bind": "connection", "order": "sequential",
            "exhausted": "recycle",
        }),
    );
    let (target, shake) = handshake();
    let of = |slot| {
        let bench = Bench::of(&plan, slot);
        bench.program.handshake(&bench.session, bench.now, (&target, &shake)).unwrap().unwrap()
    };
    let (first, headers) = of(0);
    assert_eq!((first.resource.as_str(), headers.headers[0].1.as_str()), ("/chat?u=a%20b", "a b"));
    let (second, headers) = of(1);
    assert_eq!((second.resource.as_str(), headers.cookies[0].1.as_str()), ("/chat?u=x%0D%0AEvil%3A%201", "xEvil: 1"));
}

#[test]
fn users_take_turns_by_their_weights() {
    let named = |name: &str, weight: u32| {
        user(json!({"name": name, "weight": weight, "iterate": [
            {"do": "close", "code": 1000 + weight, "reason": ""},
        ]}))
    };
    let plan = program(json!([named("many", 3), named("few", 1)]), json!([]), Value::Null);
    let codes: Vec<String> = (0..8)
        .map(|slot| {
            let mut bench = Bench::of(&plan, slot).open();
            bench.turn();
            bench.begin();
            bench.turn().remove(0)
        })
        .collect();
    let turns = ["close 1003", "close 1003", "close 1003", "close 1001"];
    assert_eq!(codes, [turns, turns].concat());
}

#[test]
fn a_loop_of_nothing_is_stopped() {
    let mut bench =
        Bench::ready(json!({"iterate": [{"do": "repeat", "times": 4_000_000_000_u32, "steps": []}]}), json!([]));
    bench.begin();
    assert_eq!(
        bench.turn(),
        ["failed: steps that go round without end: no step of a loop sends or waits", "ended: failed"]
    );
}

#[test]
fn one_message_alone_is_told_from_steps() {
    let one = program(
        json!([user(json!({"iterate": [{"do": "send", "message": 0}]}))]),
        json!([message(1, "", Value::Null)]),
        Value::Null,
    );
    assert_eq!(Program::simple(&one).map(|message| message.name), Some(1));
    let two = json!({"iterate": [{"do": "send", "message": 0}, {"do": "ping"}]});
    assert!(Program::simple(&program(json!([user(two)]), json!([message(1, "", Value::Null)]), Value::Null)).is_none());
}

#[test]
fn a_plan_with_a_program_is_read() {
    let text = serde_json::to_string(&program(json!([user(json!({}))]), json!([]), Value::Null)).unwrap();
    assert!(serde_json::from_str::<plan::Program>(&text).is_ok());
}

#[test]
fn what_secret_variables_hold_is_hidden() {
    let mut plan = program(json!([user(json!({}))]), json!([]), Value::Null);
    plan.variables[0].secret = true;
    let bench = Bench::of(&plan, 0);
    let hide =
        |text: &str| String::from_utf8(bench.session.hide(&bench.program, text.as_bytes()).into_owned()).unwrap();
    assert_eq!(hide(r#"{"u": "ann", "v": "ann!"}"#), r#"{"u": "***user***", "v": "***user***!"}"#);
    assert_eq!(hide("bob"), "bob");
}

#[test]
fn what_rules_send_does_not_change_what_the_seed_says_of_the_rest() {
    let parts = json!({
        "on_message": [{"when": [{"contains": "ping"}], "captures": [], "steps": [{"do": "send", "message": 1}], "pass_on": false}],
        "iterate": [{"do": "send", "message": 0}],
    });
    let text = "{{$seq}} {{$id}} {{$randomString(8)}}";
    let messages = json!([message(0, text, Value::Null), message(1, text, Value::Null)]);
    let run = |pings: usize| {
        let mut bench = Bench::ready(parts.clone(), messages.clone());
        let mut asides = Vec::new();
        for _ in 0..pings {
            bench.hear("ping");
            asides.extend(bench.turn());
        }
        bench.begin();
        (bench.turn(), asides)
    };
    let ((quiet, _), (busy, asides)) = (run(0), run(2));
    assert_eq!(quiet, busy);
    assert!(asides[0].starts_with("send 0 ") && asides[1].starts_with("send 1 ") && asides[0] != asides[1]);
    assert!(!busy.contains(&asides[0]), "an identifier is there twice");
}
