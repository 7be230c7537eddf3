//! The judgement of the server's response (RFC 6455 section 4.1, page 19).

use super::{Request, accept_of, key_of};
use crate::error::{Failure, HandshakeFault};

/// Longest response head read.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;
/// Bytes of a rejecting response's body that are kept for a person to read.
const BODY_PREFIX_BYTES: usize = 160;

/// What was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// The subprotocol that the server chose among those offered.
    pub subprotocol: Option<String>,
}

/// Judges the bytes received so far in answer to the request with this `nonce`.
///
/// `Ok(None)`: the head is not complete. `Ok(Some((_, len)))`: accepted; what follows byte `len` are frames.
pub fn judge(request: &Request, nonce: [u8; 16], bytes: &[u8]) -> Result<Option<(Upgraded, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let too_large = HandshakeFault::HeadTooLarge { limit_bytes: MAX_HEAD_BYTES, limit_headers: MAX_HEADERS };
    let len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= MAX_HEAD_BYTES => len,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(too_large.into()),
        Err(_) => return Err(HandshakeFault::Malformed.into()),
    };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        let detail = describe(response.reason.unwrap_or_default(), &bytes[len..]);
        return Err(Failure::UpgradeRejected { status, detail });
    }
    if response.version != Some(1) {
        return Err(HandshakeFault::HttpVersion.into());
    }
    Ok(Some((judge_headers(request, nonce, response.headers)?, len)))
}

fn judge_headers(
    request: &Request,
    nonce: [u8; 16],
    headers: &[httparse::Header<'_>],
) -> Result<Upgraded, HandshakeFault> {
    let values = |name: &'static str| {
        headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.trim_ascii())
    };
    let single = |name| {
        let mut all = values(name);
        let first = all.next();
        if all.next().is_some() { Err(HandshakeFault::Repeated(name)) } else { Ok(first) }
    };
    if !single("Upgrade")?.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
        return Err(HandshakeFault::Upgrade);
    }
    let mut tokens = values("Connection").flat_map(|value| value.split(|byte| *byte == b','));
    if !tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade")) {
        return Err(HandshakeFault::Connection);
    }
    let accept = single("Sec-WebSocket-Accept")?.ok_or(HandshakeFault::AcceptMissing)?;
    if accept != accept_of(&key_of(nonce)) {
        return Err(HandshakeFault::AcceptWrong);
    }
    if let Some(extensions) = values("Sec-WebSocket-Extensions").find(|value| !value.is_empty()) {
        return Err(HandshakeFault::Extension(printable(extensions)));
    }
    let subprotocol = single("Sec-WebSocket-Protocol")?.map(printable);
    match subprotocol {
        Some(chosen) if !request.offered(&chosen) => Err(HandshakeFault::Subprotocol(chosen)),
        subprotocol => Ok(Upgraded { subprotocol }),
    }
}

/// Reason and the beginning of the body, in one line.
fn describe(reason: &str, body: &[u8]) -> String {
    let body = printable(body[..body.len().min(BODY_PREFIX_BYTES)].trim_ascii());
    let reason = printable(reason.as_bytes());
    if body.is_empty() { reason } else { format!("{reason} \"{body}\"") }
}

