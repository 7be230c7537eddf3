//! What is kept of which connections.

use super::*;
use crate::timeline::{Event, decode};

fn settings() -> Settings {
    Settings {
        whole: Whole::OneIn(0),
        on_error: true,
        on_close: true,
        slow_quantile: None,
        exchanges: 0,
        payload_bytes: 16,
        limit_bytes: 1 << 20,
        length_ns: 1_000,
        secrets: Vec::new(),
        redact: Vec::new(),
        seed: 7,
        worker: 1,
        workers: 2,
        slots: 4,
    }
}

fn timeline(settings: Settings) -> Timeline {
    let mut timeline = Timeline::new(settings);
    timeline.cut(0, Vec::new());
    timeline
}

/// An exchange of `connection` whose message went out at `at_ns`.
fn exchange(timeline: &mut Timeline, index: u32, at_ns: u64, text: &str) {
    timeline.sent(index, at_ns, (Opcode::Text, 0), text.as_bytes(), None);
    let answer = Answer { intended_ns: at_ns - 1, sent_ns: at_ns };
    timeline.received(index, at_ns + 10, (Opcode::Text, 0), text.as_bytes(), Some(answer));
}

fn seqs(kept: &Kept) -> Vec<(u32, u32, &'static str)> {
    let events = decode(&kept.events).unwrap();
    events.iter().map(|event| (event.head.slot, event.head.seq, event.head.kind.name())).collect()
}

#[test]
fn without_a_reason_nothing_is_kept_and_everything_counted() {
    let mut timeline = timeline(settings());
    timeline.begin(0, 1);
    exchange(&mut timeline, 0, 5, "hello");
    assert_eq!(timeline.cut(100, Vec::new()), Kept { seen: 3, ..Kept::default() });
}

#[test]
fn a_whole_connection_has_all_of_its_events() {
    let mut timeline = timeline(Settings { whole: Whole::OneIn(3), ..settings() });
    // Slots 1, 3, 5, 7: of these 3 is divisible by 3.
    for index in 0..4 {
        timeline.begin(index, 1);
        exchange(&mut timeline, index, 5, "hello, and more than fits");
    }
    let kept = timeline.cut(100, Vec::new());
    assert_eq!(seqs(&kept), [(3, 0, "connect"), (3, 1, "text"), (3, 2, "text")]);
    let events = decode(&kept.events).unwrap();
    let Event { head, payload } = events[2];
    assert_eq!((payload, head.size, head.flags), (&b"hello, and more "[..], 25, CUT));
    assert_eq!((head.latency_ns, head.attempt, head.why), (Some(11), 1, Why::Connection as u8));
}

#[test]
fn values_that_are_redacted_are_not_kept_of_either_side() {
    let redact = vec![Query::parse("$.key").unwrap()];
    let mut timeline = timeline(Settings { whole: Whole::OneIn(1), payload_bytes: 40, redact, ..settings() });
    timeline.begin(0, 1);
    exchange(&mut timeline, 0, 5, r#"{"key": "s3cr3t", "n": 1}"#);
    exchange(&mut timeline, 0, 5, r#"{"key": "s3cr3t", "n": "and more than fits in what is kept"}"#);
    let kept = timeline.cut(100, Vec::new());
    let events = decode(&kept.events).unwrap();
    let hidden = &br#"{"key": "***$.key***", "n": 1}"#[..];
    let whole = &b"***redacted***"[..];
    assert_eq!(events[1..].iter().map(|event| event.payload).collect::<Vec<_>>(), [hidden, hidden, whole, whole]);
    assert!(events[1..].iter().all(|event| event.head.flags & REDACTED != 0));
}

#[test]
fn connections_asked_for_by_number_are_spread_evenly() {
    let chosen = |of, connections| {
        let whole = Whole::Count { of, connections };
        (0..connections).filter(|slot| whole.holds(*slot)).collect::<Vec<_>>()
    };
    assert_eq!(chosen(3, 9), [2, 5, 8]);
    assert_eq!(chosen(5, 3), [0, 1, 2]);
    assert!(chosen(0, 3).is_empty());
    assert_eq!(chosen(7, 100).len(), 7);
}

#[test]
fn a_failure_keeps_what_led_to_it_and_what_followed() {
    let mut timeline = timeline(settings());
    timeline.begin(0, 1);
    timeline.begin(1, 1);
    exchange(&mut timeline, 0, 5, "a");
    exchange(&mut timeline, 1, 6, "b");
    timeline.failed(0, 30, FailureKind::Reset, "gone");
    timeline.ended(0, 31);
    timeline.ended(1, 31);
    let kept = timeline.cut(100, Vec::new());
    let expected = [(1, 0, "connect"), (1, 1, "text"), (1, 2, "text"), (1, 3, "failed"), (1, 4, "end")];
    assert_eq!(seqs(&kept), expected);
    let events = decode(&kept.events).unwrap();
    assert_eq!((events[3].failure(), events[3].payload), (Some(FailureKind::Reset), &b"gone"[..]));
}

#[test]
fn what_was_kept_for_one_failure_is_not_kept_again_for_the_next() {
    let mut timeline = timeline(settings());
    timeline.begin(0, 1);
    timeline.failed(0, 2, FailureKind::Unanswered, "one");
    for seq in 0..20 {
        exchange(&mut timeline, 0, 10 + seq, "x");
    }
    timeline.failed(0, 90, FailureKind::Unanswered, "two");
    let kept = seqs(&timeline.cut(100, Vec::new()));
    let mut once: Vec<u32> = kept.iter().map(|(_, seq, _)| *seq).collect();
    once.sort_unstable();
    once.dedup();
    // The aftermath of the first is in the second's past: that much may come twice.
    assert_eq!((once.len(), kept.len()), (43, 43 + AFTERMATH as usize));
}

#[test]
fn failures_that_nobody_asked_for_keep_nothing() {
    let mut timeline = timeline(Settings { on_close: false, ..settings() });
    timeline.begin(0, 1);
    timeline.failed(0, 2, FailureKind::UnexpectedClose, "1001");
    timeline.failed(0, 3, FailureKind::InvalidText, "no text");
    let kept = timeline.cut(100, Vec::new());
    assert_eq!(seqs(&kept), [(1, 0, "connect"), (1, 1, "failed"), (1, 2, "failed")]);
}

#[test]
fn where_the_ring_does_not_reach_that_is_said() {
    let mut timeline = timeline(Settings { limit_bytes: 64 << 20, payload_bytes: 4_096, ..settings() });
    timeline.begin(0, 1);
    timeline.begin(1, 1);
    let long = "x".repeat(4_096);
    timeline.sent(1, 2, (Opcode::Text, 0), b"early", None);
    for at_ns in 0..100 {
        timeline.sent(0, 10 + at_ns, (Opcode::Text, 0), long.as_bytes(), None);
    }
    timeline.failed(1, 400, FailureKind::Unanswered, "nothing came");
    let kept = timeline.cut(1_000, Vec::new());
    let events = decode(&kept.events).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].head.kind, events[0].head.flags), (Kind::Failed, OUT_OF_REACH));
}

