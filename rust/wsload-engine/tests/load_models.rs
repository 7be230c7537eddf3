//! What starts messages, over real sockets: stages, think times, lifetimes, and what becomes of messages without a reply.

mod support;

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::*;
use tungstenite::Message;
use wsload_core::interval::Metric;
use wsload_core::plan::{self, Arrivals, KeySpec, Load, Matching};
use wsload_core::schedule::{Stage, Think};

#[test]
fn stages_send_what_lies_under_their_line() {
    let (server, count) = echo_server();
    let mut plan = plan();
    plan.connections = 5;
    let stages = vec![
        Stage { duration_ns: 200 * MS, target_per_s: 1_000.0 },
        Stage { duration_ns: 100 * MS, target_per_s: 1_000.0 },
    ];
    plan.load = Load::Open { rate_per_s: 1_000.0, stages, arrivals: Arrivals::Constant };
    plan.iterations = None;
    plan.duration_ns = Some(300 * MS);
    let run = run(&plan, server);
    // Half of 200 ms at 1,000/s, then 100 ms at 1,000/s.
    assert_eq!((run.counters.due, run.counters.sent, run.counters.answered), (200, 200, 200));
    assert_eq!(count.load(Ordering::SeqCst), 200);
}

#[test]
fn a_user_who_thinks_sends_at_its_own_pace_and_is_not_late_for_it() {
    let (server, _) = echo_server();
    let mut plan = plan();
    plan.connections = 4;
    plan.load = Load::Closed { in_flight: 1, think: Some(Think::Fixed { span_ns: 50 * MS }) };
    plan.iterations = None;
    plan.duration_ns = Some(420 * MS);
    let run = run(&plan, server);
    // At 0, 50, ... 400 ms: nine each, one less when the machine is busy.
    assert!((28..=36).contains(&run.counters.sent), "{}", run.counters.sent);
    assert_eq!(run.counters.sent, run.counters.answered);
    // The wait is not part of the response time.
    let response = run.histogram(Metric::ResponseTime);
    assert!(response.value_at_quantile(0.5) < 20 * MS, "{}", response.value_at_quantile(0.5));
}

#[test]
fn connections_past_their_lifetime_are_replaced_and_no_reply_is_lost() {
    let (server, count) = echo_server();
    let mut plan = plan();
    plan.connections = 4;
    plan.load = open_load(400.0);
    plan.iterations = None;
    plan.duration_ns = Some(500 * MS);
    plan.connection_lifetime_ns = Some(100 * MS);
    let run = run(&plan, server);
    assert_eq!((run.counters.due, run.counters.sent, run.counters.answered), (200, 200, 200));
    assert_eq!(count.load(Ordering::SeqCst), 200);
    assert!(run.counters.connections_expired >= 8, "{}", run.counters.connections_expired);
    assert_eq!(run.counters.reconnects, run.counters.connections_expired);
    assert_eq!(run.failures(), []);
}

#[test]
fn a_user_keeps_thinking_when_its_connection_is_replaced() {
    let (server, _) = echo_server();
    let mut plan = plan();
    plan.connections = 6;
    plan.load = Load::Closed { in_flight: 1, think: Some(Think::Exponential { mean_ns: 30 * MS }) };
    plan.iterations = None;
    plan.duration_ns = Some(500 * MS);
    plan.connection_lifetime_ns = Some(70 * MS);
    let run = run(&plan, server);
    assert!(run.counters.connections_expired >= 6, "{}", run.counters.connections_expired);
    assert_eq!(run.counters.sent, run.counters.answered);
    assert!(run.counters.sent >= 40, "{}", run.counters.sent);
}

#[test]
fn idle_connections_have_a_lifetime_too() {
    let (server, _) = echo_server();
    let mut plan = plan();
    (plan.load, plan.message) = (Load::Idle, None);
    (plan.iterations, plan.duration_ns) = (None, Some(250 * MS));
    plan.connection_lifetime_ns = Some(60 * MS);
    let run = run(&plan, server);
    assert!(run.counters.connections_expired >= 2, "{}", run.counters.connections_expired);
}

#[test]
fn messages_without_a_reply_are_kept_by_their_age() {
    let server = server(|mut socket| while socket.read().is_ok() {});
    let mut plan = plan();
    plan.iterations = Some(1);
    plan.reply_timeout_ns = 80 * MS;
    let run = run(&plan, server);
    assert_eq!(run.counters.unanswered, 1);
    for metric in [Metric::ResponseCensored, Metric::ServiceCensored] {
        let censored = run.histogram(metric);
        assert_eq!(censored.count(), 1);
        assert!((75 * MS..2_000 * MS).contains(&censored.max()), "{}", censored.max());
    }
    assert_eq!(run.histogram(Metric::ResponseTime).count(), 0);
}

