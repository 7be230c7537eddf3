//! What the engine's tests share: a plan to vary, a loop made of poll(2), servers built on `tungstenite`.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tungstenite::{Message, WebSocket};
use wsload_core::histogram::MergedHistogram;
use wsload_core::interval::{Interval, Metric};
use wsload_core::plan::{self, Arrivals, Load, Matching, MessageKind, Plan};
use wsload_core::reconnect::{Pause, Reconnect};
use wsload_core::tally::Counters;
use wsload_engine::os::monotonic_ns;
use wsload_engine::{Phase, Shard};

pub const MS: u64 = 1_000_000;

/// One connection, closed loop, ten messages of 32 bytes.
pub fn plan() -> Plan {
    Plan {
        schema_version: plan::SCHEMA_VERSION,
        target: plan::Target {
            host: "127.0.0.1".into(),
            port: 1,
            resource: "/".into(),
            host_header: "127.0.0.1".into(),
        },
        dials: vec![plan::Dial { host: "127.0.0.1".into(), port: 1 }],
        every_address: false,
        proxy: None,
        tls: None,
        handshake: plan::Handshake::default(),
        connections: 1,
        connect_rate_per_s: None,
        connect_timeout_ns: 5_000 * MS,
        reply_timeout_ns: 5_000 * MS,
        source_ips: Vec::new(),
        connection_lifetime_ns: None,
        reconnect: Reconnect { attempts: 0, pause: Pause::Backoff { first_ns: 100 * MS, longest_ns: 400 * MS } },
        load: Load::Closed { in_flight: 1, think: None },
        message: Some(message(32)),
        first_message: None,
        matching: Matching::Order,
        program: None,
        publishers: None,
        duration_ns: None,
        iterations: Some(10),
        warmup_ns: 0,
        interval_ns: 1_000 * MS,
        grain_ns: 250_000,
        seed: 1,
        max_frame_bytes: 64 << 20,
        max_message_bytes: 1 << 20,
        fragment_bytes: None,
        ping: None,
        close: plan::Close { code: 1000, reason: String::new() },
        max_opening: None,
        record: None,
        redact: Vec::new(),
    }
}

pub fn open_load(rate_per_s: f64) -> Load {
    Load::Open { rate_per_s, stages: Vec::new(), arrivals: Arrivals::Constant }
}

pub fn message(len: usize) -> plan::Message {
    plan::Message { name: "message".into(), kind: MessageKind::Text, payload: vec![b'x'; len], template: false }
}

/// What a finished run handed up, merged over its intervals.
pub struct Run {
    pub counters: Counters,
    pub intervals: Vec<Interval>,
}

impl Run {
    pub fn failures(&self) -> Vec<(&'static str, String, u64)> {
        let all = self.intervals.iter().flat_map(|interval| interval.failures.records());
        all.map(|failure| (failure.kind.name(), failure.detail.clone(), failure.count)).collect()
    }

    pub fn failures_example(&self) -> &str {
        self.intervals
            .iter()
            .find_map(|interval| Some(&*interval.failures.records().first()?.example))
            .unwrap_or_default()
    }

    /// All values of a metric.
    pub fn histogram(&self, metric: Metric) -> MergedHistogram {
        let mut all = MergedHistogram::default();
        for interval in &self.intervals {
            for ((found, _), histogram) in &interval.histograms {
                if *found == metric {
                    all.add(histogram);
                }
            }
        }
        all
    }

    pub fn close_codes(&self) -> Vec<(u16, u64)> {
        self.intervals.iter().flat_map(|interval| interval.close_codes.clone()).collect()
    }
}

/// Runs a shard to its end; the epoch is the instant at which it is ready.
pub fn run(plan: &Plan, server: SocketAddr) -> Run {
    run_with(plan, server, |_| {})
}

/// The same, with a look at the shard after every poll.
pub fn run_with(plan: &Plan, server: SocketAddr, each: impl FnMut(&mut Shard)) -> Run {
    run_at(plan, &[server], each)
}

/// The same with a target of several addresses.
pub fn run_at(plan: &Plan, servers: &[SocketAddr], mut each: impl FnMut(&mut Shard)) -> Run {
    plan.validate().unwrap();
    let mut shard = Shard::new(plan, 0, 1).unwrap();
    shard.connect(servers, monotonic_ns());
    let give_up_ns = monotonic_ns() + 20_000 * MS;
    let mut blocks = Vec::new();
    while shard.phase() != Phase::Done {
        assert!(monotonic_ns() < give_up_ns, "not done within 20 s, {:?}", shard.phase());
        wait_readable(&shard);
        shard.poll(2 * MS);
        if shard.phase() == Phase::Ready {
            shard.go(monotonic_ns());
        }
        each(&mut shard);
        while let Some(snapshot) = shard.take() {
            blocks.push(snapshot.encode());
        }
    }
    let intervals: Vec<Interval> = blocks.iter().map(|block| Interval::decode(block).unwrap()).collect();
    let mut counters = Counters::default();
    intervals.iter().for_each(|interval| counters.merge(&interval.counters));
    Run { counters, intervals }
}

fn wait_readable(shard: &Shard) {
    let mut descriptor = libc::pollfd { fd: shard.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd. A shard always has a timer set, so a lost wake-up shows as a time-out.
    assert_eq!(unsafe { libc::poll(&mut descriptor, 1, 10_000) }, 1, "a wake-up was lost: {:?}", shard.phase());
}

/// A server on a port of its own; `serve` gets each accepted, upgraded connection on a thread of its own.
pub fn server(serve: impl Fn(WebSocket<TcpStream>) + Send + Sync + 'static) -> SocketAddr {
    raw_server(move |stream| {
        if let Ok(socket) = tungstenite::accept(stream) {
            serve(socket);
        }
    })
}

/// The same without the handshake.
pub fn raw_server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Echoes every data message and counts them.
pub fn echo_server() -> (SocketAddr, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let address = server(move |mut socket| echo(&mut socket, &counted, u64::MAX));
    (address, count)
}

/// Echoes up to `limit` data messages of one connection.
pub fn echo(socket: &mut WebSocket<TcpStream>, count: &AtomicU64, limit: u64) {
    let mut left = limit;
    while left > 0 {
        match socket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                count.fetch_add(1, Ordering::SeqCst);
                left -= 1;
                if socket.send(message).is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// An address that refuses connections.
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