#[test]
fn a_slow_reply_keeps_what_led_to_it() {
    let mut timeline = timeline(settings());
    timeline.begin(0, 1);
    timeline.cut(2, vec![10]);
    exchange(&mut timeline, 0, 5, "a");
    // A second connection's is quick enough.
    timeline.begin(1, 6);
    timeline.received(1, 20, (Opcode::Text, 0), b"b", Some(Answer { intended_ns: 10, sent_ns: 10 }));
    let kept = timeline.cut(100, Vec::new());
    assert_eq!(seqs(&kept), [(1, 0, "connect"), (1, 1, "text"), (1, 2, "text")]);
    assert!(decode(&kept.events).unwrap().iter().all(|event| event.head.why == Why::Slow as u8));
}

#[test]
fn sampled_exchanges_are_whole() {
    let mut timeline = timeline(Settings { exchanges: 3, ..settings() });
    for index in 0..4 {
        timeline.begin(index, 1);
    }
    for number in 0..50 {
        exchange(&mut timeline, number % 4, 10 + u64::from(number) * 20, &number.to_string());
    }
    let kept = timeline.cut(5_000, Vec::new());
    let events = decode(&kept.events).unwrap();
    assert_eq!(events.len(), 6);
    for pair in events.chunks(2) {
        assert_eq!(pair[0].payload, pair[1].payload);
        assert_eq!((pair[0].head.direction, pair[1].head.direction), (Direction::Sent, Direction::Received));
    }
}

#[test]
fn secrets_are_kept_by_name_only() {
    let secrets = vec![Secret { name: "token".into(), value: b"s3cr3t".to_vec() }];
    let mut timeline = timeline(Settings { whole: Whole::OneIn(1), secrets, payload_bytes: 100, ..settings() });
    timeline.begin(0, 1);
    timeline.sent(0, 2, (Opcode::Text, 0), b"login s3cr3t", None);
    timeline.received(0, 3, (Opcode::Text, 0), b"welcome s3cr3t", None);
    let kept = timeline.cut(100, Vec::new());
    let events = decode(&kept.events).unwrap();
    assert_eq!((events[1].payload, events[1].head.flags), (&b"login ***token***"[..], REDACTED));
    // What the server sends is exact.
    assert_eq!((events[2].payload, events[2].head.flags), (&b"welcome s3cr3t"[..], 0));
}

#[test]
fn what_goes_beyond_the_budget_is_counted() {
    let mut timeline = timeline(Settings { whole: Whole::OneIn(1), limit_bytes: 64_000, ..settings() });
    timeline.begin(0, 1);
    for at_ns in 0..99 {
        timeline.sent(0, 2 + at_ns, (Opcode::Text, 0), b"four", None);
    }
    let kept = timeline.cut(100, Vec::new());
    assert_eq!((decode(&kept.events).unwrap().len(), kept.seen, kept.over_budget), (10, 100, 90));
}
