//! A client connection without its transport (RFC 6455): bytes in, events and bytes out.
//!
//! The caller reads from the transport and hands the bytes to [`Connection::receive`] until it returns `Ok(None)` or
//! an error, and after each call writes what was appended to [`Context::out`]. A connection owns memory only while a
//! response, a frame or a message is incomplete.

mod state;
#[cfg(test)]
mod tests;

pub use state::{Input, State, TRANSITIONS};

use crate::deflate::{Codec, Codecs, InflateFault};
use crate::error::{Failure, ProtocolFault};
use crate::frame::MAX_CONTROL_BYTES;
use crate::frame::opcode::{Opcode, close_code_is_valid};
use crate::frame::{encode_frame, encode_message};
use crate::handshake::{Jar, Request, Upgraded, judge};
use crate::message::{Assembly, Limits, Piece, Whole, take_whole};
use crate::rng::MaskKeys;

/// Close code that stands for a Close without one (RFC 6455 section 7.1.5). Never on the wire.
pub const NO_CODE: u16 = 1005;
/// Close code that stands for the loss of TCP without a Close. Never on the wire.
pub const NO_CLOSE: u16 = 1006;
/// Longest reason beside the code.
const MAX_REASON_BYTES: usize = 123;

/// What all connections of a run share.
#[derive(Debug)]
pub struct Config {
    /// The upgrade request.
    pub request: Request,
    /// The most a server may send.
    pub limits: Limits,
    /// Messages go out in frames of at most this size; `None`: each in one.
    pub fragment_bytes: Option<usize>,
}

