//! Any bytes after the handshake: they say the same whole and in pieces; what we hear is what tungstenite hears.
#![no_main]

use std::io::{self, Read, Write};

use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::{Message, Role, WebSocket};
use wsload_core::connection::{Config, Connection, Context, Event};
use wsload_core::deflate::{Codecs, Offer};
use wsload_core::error::Failure;
use wsload_core::frame::header::Header;
use wsload_core::handshake::{Jar, Request};
use wsload_core::message::Limits;
use wsload_core::plan::{Compression, Handshake, Target};
use wsload_core::rng::MaskKeys;

const NONCE: [u8; 16] = *b"the sample nonce";
const ACCEPT: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

#[derive(Debug, PartialEq)]
enum Heard {
    Message(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(Failure),
}

fn heard(bytes: &[u8], size: usize, deflate: bool) -> (Vec<Heard>, Vec<u8>) {
    let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
    let compression = deflate.then(|| Compression { offer: Offer::default(), level: 6 });
    let config = Config {
        request: Request::new(&target, &Handshake { compression, ..Handshake::default() }),
        limits: Limits { frame_bytes: 100_000, message_bytes: 100_000 },
        fragment_bytes: None,
    };
    let (mut masks, mut codecs, mut out) = (MaskKeys::from_seed([7; 32]), Codecs::new(6), Vec::new());
    let mut context = Context { config: &config, masks: &mut masks, codecs: &mut codecs, out: &mut out };
    let mut connection = Connection::new();
    connection.open(NONCE, &Jar::default(), &mut context);
    context.out.clear();
    let extension: &[u8] = if deflate { b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" } else { b"\r\n" };
    let mut accept = &[ACCEPT, extension].concat()[..];
    assert!(matches!(connection.receive(&mut accept, &mut context), Ok(Some(Event::Opened(_)))));
    let mut said = Vec::new();
    'all: for mut input in bytes.chunks(size) {
        loop {
            said.push(match connection.receive(&mut input, &mut context) {
                Ok(None) => break,
                Ok(Some(Event::Opened(_))) => unreachable!("it is open"),
                Ok(Some(Event::Message { payload, .. })) => Heard::Message(payload.to_vec()),
                Ok(Some(Event::Ping(payload))) => Heard::Ping(payload.to_vec()),
                Ok(Some(Event::Pong(payload))) => Heard::Pong(payload.to_vec()),
                Ok(Some(Event::Close { code, reason })) => Heard::Close(code, reason.to_owned()),
                Err(failure) => {
                    said.push(Heard::Failed(failure));
                    break 'all;
                }
            });
        }
    }
    (said, out)
}

/// What a server says, and nowhere to answer.
struct Recorded<'b>(&'b [u8]);

impl Read for Recorded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Recorded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenite_heard(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut peer = WebSocket::from_raw_socket(Recorded(bytes), Role::Client, None);
    let mut messages = Vec::new();
    while let Ok(message) = peer.read() {
        match message {
            Message::Text(_) | Message::Binary(_) => messages.push(message.into_data().to_vec()),
            Message::Close(_) => break,
            _ => {}
        }
    }
    messages
}

fuzz_target!(|input: (bool, u8, Vec<u8>)| {
    let (deflate, size, bytes) = input;
    let whole = heard(&bytes, bytes.len().max(1), deflate);
    assert_eq!(heard(&bytes, usize::from(size).max(1), deflate), whole);
    // What we send are whole, masked frames.
    let mut rest = &whole.1[..];
    while !rest.is_empty() {
        let (header, len) = Header::parse(rest).unwrap().unwrap();
        assert!(header.mask.is_some());
        rest = &rest[len + header.payload_len as usize..];
    }
    if !deflate {
        let ours: Vec<_> = whole.0.iter().filter_map(|said| match said {
            Heard::Message(payload) => Some(payload.clone()),
            _ => None,
        }).collect();
        // It takes some of what we refuse, so it may hear more; never less, and nothing else.
        assert!(tungstenite_heard(&bytes).starts_with(&ours));
    }
});