#[test]
fn messages_that_were_due_and_never_sent_are_kept_by_their_age() {
    let mut plan = plan();
    plan.load = open_load(100.0);
    plan.iterations = None;
    plan.duration_ns = Some(200 * MS);
    // The connection is gone when the schedule begins.
    let server = server(|mut socket| {
        let _ = socket.close(None);
        while socket.read().is_ok() {}
    });
    plan.reconnect.attempts = 1_000;
    plan.connect_rate_per_s = Some(2.0);
    let run = run(&plan, server);
    assert_eq!(run.counters.due, 20);
    assert_eq!(run.histogram(Metric::ResponseCensored).count(), run.counters.unsent + run.counters.unanswered);
    assert!(run.counters.unsent > 0);
}

#[test]
fn replies_that_share_a_stamp_are_known_to_be_uncertain() {
    // Three replies held back and sent in one go: the kernel stamps them once.
    let server = server(|mut socket| {
        let mut held = Vec::new();
        while let Ok(message) = socket.read() {
            if message.is_text() {
                held.push(message);
            }
            if held.len() == 3 {
                std::thread::sleep(Duration::from_millis(30));
                for message in held.drain(..) {
                    let _ = socket.write(message);
                }
                let _ = socket.flush();
            }
        }
    });
    let mut plan = plan();
    plan.load = Load::Closed { in_flight: 3, think: None };
    plan.iterations = Some(3);
    let run = run(&plan, server);
    let (by_stamp, earliest) = (run.histogram(Metric::ResponseUncertain), run.histogram(Metric::ResponseEarliest));
    assert_eq!((by_stamp.count(), earliest.count(), run.counters.stamps_shared), (2, 2, 2));
    assert!(by_stamp.min() >= 25 * MS && earliest.max() < by_stamp.min());
}

fn by_id() -> (Matching, plan::Message) {
    let payload = br#"{"id": {{$id}}, "n": {{$seq}}}"#.to_vec();
    let message = plan::Message { name: "say".into(), kind: plan::MessageKind::Text, payload, template: true };
    let id = || KeySpec::Json("$.id".into());
    (Matching::Key { sent: id(), received: id() }, message)
}

#[test]
fn replies_by_key_may_overtake_each_other_get_lost_and_come_twice() {
    // Every second reply first, the third never, the fourth twice.
    let server = server(|mut socket| {
        let mut held: Option<Message> = None;
        let mut count = 0;
        while let Ok(message) = socket.read() {
            if !message.is_text() {
                continue;
            }
            count += 1;
            match count % 4 {
                1 => held = Some(message),
                2 => {
                    let _ = socket.send(message);
                    let _ = held.take().map(|message| socket.send(message));
                }
                3 => {}
                _ => {
                    let _ = socket.send(message.clone());
                    let _ = socket.send(message);
                }
            }
        }
    });
    let mut plan = plan();
    let (matching, message) = by_id();
    (plan.matching, plan.message) = (matching, Some(message));
    plan.connections = 2;
    plan.load = open_load(200.0);
    plan.iterations = Some(80);
    plan.reply_timeout_ns = 300 * MS;
    let run = run(&plan, server);
    let counters = &run.counters;
    assert_eq!((counters.due, counters.sent, counters.answered), (80, 80, 60));
    assert_eq!((counters.unanswered, counters.duplicates, counters.pushes), (20, 20, 0));
    // A lost reply costs one message, not its connection.
    assert_eq!((counters.matching_lost, counters.connections_lost), (0, 0));
    assert_eq!(run.histogram(Metric::ResponseCensored).count(), 20);
}

#[test]
fn a_late_reply_is_told_from_the_next_one() {
    let server = server(|mut socket| {
        let mut first = true;
        while let Ok(message) = socket.read() {
            if message.is_text() {
                if std::mem::take(&mut first) {
                    std::thread::sleep(Duration::from_millis(150));
                }
                let _ = socket.send(message);
            }
        }
    });
    let mut plan = plan();
    let (matching, message) = by_id();
    (plan.matching, plan.message) = (matching, Some(message));
    plan.iterations = Some(5);
    plan.reply_timeout_ns = 80 * MS;
    let run = run(&plan, server);
    let counters = &run.counters;
    assert_eq!((counters.sent, counters.unanswered, counters.late), (5, 5 - counters.answered, 5 - counters.answered));
    assert!(counters.answered >= 3, "{}", counters.answered);
}