/// Bytes of a server as text in which nothing can move a terminal's cursor or end a line.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Handshake, Target};

    const NONCE: [u8; 16] = *b"the sample nonce";
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const GOOD: [&str; 3] = ["Upgrade: websocket", "Connection: Upgrade", ACCEPT];

    fn request() -> Request {
        let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
        let subprotocols = vec!["chat.v2".to_owned(), "chat.v1".to_owned()];
        Request::new(&target, &Handshake { headers: Vec::new(), subprotocols, origin: None })
    }

    fn response(lines: &[&str]) -> Vec<u8> {
        format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n\r\n", lines.join("\r\n")).into_bytes()
    }

    fn with(more: &str) -> Vec<u8> {
        response(&[GOOD[0], GOOD[1], GOOD[2], more])
    }

    fn judged(bytes: &[u8]) -> Result<Option<(Upgraded, usize)>, Failure> {
        judge(&request(), NONCE, bytes)
    }

    fn fault(bytes: &[u8]) -> HandshakeFault {
        match judged(bytes) {
            Err(Failure::BadAccept(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn section_4_1_a_response_is_accepted_whole_in_parts_and_with_a_tail() {
        let mut bytes = response(&GOOD);
        let len = bytes.len();
        for part in 0..len {
            assert_eq!(judged(&bytes[..part]), Ok(None), "{part} bytes");
        }
        bytes.extend([0x81, 0]);
        assert_eq!(judged(&bytes), Ok(Some((Upgraded { subprotocol: None }, len))));
    }

    #[test]
    fn section_4_1_names_and_values_that_are_compared_without_case_and_in_lists() {
        for lines in [
            ["UPGRADE: WebSocket", "connection: keep-alive, UPGRADE", ACCEPT],
            ["Upgrade:   websocket  ", "Connection:Upgrade", "sec-websocket-accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo= "],
        ] {
            assert!(matches!(judged(&response(&lines)), Ok(Some(_))), "{lines:?}");
        }
    }

    #[test]
    fn section_4_1_responses_that_must_not_be_accepted() {
        for (bytes, expected) in [
            (response(&[GOOD[1], ACCEPT]), HandshakeFault::Upgrade),
            (response(&["Upgrade: h2c", GOOD[1], ACCEPT]), HandshakeFault::Upgrade),
            (response(&[GOOD[0], ACCEPT]), HandshakeFault::Connection),
            (response(&[GOOD[0], "Connection: close", ACCEPT]), HandshakeFault::Connection),
            (response(&GOOD[..2]), HandshakeFault::AcceptMissing),
            (
                response(&[GOOD[0], GOOD[1], "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="]),
                HandshakeFault::AcceptWrong,
            ),
            (with(ACCEPT), HandshakeFault::Repeated("Sec-WebSocket-Accept")),
            (with("Sec-WebSocket-Protocol: soap"), HandshakeFault::Subprotocol("soap".into())),
            (with("Sec-WebSocket-Protocol: CHAT.v2"), HandshakeFault::Subprotocol("CHAT.v2".into())),
            (
                with("Sec-WebSocket-Protocol: chat.v1\r\nSec-WebSocket-Protocol: chat.v2"),
                HandshakeFault::Repeated("Sec-WebSocket-Protocol"),
            ),
            (
                with("Sec-WebSocket-Extensions: permessage-deflate"),
                HandshakeFault::Extension("permessage-deflate".into()),
            ),
            (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), HandshakeFault::Malformed),
            (b"\x16\x03\x01\x02\x00".to_vec(), HandshakeFault::Malformed),
        ] {
            assert_eq!(fault(&bytes), expected, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn section_4_1_http_1_0_is_not_enough() {
        let old = String::from_utf8(response(&GOOD)).unwrap().replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(fault(old.as_bytes()), HandshakeFault::HttpVersion);
    }

    #[test]
    fn section_4_1_a_subprotocol_of_those_offered_is_what_was_agreed() {
        let Ok(Some((upgraded, _))) = judged(&with("Sec-WebSocket-Protocol: chat.v1")) else { panic!() };
        assert_eq!(upgraded.subprotocol.as_deref(), Some("chat.v1"));
    }

    #[test]
    fn section_4_1_another_status_is_told_with_the_beginning_of_its_body() {
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\nbusy\x1b[2J\nnow";
        assert_eq!(
            judged(busy),
            Err(Failure::UpgradeRejected {
                status: 503,
                detail: "Service Unavailable \"busy\u{fffd}[2J\u{fffd}now\"".into()
            })
        );
    }

    #[test]
    fn section_10_4_a_head_without_end_is_not_read_without_end() {
        let mut endless = b"HTTP/1.1 101 X\r\nX-Filler: ".to_vec();
        endless.resize(MAX_HEAD_BYTES, b'a');
        assert!(matches!(fault(&endless), HandshakeFault::HeadTooLarge { .. }));
        let many = vec!["X: y"; 200];
        assert!(matches!(fault(&response(&many)), HandshakeFault::HeadTooLarge { .. }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = judged(&bytes);
        }

        #[test]
        fn a_damaged_response_is_judged(at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = with("Sec-WebSocket-Protocol: chat.v1");
            let index = at.index(bytes.len());
            bytes[index] = byte;
            let _ = judged(&bytes);
        }
    }
}
