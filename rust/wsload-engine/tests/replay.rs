//! Recorded connections played against real sockets.

mod support;

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use support::{MS, Run, nobody, plan, run, run_with, server};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use wsload_core::interval::Metric;
use wsload_core::matching::KeySource;
use wsload_core::plan::{Load, Matching, Plan};

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn send(at_ms: u64, after: u32, payload: &[u8], answered: bool) -> Value {
    let binary = std::str::from_utf8(payload).is_err();
    let pieces = [base64(payload)];
    let act = json!({"binary": binary, "name": 0, "pieces": pieces, "stored": null, "answered": answered});
    json!({"at_ns": at_ms * MS, "after": after, "act": {"send": act}})
}

fn end(at_ms: u64, after: u32) -> Value {
    json!({"at_ns": at_ms * MS, "after": after, "act": "end"})
}

/// What an echo of the message of step `answers` is.
fn echo_of(payload: &[u8], answers: u32) -> Value {
    json!({"key": KeySource::Echo.key_of(payload), "answers": answers})
}

fn part(begin_ms: u64, steps: Vec<Value>, received: Vec<Value>) -> Value {
    json!({"begin_ns": begin_ms * MS, "steps": steps, "received": received, "closed_by_server": false})
}

fn replay(parts: Vec<Value>, connections: u32, speed: f64, wait_replies: bool) -> Plan {
    let script = json!({ "parts": parts }).to_string();
    Plan {
        connections,
        load: Load::Replay { speed, wait_replies, names: vec!["message".into()], script },
        message: None,
        matching: Matching::None,
        iterations: Some(1),
        reply_timeout_ns: 300 * MS,
        ..plan()
    }
}

/// A server that says what it got, and answers as `answer` says.
fn listener(
    answer: impl Fn(&Message) -> Option<Message> + Send + Sync + 'static,
) -> (std::net::SocketAddr, Arc<Mutex<Vec<Message>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let address = server(move |mut socket| {
        while let Ok(message) = socket.read() {
            told.lock().unwrap().push(message.clone());
            if let Some(reply) = answer(&message)
                && socket.send(reply).is_err()
            {
                return;
            }
        }
    });
    (address, heard)
}

fn echoed(message: &Message) -> Option<Message> {
    (message.is_text() || message.is_binary()).then(|| message.clone())
}

fn sums(run: &Run) -> [u64; 5] {
    let counters = &run.counters;
    [counters.due, counters.sent, counters.answered, counters.unanswered, counters.unsent]
}

#[test]
fn messages_go_out_as_they_were_and_answers_are_measured() {
    let payloads: [&[u8]; 4] = ["plain é".as_bytes(), b"", &[0, 255, 128], &[b'x'; 200_000]];
    let mut steps: Vec<Value> =
        payloads.iter().zip(0..).map(|(payload, number)| send(u64::from(number), number, payload, true)).collect();
    steps.push(json!({"at_ns": 5 * MS, "after": 4, "act": {"ping": {"payload": base64(b"are you there")}}}));
    steps.push(json!({"at_ns": 6 * MS, "after": 4, "act": {"close": {"code": 4001, "reason": "enough"}}}));
    let received = payloads.iter().zip(0..).map(|(payload, number)| echo_of(payload, number)).collect();
    let (address, heard) = listener(echoed);
    let run = run(&replay(vec![part(0, steps, received)], 1, 1.0, false), address);
    assert_eq!(sums(&run), [4, 4, 4, 0, 0]);
    assert_eq!(run.failures(), []);
    assert_eq!(run.histogram(Metric::ResponseTime).count(), 4);
    assert_eq!((run.counters.pings_sent, run.counters.pushes), (1, 0));
    let heard = heard.lock().unwrap();
    let got: Vec<Vec<u8>> = heard.iter().take(4).map(|message| message.clone().into_data().to_vec()).collect();
    assert_eq!(got, payloads);
    assert_eq!(heard.iter().map(Message::is_binary).collect::<Vec<_>>(), [false, false, true, false, false, false]);
    assert_eq!(heard[4], Message::Ping("are you there".into()));
    let close = CloseFrame { code: 4001.into(), reason: "enough".into() };
    assert_eq!(heard[5], Message::Close(Some(close)));
}

#[test]
fn times_are_kept_and_scaled() {
    // The recording's clock begins anywhere; what lies before the first message is not waited for.
    let steps = (0..5).map(|number| send(1_000 + 40 * number, 0, b"x", false)).chain([end(1_160, 0)]).collect();
    let script = vec![part(0, steps, Vec::new())];
    for (speed, least_ms, most_ms) in [(1.0, 160, 1_500), (4.0, 40, 1_000), (0.0, 0, 900)] {
        let (address, _) = listener(|_| None);
        let mut begun = None;
        let mut ended = None;
        let run = run_with(&replay(script.clone(), 1, speed, false), address, |shard| {
            let now_ns = wsload_engine::os::monotonic_ns();
            if shard.phase() == wsload_engine::Phase::Ready {
                begun = Some(now_ns);
            }
            if shard.phase() > wsload_engine::Phase::Running {
                ended.get_or_insert(now_ns);
            }
        });
        assert_eq!(sums(&run), [5, 5, 0, 0, 0]);
        let took_ms = (ended.unwrap() - begun.unwrap()) / MS;
        assert!((least_ms..most_ms).contains(&took_ms), "speed {speed}: {took_ms} ms");
    }
}

