//! Whole runs of one shard against servers of another make (`tungstenite`), over real sockets.

mod support;

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use support::*;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use wsload_core::interval::Metric;
use wsload_core::plan::{Load, Matching};
use wsload_engine::Phase;

#[test]
fn a_closed_loop_sends_its_share_and_every_reply_is_counted() {
    let (server, count) = echo_server();
    let mut plan = plan();
    plan.connections = 7;
    plan.load = Load::Closed { in_flight: 3, think: None };
    plan.iterations = Some(1_000);
    let run = run(&plan, server);
    let counters = &run.counters;
    assert_eq!((counters.connects_opened, counters.connects_failed, counters.connections_lost), (7, 0, 0));
    assert_eq!((counters.due, counters.sent, counters.answered, counters.unanswered), (1_000, 1_000, 1_000, 0));
    assert_eq!(count.load(Ordering::SeqCst), 1_000);
    // 32 bytes: a two-byte header, four more for the mask towards the server.
    assert_eq!((counters.bytes_sent, counters.bytes_received), (38 * 1_000, 34 * 1_000 + 7 * 4));
    assert_eq!(run.failures(), []);
    assert_eq!(run.close_codes(), [(1000, 7)]);
    assert_eq!(counters.negative_latencies, 0);
    let responses: u64 = run
        .intervals
        .iter()
        .filter_map(|interval| interval.histograms.get(&(Metric::ResponseTime, "message".into())))
        .map(|histogram| histogram.count())
        .sum();
    assert_eq!(responses, 1_000);
}

#[test]
fn an_open_schedule_sends_exactly_what_is_due() {
    let (server, count) = echo_server();
    let mut plan = plan();
    plan.connections = 10;
    plan.load = open_load(2_000.0);
    plan.iterations = None;
    plan.duration_ns = Some(300 * MS);
    let run = run(&plan, server);
    assert_eq!((run.counters.due, run.counters.sent, run.counters.answered), (600, 600, 600));
    assert_eq!((run.counters.unsent, count.load(Ordering::SeqCst)), (0, 600));
}

#[test]
fn a_dense_schedule_reads_lazily_and_loses_no_reply() {
    let (server, _) = echo_server();
    let mut plan = plan();
    plan.connections = 40;
    plan.load = open_load(20_000.0);
    plan.iterations = None;
    plan.duration_ns = Some(200 * MS);
    let run = run(&plan, server);
    assert_eq!((run.counters.due, run.counters.sent, run.counters.answered), (4_000, 4_000, 4_000));
    assert_eq!(run.counters.unanswered, 0);
}

#[test]
fn warm_up_messages_are_counted_apart_to_the_last_reply() {
    let (server, count) = echo_server();
    let mut plan = plan();
    plan.connections = 2;
    plan.load = open_load(1_000.0);
    plan.iterations = None;
    plan.duration_ns = Some(200 * MS);
    plan.warmup_ns = 100 * MS;
    plan.interval_ns = 50 * MS;
    let run = run(&plan, server);
    let sum = |warmup| -> (u64, u64) {
        let chosen = run.intervals.iter().filter(|interval| interval.warmup == warmup);
        chosen.fold((0, 0), |(sent, answered), interval| {
            (sent + interval.counters.sent, answered + interval.counters.answered)
        })
    };
    assert_eq!(sum(true), (100, 100));
    assert_eq!(sum(false), (200, 200));
    assert_eq!(count.load(Ordering::SeqCst), 300);
}

#[test]
fn a_server_that_is_not_there_ends_the_run_at_once() {
    let mut plan = plan();
    plan.connections = 3;
    let run = run(&plan, nobody());
    assert_eq!((run.counters.connects_started, run.counters.connects_failed), (3, 3));
    assert_eq!(run.failures(), [("refused", String::new(), 3)]);
    assert_eq!(run.counters.sent, 0);
}

#[test]
fn a_refused_slot_tries_again_as_often_as_asked() {
    let mut plan = plan();
    plan.reconnect.attempts = 2;
    let run = run(&plan, nobody());
    assert_eq!((run.counters.connects_started, run.counters.connects_failed), (3, 3));
}

#[test]
fn a_reply_that_never_comes_is_unanswered_and_the_connection_replaced() {
    // Swallows the third message of each connection.
    let server = server(|mut socket| {
        echo(&mut socket, &AtomicU64::new(0), 2);
        while socket.read().is_ok() {}
    });
    let mut plan = plan();
    plan.iterations = Some(4);
    plan.reply_timeout_ns = 60 * MS;
    let run = run(&plan, server);
    let counters = &run.counters;
    assert_eq!((counters.sent, counters.answered, counters.unanswered), (4, 3, 1));
    assert_eq!((counters.matching_lost, counters.reconnects, counters.connects_opened), (1, 1, 2));
    assert_eq!(run.failures(), [("unanswered", "reply time-out".to_owned(), 1)]);
}

