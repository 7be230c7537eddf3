//! The floor: the least a client can do for a round trip. A closed loop over one epoll set with plain `recv` and
//! `send`, one frame encoded beforehand with a fixed mask, no clock per message, no histogram, no checks.
//!
//! With a rate it is the least an open loop can do: a timer at every tick, one `send` for each message due, then one
//! `recv` for each connection with a reply; replies wake nobody.
//!
//! `floor PORT CONNECTIONS IN_FLIGHT SECONDS BYTES [RATE GRAIN_NS]` prints one line of JSON: round trips, wake-ups, and
//! the CPU time used from the moment at which every connection is open.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use wsload_engine::os::{Epoll, Interest, Ready, Timer, cpu_time, monotonic_ns};

const BATCH: usize = 64;

fn main() {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let ([port, connections, in_flight, seconds, size] | [port, connections, in_flight, seconds, size, _, _]) =
        arguments[..]
    else {
        panic!("usage: floor PORT CONNECTIONS IN_FLIGHT SECONDS BYTES [RATE GRAIN_NS]");
    };
    raise_fd_limit();
    let target = SocketAddr::from(([127, 0, 0, 1], port as u16));
    let mut streams: Vec<TcpStream> = (0..connections).map(|_| open(target)).collect();
    let set = Epoll::new().expect("epoll");
    for (index, stream) in streams.iter().enumerate() {
        set.add(stream.as_raw_fd(), Interest::Read, index as u64).expect("epoll add");
    }
    let frame = frame(size as usize);
    let batch = frame.repeat(in_flight as usize);
    let before = cpu_time();
    let until_ns = monotonic_ns() + seconds * 1_000_000_000;
    let (round_trips, wake_ups) = match arguments[5..] {
        [rate, grain_ns] => run_open(&set, &mut streams, &frame, (rate, grain_ns), until_ns),
        _ => {
            for stream in &mut streams {
                stream.write_all(&batch).expect("send");
            }
            run(&set, &mut streams, &batch, frame.len(), until_ns)
        }
    };
    let after = cpu_time();
    println!(
        "{{\"round_trips\": {round_trips}, \"wake_ups\": {wake_ups}, \"cpu_user_ns\": {}, \"cpu_system_ns\": {}}}",
        after.user_ns - before.user_ns,
        after.system_ns - before.system_ns
    );
}

fn run(set: &Epoll, streams: &mut [TcpStream], batch: &[u8], frame_len: usize, until_ns: u64) -> (u64, u64) {
    // A reply has no mask.
    let reply_len = frame_len - 4;
    let mut pending = vec![0; streams.len()];
    let mut buffer = vec![0; 64 * 1024];
    let mut room = [Ready::EMPTY; BATCH];
    let (mut round_trips, mut wake_ups) = (0, 0);
    while monotonic_ns() < until_ns {
        wake_ups += 1;
        for event in set.wait(&mut room, 100) {
            let index = event.token() as usize;
            let len = streams[index].read(&mut buffer).expect("recv");
            assert!(len > 0, "the server closed");
            let bytes = pending[index] + len;
            let replies = bytes / reply_len;
            pending[index] = bytes % reply_len;
            if replies > 0 {
                round_trips += replies as u64;
                let sent = streams[index].write(&batch[..replies * frame_len]).expect("send");
                assert_eq!(sent, replies * frame_len, "a full socket buffer");
            }
        }
    }
    (round_trips, wake_ups)
}

fn run_open(
    set: &Epoll,
    streams: &mut [TcpStream],
    frame: &[u8],
    (rate, grain_ns): (u64, u64),
    until_ns: u64,
) -> (u64, u64) {
    let reply_len = frame.len() - 4;
    let ticks = Epoll::new().expect("epoll");
    let timer = Timer::new().expect("timer");
    ticks.add(timer.as_raw_fd(), Interest::Read, 0).expect("epoll add");
    let mut buffer = vec![0; 64 * 1024];
    let mut room = [Ready::EMPTY; BATCH];
    let (mut sent, mut received, mut wake_ups) = (0, 0, 0);
    let start_ns = monotonic_ns();
    let mut tick_ns = start_ns;
    while tick_ns < until_ns {
        tick_ns += grain_ns;
        timer.set(Some(tick_ns));
        ticks.wait(&mut room, 100);
        wake_ups += 1;
        let due = (tick_ns - start_ns) * rate / 1_000_000_000;
        while sent < due {
            let stream = &mut streams[sent as usize % streams.len()];
            assert_eq!(stream.write(frame).expect("send"), frame.len(), "a full socket buffer");
            sent += 1;
        }
        loop {
            let events = set.poll(&mut room);
            for event in events {
                received += streams[event.token() as usize].read(&mut buffer).expect("recv");
            }
            if events.len() < BATCH {
                break;
            }
        }
    }
    ((received / reply_len) as u64, wake_ups)
}

fn open(target: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(target).expect("connect");
    stream.set_nodelay(true).expect("nodelay");
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("request");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("response");
        head.extend(byte);
    }
    stream.set_nonblocking(true).expect("nonblocking");
    stream
}

fn frame(size: usize) -> Vec<u8> {
    assert!(size < 126, "the reply's length is worked out for short frames");
    let payload: Vec<u8> = (0..size).map(|index| b'a' + (index % 26) as u8).collect();
    let mut out = Vec::new();
    let opcode = wsload_core::frame::opcode::Opcode::Text;
    wsload_core::frame::encode_frame(opcode, true, [1, 2, 3, 4], &payload, &mut out);
    out
}

fn raise_fd_limit() {
    // SAFETY: plain data.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}
