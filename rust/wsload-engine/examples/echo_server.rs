//! A bare echo server for benchmarks: one thread, one level-triggered epoll set, one read and one write per wake-up.
//!
//! `echo_server [PORT]` prints `listening on ws://127.0.0.1:PORT/` and serves until standard input ends; then it prints
//! how many messages it has echoed. For each line of standard input it prints that number and the connections that are
//! open, so that whoever measures a client need not believe the client. It speaks just enough RFC 6455 for a client that sends whole, unfragmented data
//! frames and a Close; it is no server for anything else.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use base64::Engine as _;
use sha1::{Digest as _, Sha1};
use wsload_engine::os::{Epoll, Interest, Ready};

const LISTENER: u64 = u64::MAX;
const INPUT: u64 = u64::MAX - 1;

struct Client {
    stream: TcpStream,
    upgraded: bool,
    /// Bytes of a request or frame that is not complete.
    rest: Vec<u8>,
    /// Bytes the kernel has not taken.
    tail: Vec<u8>,
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).map_or(0, |port| port.parse().expect("a port"));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    raise_limits(&listener);
    listener.set_nonblocking(true)?;
    let set = Epoll::new()?;
    set.add(listener.as_raw_fd(), Interest::Read, LISTENER)?;
    set.add(0, Interest::Read, INPUT)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    println!("{}", serve(&set, &listener)?);
    Ok(())
}

fn serve(set: &Epoll, listener: &TcpListener) -> io::Result<u64> {
    let mut clients: HashMap<u64, Client> = HashMap::new();
    let mut echoed = 0;
    let mut buffer = vec![0; 256 * 1024];
    let mut room = [Ready::EMPTY; 256];
    let mut out = Vec::new();
    loop {
        for event in set.wait(&mut room, -1) {
            match event.token() {
                LISTENER => accept(set, listener, &mut clients)?,
                INPUT => {
                    if io::stdin().read(&mut [0; 64])? == 0 {
                        return Ok(echoed);
                    }
                    println!("{echoed} {}", clients.values().filter(|client| client.upgraded).count());
                }
                token => {
                    let Some(client) = clients.get_mut(&token) else { continue };
                    let waited = !client.tail.is_empty();
                    match client.turn(&mut buffer, &mut out) {
                        Ok(count) => echoed += count,
                        Err(_) => {
                            clients.remove(&token);
                            continue;
                        }
                    }
                    let waits = !client.tail.is_empty();
                    if waits != waited {
                        let interest = if waits { Interest::ReadWrite } else { Interest::Read };
                        set.modify(client.stream.as_raw_fd(), interest, token)?;
                    }
                }
            }
        }
    }
}

fn accept(set: &Epoll, listener: &TcpListener, clients: &mut HashMap<u64, Client>) -> io::Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let token = stream.as_raw_fd() as u64;
        set.add(stream.as_raw_fd(), Interest::Read, token)?;
        clients.insert(token, Client { stream, upgraded: false, rest: Vec::new(), tail: Vec::new() });
    }
    Ok(())
}

impl Client {
    /// One write of what waits, or one read and one write of the answers; an error ends the connection.
    fn turn(&mut self, buffer: &mut [u8], out: &mut Vec<u8>) -> io::Result<u64> {
        out.clear();
        if !self.tail.is_empty() {
            out.append(&mut self.tail);
            return self.write(out).map(|()| 0);
        }
        let len = match self.stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        let (mut count, mut over) = (0, false);
        if self.rest.is_empty() && self.upgraded {
            let used = answer(&buffer[..len], out, &mut count, &mut over);
            self.rest.extend_from_slice(&buffer[used..len]);
        } else {
            let mut rest = std::mem::take(&mut self.rest);
            rest.extend_from_slice(&buffer[..len]);
            let used = if self.upgraded { answer(&rest, out, &mut count, &mut over) } else { self.upgrade(&rest, out) };
            rest.drain(..used);
            self.rest = rest;
        }
        self.write(out)?;
        if over { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(count) }
    }

    fn upgrade(&mut self, request: &[u8], out: &mut Vec<u8>) -> usize {
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { return 0 };
        let text = String::from_utf8_lossy(&request[..end]);
        let key = text.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
        });
        let digest = Sha1::digest(key.unwrap_or_default() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = base64::engine::general_purpose::STANDARD.encode(digest);
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
        write!(out, "{head}Sec-WebSocket-Accept: {accept}\r\n\r\n").expect("memory takes bytes");
        self.upgraded = true;
        end + 4
    }

    fn write(&mut self, out: &[u8]) -> io::Result<()> {
        let sent = match self.stream.write(out) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.tail.extend_from_slice(&out[sent..]);
        Ok(())
    }
}

/// Echoes the whole frames at the front of `bytes`, unmasked, and says how many bytes they were.
fn answer(bytes: &[u8], out: &mut Vec<u8>, count: &mut u64, over: &mut bool) -> usize {
    let mut used = 0;
    while !*over && bytes.len() - used >= 6 {
        let frame = &bytes[used..];
        let (len, head) = match frame[1] & 0x7f {
            126 => (usize::from(u16::from_be_bytes([frame[2], frame[3]])), 4),
            127 if frame.len() < 14 => break,
            127 => (u64::from_be_bytes(frame[2..10].try_into().expect("eight bytes")) as usize, 10),
            short => (usize::from(short), 2),
        };
        let Some((mask, payload)) = frame.get(head..head + 4 + len).and_then(|body| body.split_at_checked(4)) else {
            break;
        };
        out.extend_from_slice(&[frame[0], frame[1] & 0x7f]);
        out.extend_from_slice(&frame[2..head]);
        let start = out.len();
        out.extend_from_slice(payload);
        wsload_core::frame::mask::mask_in_place(mask.try_into().expect("four bytes"), &mut out[start..]);
        *over = frame[0] & 0x0f == 8;
        *count += u64::from(frame[0] & 0x08 == 0);
        used += head + 4 + len;
    }
    used
}

fn raise_limits(listener: &TcpListener) {
    // SAFETY: plain data and descriptors of our own; a longer backlog replaces the standard library's 128.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        libc::listen(listener.as_raw_fd(), 65_535);
    }
}
