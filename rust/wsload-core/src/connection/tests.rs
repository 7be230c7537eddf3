//! Two ends and no link: what a server's bytes make a connection say and send.

use proptest::prelude::*;

use super::*;
use crate::error::HandshakeFault;
use crate::plan::{Handshake, Target};

const NONCE: [u8; 16] = *b"the sample nonce";
const ACCEPT: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What was heard, in a form that outlives the buffers.
#[derive(Debug, Clone, PartialEq)]
enum Heard {
    Opened,
    Message(Opcode, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(Failure),
}

/// A frame that the client sent, unmasked.
type Frame = (Opcode, Vec<u8>);

struct Client {
    connection: Connection,
    config: Config,
    masks: MaskKeys,
    out: Vec<u8>,
}

impl Client {
    fn opening() -> Self {
        let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
        let handshake = Handshake { headers: Vec::new(), subprotocols: Vec::new(), origin: None };
        let config = Config {
            request: Request::new(&target, &handshake),
            limits: Limits { frame_bytes: 100_000, message_bytes: 100_000 },
        };
        let mut client =
            Self { connection: Connection::new(), config, masks: MaskKeys::from_seed([7; 32]), out: Vec::new() };
        client.with(|connection, cx| connection.open(NONCE, cx));
        client.out.clear();
        client
    }

    fn open() -> Self {
        let mut client = Self::opening();
        assert_eq!(client.hear(ACCEPT), [Heard::Opened]);
        client
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Connection, &mut Context<'_>) -> T) -> T {
        let mut cx = Context { config: &self.config, masks: &mut self.masks, out: &mut self.out };
        act(&mut self.connection, &mut cx)
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut cx = Context { config: &self.config, masks: &mut self.masks, out: &mut self.out };
        let mut input = bytes;
        let mut heard = Vec::new();
        loop {
            heard.push(match self.connection.receive(&mut input, &mut cx) {
                Ok(None) => {
                    assert!(input.is_empty(), "bytes left");
                    return heard;
                }
                Ok(Some(Event::Opened(_))) => Heard::Opened,
                Ok(Some(Event::Message { opcode, payload })) => Heard::Message(opcode, payload.to_vec()),
                Ok(Some(Event::Ping(payload))) => Heard::Ping(payload.to_vec()),
                Ok(Some(Event::Pong(payload))) => Heard::Pong(payload.to_vec()),
                Ok(Some(Event::Close { code, reason })) => Heard::Close(code, reason.to_owned()),
                Err(failure) => {
                    heard.push(Heard::Failed(failure));
                    return heard;
                }
            });
        }
    }

