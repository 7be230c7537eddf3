//! Two ends and no link: what a server's bytes make a connection say and send.

use proptest::prelude::*;

use super::*;
use crate::deflate::Offer;
use crate::error::HandshakeFault;
use crate::plan::{Compression, Handshake, Target};

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
    codecs: Codecs,
    out: Vec<u8>,
}

impl Client {
    fn opening() -> Self {
        Self::opening_with(Handshake::default(), None)
    }

    /// A connection with permessage-deflate agreed on as `answer` says.
    fn compressing(answer: &str, fragment_bytes: Option<usize>) -> Self {
        let compression = Some(Compression { offer: Offer::default(), level: 6 });
        let mut client = Self::opening_with(Handshake { compression, ..Handshake::default() }, fragment_bytes);
        let extension = format!("\r\nSec-WebSocket-Extensions: {answer}\r\n\r\n");
        let accept = [&ACCEPT[..ACCEPT.len() - 4], extension.as_bytes()].concat();
        assert_eq!(client.hear(&accept), [Heard::Opened]);
        client
    }

    fn opening_with(handshake: Handshake, fragment_bytes: Option<usize>) -> Self {
        let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
        let config = Config {
            request: Request::new(&target, &handshake),
            limits: Limits { frame_bytes: 100_000, message_bytes: 100_000 },
            fragment_bytes,
        };
        let mut client = Self {
            connection: Connection::new(),
            config,
            masks: MaskKeys::from_seed([7; 32]),
            codecs: Codecs::new(6),
            out: Vec::new(),
        };
        client.with(|connection, cx| connection.open(NONCE, &Jar::default(), cx));
        client.out.clear();
        client
    }