/// What a connection needs to speak.
#[derive(Debug)]
pub struct Context<'c> {
    /// Shared settings.
    pub config: &'c Config,
    /// A fresh mask for each frame.
    pub masks: &'c mut MaskKeys,
    /// What connections that compress share.
    pub codecs: &'c mut Codecs,
    /// Bytes to write to the transport are appended here.
    pub out: &'c mut Vec<u8>,
}

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'e> {
    /// The upgrade was accepted.
    Opened(Box<Upgraded>),
    /// A whole message, text or binary.
    Message {
        /// Text or Binary.
        opcode: Opcode,
        /// Valid UTF-8 when text.
        payload: &'e [u8],
    },
    /// A ping; its pong has been appended unless a Close is out.
    Ping(&'e [u8]),
    /// A pong, asked for or not.
    Pong(&'e [u8]),
    /// The server's Close; ours has been appended unless it was out.
    Close {
        /// `None`: the frame had no code.
        code: Option<u16>,
        /// Up to 123 bytes. Escape before printing.
        reason: &'e str,
    },
}

/// The connection is not open: nothing can be sent on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is not open")]
pub struct NotOpen;

/// The client's end of a connection.
#[derive(Debug)]
pub struct Connection {
    state: State,
    close_code: Option<u16>,
    partial: Option<Box<Partial>>,
    /// There once compression is agreed on.
    codec: Option<Box<Codec>>,
}

/// What has come in but is not complete.
#[derive(Debug)]
enum Partial {
    Head { nonce: [u8; 16], bytes: Vec<u8> },
    Frames(Assembly),
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

impl Connection {
    /// A connection that has not begun.
    pub fn new() -> Self {
        Self { state: State::Idle, close_code: None, partial: None, codec: None }
    }

    /// Where it stands.
    #[inline]
    pub fn state(&self) -> State {
        self.state
    }

    /// The close code to report (RFC 6455 section 7.1.5): the server's, 1005 if its Close had none, 1006 if no Close
    /// came.
    pub fn reported_close_code(&self) -> u16 {
        self.close_code.unwrap_or(NO_CLOSE)
    }

    /// Begins the handshake: appends the request, with the cookies kept so far. `nonce` must be random and new.
    pub fn open(&mut self, nonce: [u8; 16], jar: &Jar, cx: &mut Context<'_>) {
        if self.step(Input::SendRequest) {
            cx.config.request.append(nonce, jar, cx.out);
            self.partial = Some(Box::new(Partial::Head { nonce, bytes: Vec::new() }));
        }
    }

    /// Takes bytes from the front of `input` up to the next event; `Ok(None)`: all of it is taken.
    ///
    /// After an error the server has been told (unless it was the handshake that failed), the state is
    /// [`State::Failed`], and the rest of `input` is to be dropped.
    #[inline]
    pub fn receive<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i [u8],
        cx: &mut Context<'_>,
    ) -> Result<Option<Event<'e>>, Failure> {
        if self.partial.is_none() && matches!(self.state, State::Open | State::Closing) {
            if input.is_empty() {
                if let Some(codec) = &mut self.codec {
                    codec.release(cx.codecs);
                }
                return Ok(None);
            }
            match take_whole(input, cx.config.limits, self.codec.is_some()) {
                Ok(Some(Whole { opcode, compressed: false, payload })) => {
                    return Ok(Some(Event::Message { opcode, payload }));
                }
                Ok(Some(Whole { opcode, payload, .. })) => return self.inflate(opcode, payload, cx).map(Some),
                Ok(None) => {}
                Err(failure) => return Err(self.fail(failure, cx)),
            }
        }
        self.receive_in_parts(input, cx)
    }

    /// Appends a data message: in one frame unless fragments are asked for, compressed if that was agreed on.
    ///
    /// The caller's duty: `opcode` is Text or Binary, and a text's payload is valid UTF-8.
    #[inline]
    pub fn send(&mut self, opcode: Opcode, payload: &[u8], cx: &mut Context<'_>) -> Result<(), NotOpen> {
        if self.state != State::Open {
            return Err(NotOpen);
        }
        if self.codec.is_none() && cx.config.fragment_bytes.is_none() {
            encode_frame(opcode, true, cx.masks.next_key(), payload, cx.out);
        } else {
            self.send_in_parts(opcode, payload, cx);
        }
        Ok(())
    }

    /// Appends a ping of up to 125 bytes.
    pub fn ping(&mut self, payload: &[u8], cx: &mut Context<'_>) -> Result<(), NotOpen> {
        if self.state != State::Open {
            return Err(NotOpen);
        }
        let payload = &payload[..payload.len().min(MAX_CONTROL_BYTES)];
        encode_frame(Opcode::Ping, true, cx.masks.next_key(), payload, cx.out);
        Ok(())
    }

    /// The transport has ended, or took too long. If a response was coming in that rejects the upgrade, this is the
    /// failure: more of its body will not come.
    pub fn end_of_stream(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        let Some(Partial::Head { nonce, bytes }) = self.partial.as_deref() else { return None };
        let failure = judge(&cx.config.request, *nonce, bytes, true).err()?;
        Some(self.fail(failure, cx))
    }

    /// Appends a Close; nothing can be sent afterwards (RFC 6455 section 5.5.1). A reason of more than 123 bytes is
    /// cut.
    pub fn close(&mut self, code: u16, reason: &str, cx: &mut Context<'_>) -> Result<(), NotOpen> {
        if !self.step(Input::SendClose) {
            return Err(NotOpen);
        }
        append_close(Some(code), reason, cx);
        Ok(())
    }

    #[cold]
    fn send_in_parts(&mut self, opcode: Opcode, payload: &[u8], cx: &mut Context<'_>) {
        let (compressed, payload) = match &mut self.codec {
            Some(codec) => (true, codec.deflate(payload, cx.codecs)),
            None => (false, payload),
        };
        let fragment_bytes = cx.config.fragment_bytes.unwrap_or(usize::MAX);
        encode_message(opcode, compressed, payload, fragment_bytes, || cx.masks.next_key(), cx.out);
    }

    /// A whole message as its sender meant it.
    #[cold]
    fn inflate<'e>(&'e mut self, opcode: Opcode, payload: &[u8], cx: &mut Context<'_>) -> Result<Event<'e>, Failure> {
        let limit_bytes = cx.config.limits.message_bytes;
        // A compressed message is only let through once a codec is there.
        let inflated = self.codec.as_mut().map_or(Ok(()), |codec| codec.inflate(payload, limit_bytes, cx.codecs));
        let failure = match inflated {
            Ok(()) => {
                let valid = opcode == Opcode::Binary || std::str::from_utf8(self.inflated()).is_ok();
                (!valid).then_some(Failure::InvalidText)
            }
            Err(InflateFault::Invalid) => Some(ProtocolFault::Inflate.into()),
            Err(InflateFault::TooBig) => Some(Failure::TooBig { limit_bytes }),
        };
        match failure {
            Some(failure) => Err(self.fail(failure, cx)),
            None => Ok(Event::Message { opcode, payload: self.inflated() }),
        }
    }

    fn inflated(&self) -> &[u8] {
        self.codec.as_ref().map_or(&[], |codec| codec.inflated())
    }

    fn step(&mut self, input: Input) -> bool {
        let next = self.state.after(input);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    /// Everything but a whole message at the front of the input.
    fn receive_in_parts<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i [u8],
        cx: &mut Context<'_>,
    ) -> Result<Option<Event<'e>>, Failure> {
        match self.state {
            State::Opening => self.receive_head(input, cx),
            State::Open | State::Closing => self.receive_frames(input, cx),
            // After both Closes, or a fault, nothing is looked at (sections 1.4 and 7.1.7).
            State::Idle | State::Closed | State::Failed => {
                *input = &[];
                self.partial = None;
                Ok(None)
            }
        }
    }

    fn receive_head<'e>(&'e mut self, input: &mut &[u8], cx: &mut Context<'_>) -> Result<Option<Event<'e>>, Failure> {
        let Some(Partial::Head { nonce, bytes }) = self.partial.as_deref_mut() else { return Ok(None) };
        let before = bytes.len();
        bytes.extend_from_slice(input);
        match judge(&cx.config.request, *nonce, bytes, false) {
            Ok(None) => {
                *input = &[];
                Ok(None)
            }
            Ok(Some((upgraded, len))) => {
                // An earlier call would have found a head that ended in earlier bytes.
                *input = &input[len.saturating_sub(before)..];
                self.partial = None;
                self.codec = upgraded.deflate.map(|agreed| Box::new(Codec::new(agreed)));
                self.step(Input::ReceiveAccept);
                Ok(Some(Event::Opened(Box::new(upgraded))))
            }
            Err(failure) => Err(self.fail(failure, cx)),
        }
    }

    fn receive_frames<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i [u8],
        cx: &mut Context<'_>,
    ) -> Result<Option<Event<'e>>, Failure> {
        if let Some(codec) = &mut self.codec {
            codec.release(cx.codecs);
        }
        let deflate = self.codec.is_some();
        let assembly = self.assembly();
        if assembly.release() && input.is_empty() {
            self.partial = None;
            return Ok(None);
        }
        let piece = match assembly.advance(input, cx.config.limits, deflate) {
            Ok(piece) => piece,
            Err(failure) => return Err(self.fail(failure, cx)),
        };
        match piece {
            Piece::Nothing => Ok(None),
            Piece::Message(opcode) => Ok(Some(Event::Message { opcode, payload: self.assembly().message() })),
            Piece::Compressed(opcode) => {
                let payload = self.assembly().take_message();
                self.inflate(opcode, &payload, cx).map(Some)
            }
            Piece::Control(opcode) => self.receive_control(opcode, cx),
        }
    }

    fn receive_control<'e>(&'e mut self, opcode: Opcode, cx: &mut Context<'_>) -> Result<Option<Event<'e>>, Failure> {
        match opcode {
            Opcode::Ping => {
                let open = self.state == State::Open;
                let payload = self.assembly().control();
                if open {
                    encode_frame(Opcode::Pong, true, cx.masks.next_key(), payload, cx.out);
                }
                Ok(Some(Event::Ping(payload)))
            }
            Opcode::Pong => Ok(Some(Event::Pong(self.assembly().control()))),
            _ => {
                if let Err(failure) = read_close(self.assembly().control()) {
                    return Err(self.fail(failure, cx));
                }
                Ok(Some(self.receive_close(cx)))
            }
        }
    }

    /// Answers a Close that has been judged, by its own code, unless ours is out already.
    fn receive_close(&mut self, cx: &mut Context<'_>) -> Event<'_> {
        let first = self.state == State::Open;
        self.step(Input::ReceiveClose);
        let (code, _) = read_close(self.assembly().control()).unwrap_or_default();
        if first {
            append_close(code, "", cx);
        }
        self.close_code = Some(code.unwrap_or(NO_CODE));
        let (_, reason) = read_close(self.assembly().control()).unwrap_or_default();
        Event::Close { code, reason }
    }

    /// Fails the connection (RFC 6455 section 7.1.7): tells the server if it still listens.
    #[cold]
    fn fail(&mut self, failure: Failure, cx: &mut Context<'_>) -> Failure {
        if self.state == State::Open {
            append_close(failure.close_code(), "", cx);
        }
        self.step(Input::Fault);
        self.partial = None;
        failure
    }

    fn assembly(&mut self) -> &mut Assembly {
        let partial = self.partial.get_or_insert_with(|| Box::new(Partial::Frames(Assembly::default())));
        match &mut **partial {
            Partial::Frames(assembly) => assembly,
            // The head is dropped when the connection opens, before any frame is looked at.
            Partial::Head { .. } => unreachable!("a frame before the handshake is over"),
        }
    }
}

/// Code and reason of a Close body (RFC 6455 section 5.5.1).
fn read_close(body: &[u8]) -> Result<(Option<u16>, &str), Failure> {
    match *body {
        [] => Ok((None, "")),
        [_] => Err(ProtocolFault::CloseLength.into()),
        [high, low, ref reason @ ..] => {
            let code = u16::from_be_bytes([high, low]);
            if !close_code_is_valid(code) {
                return Err(ProtocolFault::CloseCode(code).into());
            }
            let reason = std::str::from_utf8(reason).map_err(|_| Failure::InvalidText)?;
            Ok((Some(code), reason))
        }
    }
}

fn append_close(code: Option<u16>, reason: &str, cx: &mut Context<'_>) {
    let mut body = Vec::new();
    if let Some(code) = code {
        body.extend(code.to_be_bytes());
        body.extend(&reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON_BYTES)]);
    }
    encode_frame(Opcode::Close, true, cx.masks.next_key(), &body, cx.out);
}