    /// The frames sent so far, unmasked; each must have had a mask.
    fn sent(&mut self) -> Vec<Frame> {
        let mut rest = &std::mem::take(&mut self.out)[..];
        let mut frames = Vec::new();
        while let Some((header, len)) = crate::frame::header::Header::parse(rest).unwrap() {
            let (payload, after) = rest[len..].split_at(header.payload_len as usize);
            let mut payload = payload.to_vec();
            crate::frame::mask::mask_in_place(header.mask.expect("a client masks"), &mut payload);
            frames.push((header.opcode, payload));
            rest = after;
        }
        frames
    }
}

/// Hears a stream whole and in pieces, and checks that both say, send and end the same.
fn hear_in_any_pieces(stream: &[u8]) -> (Vec<Heard>, Vec<Frame>, State) {
    let mut whole = Client::open();
    let heard = whole.hear(stream);
    let (sent, state) = (whole.sent(), whole.connection.state());
    for size in [1, 2, 3, 5] {
        let mut pieces = Client::open();
        let mut said = Vec::new();
        for piece in stream.chunks(size) {
            said.extend(pieces.hear(piece));
        }
        assert_eq!((said, pieces.sent(), pieces.connection.state()), (heard.clone(), sent.clone(), state));
    }
    (heard, sent, state)
}

#[test]
fn section_4_1_bytes_after_the_response_are_frames() {
    let mut client = Client::opening();
    let stream = [ACCEPT, &[0x81, 2, b'h', b'i']].concat();
    assert_eq!(client.hear(&stream), [Heard::Opened, Heard::Message(Opcode::Text, b"hi".to_vec())]);
    for cut in 1..stream.len() {
        let mut client = Client::opening();
        let mut heard = client.hear(&stream[..cut]);
        heard.extend(client.hear(&stream[cut..]));
        assert_eq!(heard.len(), 2, "cut at {cut}");
    }
}

#[test]
fn section_4_1_nothing_is_sent_before_the_response_is_judged() {
    let mut client = Client::opening();
    assert_eq!(client.with(|connection, cx| connection.send(Opcode::Text, b"x", cx)), Err(NotOpen));
    assert_eq!(client.with(|connection, cx| connection.close(1000, "", cx)), Err(NotOpen));
    assert!(client.out.is_empty());
}

#[test]
fn section_4_1_a_response_that_is_not_accepted_fails_without_a_close() {
    let mut client = Client::opening();
    let wrong = String::from_utf8_lossy(ACCEPT).replace("s3pP", "XXXX");
    let fault = Failure::BadAccept(HandshakeFault::AcceptWrong);
    assert_eq!(client.hear(wrong.as_bytes()), [Heard::Failed(fault)]);
    assert_eq!((client.connection.state(), client.out.len()), (State::Failed, 0));
}

#[test]
fn section_5_5_2_each_ping_is_answered_with_its_payload_between_fragments_too() {
    let stream = [0x01, 2, b'a', b'b', 0x89, 3, b'1', b'2', b'3', 0x80, 1, b'c', 0x89, 0];
    let (heard, sent, _) = hear_in_any_pieces(&stream);
    let abc = Heard::Message(Opcode::Text, b"abc".to_vec());
    assert_eq!(heard, [Heard::Ping(b"123".to_vec()), abc, Heard::Ping(Vec::new())]);
    assert_eq!(sent, [(Opcode::Pong, b"123".to_vec()), (Opcode::Pong, Vec::new())]);
}

#[test]
fn section_5_5_3_a_pong_nobody_asked_for_is_no_fault() {
    assert_eq!(hear_in_any_pieces(&[0x8a, 1, b'x']), (vec![Heard::Pong(b"x".to_vec())], Vec::new(), State::Open));
}

#[test]
fn section_5_5_1_a_close_is_answered_once_with_its_code_and_the_rest_ignored() {
    let stream = [0x88, 5, 0x03, 0xe9, b'b', b'y', b'e', 0x81, 1, b'x', 0x89, 0];
    let (heard, sent, state) = hear_in_any_pieces(&stream);
    assert_eq!(heard, [Heard::Close(Some(1001), "bye".into())]);
    assert_eq!((sent, state), (vec![(Opcode::Close, vec![0x03, 0xe9])], State::Closed));
}

#[test]
fn section_7_1_5_the_code_to_report() {
    let mut client = Client::open();
    assert_eq!(client.connection.reported_close_code(), 1006);
    assert_eq!(client.hear(&[0x88, 0]), [Heard::Close(None, String::new())]);
    assert_eq!((client.connection.reported_close_code(), client.sent()), (1005, vec![(Opcode::Close, Vec::new())]));
    let mut client = Client::open();
    client.hear(&[0x88, 2, 0x0f, 0xa0]);
    assert_eq!(client.connection.reported_close_code(), 4000);
}

#[test]
fn section_5_5_1_nothing_follows_our_close_but_data_may_still_arrive() {
    let mut client = Client::open();
    assert_eq!(client.with(|connection, cx| connection.close(1000, "done", cx)), Ok(()));
    assert_eq!(client.with(|connection, cx| connection.send(Opcode::Text, b"x", cx)), Err(NotOpen));
    assert_eq!(client.with(|connection, cx| connection.close(1000, "", cx)), Err(NotOpen));
    let stream = [0x81, 1, b'y', 0x89, 0, 0x88, 2, 0x03, 0xe8];
    let heard = client.hear(&stream);
    assert_eq!(heard[0], Heard::Message(Opcode::Text, b"y".to_vec()));
    assert_eq!(heard[2], Heard::Close(Some(1000), String::new()));
    assert_eq!(client.sent(), [(Opcode::Close, [&[0x03, 0xe8][..], b"done"].concat())]);
    assert_eq!(client.connection.state(), State::Closed);
}

#[test]
fn section_7_1_7_a_fault_is_told_by_its_code_and_ends_the_reading() {
    for (stream, code) in [
        (&[0xc1, 1, b'x'][..], 1002),
        (&[0x83, 0], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, b'x'], 1002),
        (&[0x80, 0], 1002),
        (&[0x09, 0], 1002),
        (&[0x88, 1, 3], 1002),
        (&[0x88, 2, 0x03, 0xed], 1002),
        (&[0x88, 2, 0x07, 0xd0], 1002),
        (&[0x88, 3, 0x03, 0xe8, 0xff], 1007),
        (&[0x81, 1, 0xff], 1007),
        (&[0x01, 1, 0xff], 1007),
        (&[0x82, 127, 0, 0, 0, 0, 0, 2, 0, 0], 1009),
        (&[0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0], 1009),
    ] {
        let (heard, sent, state) = hear_in_any_pieces(stream);
        assert!(matches!(heard[..], [Heard::Failed(_)]), "{stream:x?}: {heard:?}");
        assert_eq!((sent, state), (vec![(Opcode::Close, u16::to_be_bytes(code).to_vec())], State::Failed));
    }
}