#[test]
fn a_connection_that_is_lost_takes_its_keys_with_it() {
    let server = server(|mut socket| {
        for _ in 0..3 {
            let _ = socket.read();
        }
    });
    let mut plan = plan();
    let (matching, message) = by_id();
    (plan.matching, plan.message) = (matching, Some(message));
    plan.load = Load::Closed { in_flight: 3, think: None };
    plan.iterations = Some(3);
    let run = run(&plan, server);
    assert_eq!((run.counters.sent, run.counters.unanswered), (3, 3));
    assert!(run.failures().contains(&("unanswered", "connection ended".to_owned(), 3)), "{:?}", run.failures());
}

#[test]
fn messages_that_cannot_be_told_apart_are_refused_before_they_are_sent() {
    let mut plan = plan();
    plan.matching = Matching::Key { sent: KeySpec::Echo, received: KeySpec::Echo };
    let error = wsload_engine::check(&plan).unwrap_err();
    assert_eq!(error, "--match: its key is the same in every message; put {{$id}} where it stands");
    plan.matching = Matching::Key { sent: KeySpec::Json("$.id".into()), received: KeySpec::Echo };
    assert_eq!(wsload_engine::check(&plan).unwrap_err(), "--match: the message does not hold such a key");
    plan.message = Some(plan::Message { template: true, ..message(0) });
    plan.message.as_mut().unwrap().payload = b"{{$idd}}".to_vec();
    assert!(wsload_engine::check(&plan).unwrap_err().contains("did you mean $id?"));
}

#[test]
fn pushes_are_measured_by_the_gaps_between_them() {
    let server = server(|mut socket| {
        let sent = AtomicU64::new(0);
        while sent.fetch_add(1, Ordering::SeqCst) < 5 && socket.send(Message::text("tick")).is_ok() {
            std::thread::sleep(Duration::from_millis(40));
        }
        while socket.read().is_ok() {}
    });
    let mut plan = plan();
    (plan.load, plan.message, plan.matching) = (Load::Idle, None, Matching::None);
    (plan.iterations, plan.duration_ns) = (None, Some(300 * MS));
    plan.interval_ns = 100 * MS;
    let run = run(&plan, server);
    let gaps = run.histogram(Metric::PushGap);
    assert_eq!((run.counters.pushes, gaps.count()), (5, 4));
    assert!((30 * MS..200 * MS).contains(&gaps.value_at_quantile(0.5)), "{}", gaps.value_at_quantile(0.5));
    let silence = run.intervals.iter().map(|interval| interval.gauges.silence_ns).max().unwrap();
    assert!(silence > 50 * MS, "{silence}");
}

#[test]
fn what_a_publisher_sends_is_looked_for_at_every_subscriber() {
    // All connections in one room; every tenth delivery to the last of them is lost, every fifth comes twice.
    let room: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let server = {
        let room = Arc::clone(&room);
        server(move |mut socket| {
            room.lock().unwrap().push(socket.get_ref().try_clone().unwrap());
            let mut count = 0;
            while let Ok(message) = socket.read() {
                if !message.is_text() {
                    continue;
                }
                count += 1;
                let mut frame = vec![0x81, message.len() as u8];
                frame.extend(message.into_data());
                let room = room.lock().unwrap();
                for (number, client) in room.iter().enumerate() {
                    let last = number + 1 == room.len();
                    let times = if last && count % 10 == 0 { 0 } else { 1 + usize::from(last && count % 5 == 0) };
                    for _ in 0..times {
                        let _ = (&*client).write_all(&frame);
                    }
                }
            }
        })
    };
    let mut plan = plan();
    let (matching, message) = by_id();
    (plan.matching, plan.message) = (matching, Some(message));
    plan.connections = 8;
    plan.publishers = Some(1);
    plan.load = open_load(100.0);
    plan.iterations = Some(50);
    plan.reply_timeout_ns = 400 * MS;
    let run = run(&plan, server);
    let counters = &run.counters;
    assert_eq!((counters.due, counters.sent), (50, 50));
    assert_eq!((counters.fan_out_expected, counters.fan_out_delivered), (400, 395));
    assert_eq!((counters.answered, counters.unanswered), (45, 5));
    assert_eq!((counters.duplicates, counters.fan_out_reordered, counters.pushes), (5, 0, 0));
    assert_eq!(run.histogram(Metric::FanOutEach).count(), 395);
    assert_eq!((run.histogram(Metric::FanOutFirst).count(), run.histogram(Metric::FanOutLast).count()), (50, 45));
    assert!(run.histogram(Metric::FanOutFirst).max() <= run.histogram(Metric::FanOutEach).max());
}