#[test]
fn an_unexpected_close_is_named_by_its_code_and_the_rest_is_not_sent() {
    let server = server(|mut socket| {
        echo(&mut socket, &AtomicU64::new(0), 5);
        let reason = CloseFrame { code: CloseCode::Away, reason: "going down".into() };
        let _ = socket.close(Some(reason));
        while socket.read().is_ok() {}
    });
    let mut plan = plan();
    plan.load = open_load(100.0);
    plan.iterations = None;
    plan.duration_ns = Some(200 * MS);
    let run = run(&plan, server);
    assert_eq!(run.counters.connections_lost, 1);
    assert_eq!(run.close_codes(), [(1001, 1)]);
    assert!(run.failures().contains(&("unexpected_close", "1001".to_owned(), 1)), "{:?}", run.failures());
    assert!(run.counters.sent >= 5 && run.counters.answered == 5);
}

#[test]
fn a_lost_connection_is_reopened_and_its_backlog_sent_late_but_sent() {
    let server = server(|mut socket| {
        echo(&mut socket, &AtomicU64::new(0), 5);
    });
    let mut plan = plan();
    plan.load = open_load(100.0);
    plan.iterations = Some(60);
    plan.reconnect.attempts = 3;
    let run = run(&plan, server);
    let counters = &run.counters;
    assert_eq!((counters.due, counters.sent + counters.unsent), (60, 60));
    assert_eq!(counters.answered + counters.unanswered, counters.sent);
    assert!(counters.reconnects >= 3 && counters.connections_lost >= 3);
    // A slot is reopened up to 100 ms after its loss, eleven times in all: what came due meanwhile counts from then. The wait
    // for a connection is no lag of the generator.
    assert!(run.histogram(Metric::ResponseTime).max() >= 30 * MS);
    assert!(run.histogram(Metric::SendLag).value_at_quantile(0.9) < 30 * MS);
}

#[test]
fn a_rejected_upgrade_says_what_the_server_answered() {
    let server = raw_server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy");
    });
    let run = run(&plan(), server);
    assert_eq!(run.failures(), [("upgrade_rejected", "503 Service Unavailable \"busy\"".to_owned(), 1)]);
    assert!(run.failures_example().contains("503"), "{}", run.failures_example());
}

#[test]
fn a_server_that_never_answers_the_upgrade_runs_into_the_connect_time_out() {
    let server = raw_server(|mut stream| while stream.read(&mut [0; 64]).is_ok_and(|len| len > 0) {});
    let mut plan = plan();
    plan.connect_timeout_ns = 50 * MS;
    let run = run(&plan, server);
    assert_eq!(run.failures(), [("connect_timeout", "upgrade".to_owned(), 1)]);
}

#[test]
fn a_masked_frame_from_the_server_fails_the_connection() {
    let server = server(|mut socket| {
        let _ = socket.read();
        let _ = socket.get_mut().write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x']);
        while socket.read().is_ok() {}
    });
    let run = run(&plan(), server);
    assert_eq!(run.failures()[0].0, "protocol_error");
    assert_eq!((run.counters.sent, run.counters.unanswered), (1, 1));
}

#[test]
fn pushes_are_counted_and_pings_answered() {
    let server = server(|mut socket| {
        for _ in 0..3 {
            let _ = socket.send(Message::text("news"));
        }
        let _ = socket.send(Message::Ping("are you there".into()));
        let mut pongs = 0;
        while let Ok(message) = socket.read() {
            if message == Message::Pong("are you there".into()) {
                pongs += 1;
                let _ = socket.send(Message::text(format!("{pongs} pong")));
            }
        }
    });
    let mut plan = plan();
    (plan.load, plan.message) = (Load::Idle, None);
    (plan.iterations, plan.duration_ns) = (None, Some(150 * MS));
    let run = run(&plan, server);
    assert_eq!((run.counters.pushes, run.counters.received, run.counters.pings_received), (4, 4, 1));
    assert_eq!(run.counters.sent, 0);
}

#[test]
fn without_matching_sends_await_nothing_and_echoes_are_pushes() {
    let (server, _) = echo_server();
    let mut plan = plan();
    plan.load = open_load(200.0);
    plan.matching = Matching::None;
    plan.iterations = None;
    plan.duration_ns = Some(250 * MS);
    let run = run(&plan, server);
    assert_eq!((run.counters.sent, run.counters.answered, run.counters.unanswered), (50, 0, 0));
    assert!(run.counters.pushes >= 45, "{}", run.counters.pushes);
}

#[test]
fn the_first_message_goes_out_once_per_connection() {
    let (server, count) = echo_server();
    let mut plan = plan();
    plan.connections = 4;
    plan.first_message = Some(message(5));
    (plan.load, plan.message) = (Load::Idle, None);
    (plan.iterations, plan.duration_ns) = (None, Some(100 * MS));
    let run = run(&plan, server);
    assert_eq!((count.load(Ordering::SeqCst), run.counters.sent, run.counters.pushes), (4, 0, 4));
}