#[test]
fn section_5_5_1_a_long_reason_is_cut_at_a_character() {
    let mut client = Client::open();
    let _ = client.with(|connection, cx| connection.close(1000, &"é".repeat(100), cx));
    let [(Opcode::Close, body)] = &client.sent()[..] else { panic!() };
    assert_eq!(std::str::from_utf8(&body[2..]).unwrap(), "é".repeat(61));
}

#[test]
fn a_connection_owns_memory_only_while_something_is_incomplete() {
    assert!(std::mem::size_of::<Connection>() <= 16);
    let mut client = Client::open();
    assert!(client.connection.partial.is_none());
    client.hear(&[0x81, 3, b'a']);
    assert!(client.connection.partial.is_some());
    client.hear(b"bc");
    assert!(client.connection.partial.is_none());
}

fn server_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = proptest::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..140);
    let first = prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x88, 0x91, 0x83]);
    (first, payload).prop_map(|(first, payload)| {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..126 => bytes.push(short as u8),
            long => bytes.extend([126, 0, long as u8]),
        }
        bytes.extend(payload);
        bytes
    })
}

proptest! {
    #[test]
    fn what_is_heard_does_not_depend_on_where_the_stream_is_cut(
        frames in proptest::collection::vec(server_frame(), 0..6),
    ) {
        hear_in_any_pieces(&frames.concat());
    }

    #[test]
    fn any_bytes_are_heard_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        hear_in_any_pieces(&bytes);
        Client::opening().hear(&bytes);
    }

    /// An implementation that is not ours says what we hear.
    #[test]
    fn tungstenite_is_understood(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5)) {
        use tungstenite::protocol::{Message, Role, WebSocket};
        let mut server = WebSocket::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Server, None);
        for message in &messages {
            server.send(Message::binary(message.clone())).unwrap();
        }
        let wire = server.get_ref().get_ref().clone();
        let expected: Vec<Heard> = messages.into_iter().map(|message| Heard::Message(Opcode::Binary, message)).collect();
        prop_assert_eq!(hear_in_any_pieces(&wire).0, expected);
    }
}