    fn open() -> Self {
        let mut client = Self::opening();
        assert_eq!(client.hear(ACCEPT), [Heard::Opened]);
        client
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Connection, &mut Context<'_>) -> T) -> T {
        let mut cx =
            Context { config: &self.config, masks: &mut self.masks, codecs: &mut self.codecs, out: &mut self.out };
        act(&mut self.connection, &mut cx)
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut cx =
            Context { config: &self.config, masks: &mut self.masks, codecs: &mut self.codecs, out: &mut self.out };
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
    assert!(std::mem::size_of::<Connection>() <= 24);
    let mut client = Client::open();
    assert!(client.connection.partial.is_none());
    client.hear(&[0x81, 3, b'a']);
    assert!(client.connection.partial.is_some());
    client.hear(b"bc");
    assert!(client.connection.partial.is_none());
}

#[test]
fn section_5_4_messages_go_out_in_fragments_when_asked() {
    let mut client = Client::opening_with(Handshake::default(), Some(2));
    client.hear(ACCEPT);
    client.with(|connection, cx| connection.send(Opcode::Text, b"hello", cx)).unwrap();
    let expected = [(Opcode::Text, b"he".to_vec()), (Opcode::Continuation, b"ll".to_vec())];
    assert_eq!(client.sent(), [&expected[..], &[(Opcode::Continuation, b"o".to_vec())]].concat());
}

#[test]
fn section_5_5_2_a_ping_of_ours_and_its_pong() {
    let mut client = Client::open();
    client.with(|connection, cx| connection.ping(b"now", cx)).unwrap();
    assert_eq!(client.sent(), [(Opcode::Ping, b"now".to_vec())]);
    assert_eq!(client.hear(&[0x8a, 3, b'n', b'o', b'w']), [Heard::Pong(b"now".to_vec())]);
    client.hear(&[0x88, 0]);
    assert_eq!(client.with(|connection, cx| connection.ping(b"", cx)), Err(NotOpen));
}

#[test]
fn section_4_1_a_rejection_is_told_when_no_more_of_it_can_come() {
    let mut client = Client::opening();
    assert_eq!(client.hear(b"HTTP/1.1 403 Forbidden\r\n\r\ngo away"), []);
    let failure = client.with(|connection, cx| connection.end_of_stream(cx)).unwrap();
    assert_eq!(failure.detail(), "403 Forbidden \"go away\"");
    assert_eq!(client.connection.state(), State::Failed);
    assert_eq!(Client::opening().with(|connection, cx| connection.end_of_stream(cx)), None);
    assert_eq!(Client::open().with(|connection, cx| connection.end_of_stream(cx)), None);
}

/// A server's compressed frame of "Hello" (RFC 7692 section 7.2.3.1).
const HELLO: [u8; 9] = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn hello() -> Heard {
    Heard::Message(Opcode::Text, b"Hello".to_vec())
}

#[test]
fn rfc_7692_section_7_2_3_1_compressed_messages_whole_and_in_fragments_between_plain_ones() {
    let mut client = Client::compressing("permessage-deflate; server_no_context_takeover", None);
    assert_eq!(client.hear(&HELLO), [hello()]);
    assert_eq!(client.hear(&[0x81, 2, b'h', b'i']), [Heard::Message(Opcode::Text, b"hi".to_vec())]);
    // The RFC's own two fragments, with a ping between them.
    let stream = [&[0x41, 0x03, 0xf2, 0x48, 0xcd][..], &[0x89, 0], &[0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00]].concat();
    assert_eq!(client.hear(&stream), [Heard::Ping(vec![]), hello()]);
    for cut in 1..HELLO.len() {
        let mut heard = client.hear(&HELLO[..cut]);
        heard.extend(client.hear(&HELLO[cut..]));
        assert_eq!(heard, [hello()], "cut at {cut}");
    }
    let codec = client.connection.codec.as_ref().unwrap();
    assert_eq!(codec.inflated().len(), 0, "an idle connection holds no buffer");
}

#[test]
fn rfc_7692_section_7_2_3_2_context_is_taken_over() {
    let mut client = Client::compressing("permessage-deflate", None);
    assert_eq!(client.hear(&HELLO), [hello()]);
    assert_eq!(client.hear(&[0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00]), [hello()]);
}

#[test]
fn rfc_7692_section_6_1_only_the_first_frame_is_marked_and_control_frames_are_not() {
    let mut client = Client::compressing("permessage-deflate; client_no_context_takeover", Some(3));
    client.with(|connection, cx| connection.send(Opcode::Text, b"Hello", cx)).unwrap();
    client.with(|connection, cx| connection.ping(b"", cx)).unwrap();
    assert_eq!(client.out.iter().filter(|byte| **byte == 0x41).count(), 1);
    let frames = client.sent();
    let payload: Vec<u8> = frames[..3].iter().flat_map(|(_, payload)| payload.clone()).collect();
    assert_eq!(payload, HELLO[2..]);
    assert_eq!(frames[3], (Opcode::Ping, vec![]));
}

#[test]
fn rfc_7692_section_6_2_what_fails_a_connection_that_compresses() {
    let broken = ProtocolFault::Inflate.into();
    let reserved = ProtocolFault::ReservedBits.into();
    // "\xff\xff" as text in a stored block; a ping, and a continuation, marked as compressed.
    for (stream, failure) in [
        (&[0xc1, 3, 0xff, 0xff, 0xff][..], broken),
        (&[0xc1, 8, 0x00, 0x02, 0x00, 0xfd, 0xff, 0xff, 0xff, 0x00], Failure::InvalidText),
        (&[0xc9, 0], reserved),
        (&[0x41, 1, 0xf2, 0xc0, 1, 0x48], ProtocolFault::ReservedBits.into()),
    ] {
        let mut client = Client::compressing("permessage-deflate", None);
        assert_eq!(client.hear(stream), [Heard::Failed(failure)], "{stream:x?}");
        assert_eq!(client.connection.state(), State::Failed);
    }
}

#[test]
fn section_10_4_a_compressed_message_is_limited_by_what_it_inflates_to() {
    let mut bomb = Vec::new();
    crate::deflate::Deflater::new(9, 15).deflate(&vec![0; 1 << 20], true, &mut bomb);
    let mut client = Client::compressing("permessage-deflate", None);
    let mut stream = vec![0xc2, 126, (bomb.len() >> 8) as u8, bomb.len() as u8];
    stream.extend(bomb);
    assert_eq!(client.hear(&stream), [Heard::Failed(Failure::TooBig { limit_bytes: 100_000 })]);
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