#[test]
fn a_later_connection_begins_later() {
    let first = part(0, vec![send(10, 0, b"a", true), end(70, 1)], vec![echo_of(b"a", 0)]);
    let second = part(60, vec![send(62, 0, b"b", true), end(70, 1)], vec![echo_of(b"b", 0)]);
    let (address, heard) = listener(echoed);
    let run = run(&replay(vec![first, second], 4, 1.0, false), address);
    assert_eq!(sums(&run), [4, 4, 4, 0, 0]);
    assert_eq!(run.counters.connects_opened, 4);
    let texts: Vec<String> =
        heard.lock().unwrap().iter().filter(|one| one.is_text()).map(ToString::to_string).collect();
    assert_eq!(texts, ["a", "a", "b", "b"]);
}

#[test]
fn copies_have_values_of_their_own() {
    let act = json!({
        "binary": false, "name": 0, "pieces": [base64(b"user-"), base64(b"!")],
        "stored": base64(b"***user***"), "answered": false,
    });
    let steps = vec![json!({"at_ns": 0, "after": 0, "act": {"send": act}}), end(1, 0)];
    let (address, heard) = listener(|_| None);
    run(&replay(vec![part(0, steps, Vec::new())], 3, 0.0, false), address);
    let mut texts: Vec<String> =
        heard.lock().unwrap().iter().filter(|one| one.is_text()).map(ToString::to_string).collect();
    texts.sort();
    assert_eq!(texts, ["user-0!", "user-1!", "user-2!"]);
}

#[test]
fn what_is_not_answered_is_counted_and_the_run_ends() {
    let steps = vec![send(0, 0, b"a", true), send(1, 1, b"b", true), end(2, 2)];
    let received = vec![echo_of(b"a", 0), echo_of(b"b", 1)];
    let script = vec![part(0, steps, received)];
    let answer = |message: &Message| echoed(message).filter(|one| *one == Message::Text("a".into()));
    let (address, _) = listener(answer);
    let run_once = run(&replay(script.clone(), 1, 1.0, false), address);
    assert_eq!(sums(&run_once), [2, 2, 1, 1, 0]);
    assert_eq!(run_once.failures(), [("unanswered", "reply time-out".to_owned(), 1)]);
    // With replies awaited, what was to follow them is not sent.
    let (silent, _) = listener(|_| None);
    assert_eq!(sums(&run(&replay(script, 1, 0.0, true), silent)), [2, 1, 0, 1, 1]);
}

#[test]
fn awaited_replies_keep_the_order_of_a_conversation() {
    let steps = (0..50).map(|number| send(0, number, b"x", true)).chain([end(0, 50)]).collect();
    let received = (0..50).map(|number| echo_of(b"x", number)).collect();
    let (address, _) = listener(echoed);
    let run = run(&replay(vec![part(0, steps, received)], 1, 0.0, true), address);
    assert_eq!(sums(&run), [50, 50, 50, 0, 0]);
    assert_eq!(run.counters.stamps_shared, 0);
}

#[test]
fn a_close_that_was_recorded_is_no_failure_and_another_is() {
    for (recorded, failures) in [(true, 0), (false, 1)] {
        let mut one = part(0, vec![send(0, 0, b"bye", false), end(1, 0)], Vec::new());
        one["closed_by_server"] = json!(recorded);
        one["steps"][1]["at_ns"] = json!(200 * MS);
        let (address, _) = listener(|message| {
            let frame = CloseFrame { code: 1001.into(), reason: "restart".into() };
            message.is_text().then_some(Message::Close(Some(frame)))
        });
        let run = run(&replay(vec![one], 1, 1.0, false), address);
        assert_eq!((run.failures().len(), run.close_codes()), (failures, vec![(1001, 1)]), "{recorded}");
        assert_eq!(run.counters.connections_lost, u64::from(!recorded));
    }
}

#[test]
fn where_nobody_listens_nothing_was_sent_and_that_is_counted() {
    let script = vec![part(0, vec![send(0, 0, b"a", true), send(5, 0, b"b", true), end(6, 0)], Vec::new())];
    assert_eq!(sums(&run(&replay(script, 2, 1.0, false), nobody())), [4, 0, 0, 0, 4]);
}

#[test]
fn a_run_that_is_stopped_owes_what_was_due() {
    let steps = vec![send(0, 0, b"a", false), send(60_000, 0, b"b", false), end(60_000, 0)];
    let (address, _) = listener(|_| None);
    let mut polls = 0;
    let run = run_with(&replay(vec![part(0, steps, Vec::new())], 1, 1.0, false), address, |shard| {
        polls += u32::from(shard.phase() == wsload_engine::Phase::Running);
        if polls == 3 {
            shard.stop();
        }
    });
    assert_eq!(sums(&run), [1, 1, 0, 0, 0]);
}