#[test]
fn a_message_larger_than_the_socket_takes_goes_out_in_parts() {
    // Nobody reads at first: what the buffers on the way cannot hold has to wait.
    let server = server(|mut socket| {
        std::thread::sleep(std::time::Duration::from_millis(150));
        echo(&mut socket, &AtomicU64::new(0), u64::MAX);
    });
    let mut plan = plan();
    plan.message = Some(message(16 << 20));
    plan.max_message_bytes = 32 << 20;
    plan.iterations = Some(3);
    let run = run(&plan, server);
    assert_eq!(run.counters.answered, 3);
    assert!(run.counters.back_pressure >= 1);
    assert_eq!(run.counters.bytes_sent, 3 * ((16 << 20) + 14));
}

#[test]
fn a_message_above_the_limit_fails_the_connection() {
    let (server, _) = echo_server();
    let mut plan = plan();
    plan.message = Some(message(2_000));
    plan.max_message_bytes = 1_000;
    let run = run(&plan, server);
    assert_eq!(run.failures()[0].0, "message_too_big");
}

#[test]
fn a_connect_rate_spaces_the_attempts() {
    let (server, _) = echo_server();
    let mut plan = plan();
    plan.connections = 20;
    plan.connect_rate_per_s = Some(200.0);
    (plan.load, plan.message) = (Load::Idle, None);
    (plan.iterations, plan.duration_ns) = (None, Some(10 * MS));
    let mut ready_ns = 0;
    let start_ns = wsload_engine::os::monotonic_ns();
    run_with(&plan, server, |shard| {
        if shard.phase() == Phase::Ready && ready_ns == 0 {
            ready_ns = wsload_engine::os::monotonic_ns();
        }
    });
    // The twentieth attempt starts 19 gaps of 5 ms after the first.
    assert!(ready_ns - start_ns >= 95 * MS, "{} ms", (ready_ns - start_ns) / MS);
}

#[test]
fn a_stop_in_the_middle_awaits_replies_and_closes() {
    let (server, _) = echo_server();
    let mut plan = plan();
    plan.connections = 5;
    (plan.iterations, plan.duration_ns) = (None, Some(60_000 * MS));
    let mut polls = 0;
    let run = run_with(&plan, server, |shard| {
        polls += 1;
        if polls == 200 {
            shard.stop();
        }
    });
    assert_eq!(run.counters.sent, run.counters.answered);
    assert_eq!((run.counters.unanswered, run.close_codes()), (0, vec![(1000, 5)]));
}

#[test]
fn an_abort_hands_up_what_was_measured() {
    let (server, _) = echo_server();
    let mut plan = plan();
    (plan.iterations, plan.duration_ns) = (None, Some(60_000 * MS));
    let mut polls = 0;
    let run = run_with(&plan, server, |shard| {
        polls += 1;
        if polls == 200 {
            shard.abort();
        }
    });
    assert!(run.counters.answered > 0);
    assert_eq!(run.counters.sent, run.counters.answered + run.counters.unanswered);
}

#[test]
fn every_address_gets_its_share_from_every_source() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let servers = [1, 2].map(|number| {
        let noted = std::sync::Arc::clone(&seen);
        server(move |mut socket| {
            let source = socket.get_ref().peer_addr().unwrap().ip().to_string();
            noted.lock().unwrap().push((number, source));
            while socket.read().is_ok() {}
        })
    });
    let mut plan = plan();
    (plan.connections, plan.every_address) = (8, true);
    plan.source_ips = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    (plan.load, plan.message) = (Load::Idle, None);
    (plan.iterations, plan.duration_ns) = (None, Some(50 * MS));
    run_at(&plan, &servers, |_| {});
    let seen = seen.lock().unwrap();
    for pair in [(1, "127.0.0.2"), (1, "127.0.0.3"), (2, "127.0.0.2"), (2, "127.0.0.3")] {
        assert_eq!(seen.iter().filter(|(number, source)| (*number, source.as_str()) == pair).count(), 2, "{pair:?}");
    }
}

#[test]
fn one_of_every_address_that_refuses_is_not_hidden_by_the_others() {
    let (server, _) = echo_server();
    let mut plan = plan();
    (plan.connections, plan.every_address) = (4, true);
    let run = run_at(&plan, &[server, nobody()], |_| {});
    assert_eq!((run.counters.connects_opened, run.counters.connects_failed), (2, 2));
    assert_eq!(run.failures(), [("refused", String::new(), 2)]);
    plan.every_address = false;
    let run = run_at(&plan, &[nobody(), server], |_| {});
    assert_eq!((run.counters.connects_opened, run.counters.connects_failed), (4, 0));
}

#[test]
fn source_addresses_are_taken_in_turn() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    let server = server(move |mut socket| {
        noted.lock().unwrap().push(socket.get_ref().peer_addr().unwrap().ip().to_string());
        while socket.read().is_ok() {}
    });
    let mut plan = plan();
    plan.connections = 4;
    plan.source_ips = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    (plan.load, plan.message) = (Load::Idle, None);
    (plan.iterations, plan.duration_ns) = (None, Some(50 * MS));
    run(&plan, server);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]);
}
