//! The judgement of the server's response (RFC 6455 section 4.1, page 19).

use super::{Request, accept_of, key_of};
use crate::deflate::{self, Agreed};
use crate::error::{Failure, HandshakeFault};

/// Longest response head read.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
pub(super) const MAX_HEADERS: usize = 128;
/// Bytes of a rejecting response's body that are kept for a person to read.
const BODY_PREFIX_BYTES: usize = 160;
/// Headers of a rejecting response that tell a person why. None of them is a secret; a query in one may be.
const TELLING_HEADERS: [&str; 6] =
    ["Location", "WWW-Authenticate", "Proxy-Authenticate", "Retry-After", "Server", "Via"];

/// What was agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// The subprotocol that the server chose among those offered.
    pub subprotocol: Option<String>,
    /// The compression, if it was offered and accepted.
    pub deflate: Option<Agreed>,
    /// Values of `Set-Cookie`, when the request's owner keeps cookies.
    pub cookies: Vec<String>,
}

/// A response that does not do what was asked. Texts are printable, cut, and without what may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// HTTP status.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Headers that tell why, as `Name: value`.
    pub headers: Vec<String>,
    /// The first bytes of the body.
    pub body: String,
}

impl Rejection {
    /// What tells it from other rejections.
    pub fn detail(&self) -> String {
        let location = self.headers.iter().find_map(|line| line.strip_prefix("Location: "));
        let to = location.map_or_else(String::new, |location| format!(" to {location}"));
        let body = &self.body[..self.body.floor_char_boundary(48)];
        let said = if body.is_empty() { String::new() } else { format!(" \"{body}\"") };
        format!("{} {}{to}{said}", self.status, self.reason).trim_end().to_owned()
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.reason)?;
        if !self.headers.is_empty() {
            write!(f, " ({})", self.headers.join("; "))?;
        }
        if !self.body.is_empty() {
            write!(f, " \"{}\"", self.body)?;
        }
        Ok(())
    }
}

/// Judges the bytes received so far in answer to the request with this `nonce`. `ended`: nothing more will come.
///
/// `Ok(None)`: more bytes are needed. `Ok(Some((_, len)))`: accepted; what follows byte `len` are frames.
pub fn judge(
    request: &Request,
    nonce: [u8; 16],
    bytes: &[u8],
    ended: bool,
) -> Result<Option<(Upgraded, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let too_large = HandshakeFault::HeadTooLarge { limit_bytes: MAX_HEAD_BYTES, limit_headers: MAX_HEADERS };
    let len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= MAX_HEAD_BYTES => len,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(too_large.into()),
        Err(_) => return Err(HandshakeFault::Malformed.into()),
    };
    if response.code != Some(101) {
        return match reject(&response, &bytes[len..], ended) {
            Some(rejection) => Err(Failure::UpgradeRejected(Box::new(rejection))),
            None => Ok(None),
        };
    }
    if response.version != Some(1) {
        return Err(HandshakeFault::HttpVersion.into());
    }
    Ok(Some((judge_headers(request, nonce, response.headers)?, len)))
}

/// What a rejecting response says, once enough of its body is there.
pub(super) fn reject(response: &httparse::Response<'_, '_>, body: &[u8], ended: bool) -> Option<Rejection> {
    let value = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.trim_ascii())
    };
    let status = response.code.unwrap_or_default();
    let length = value("Content-Length").and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
    let chunked = value("Transfer-Encoding").is_some_and(|coding| coding.to_ascii_lowercase().ends_with(b"chunked"));
    let bodiless = matches!(status, 100..=199 | 204 | 304);
    let complete = ended
        || bodiless
        || body.len() >= BODY_PREFIX_BYTES
        || length.is_some_and(|length| body.len() >= length)
        || (chunked && body.ends_with(b"0\r\n\r\n"));
    if !complete {
        return None;
    }
    // Of a chunked body the first chunk is what a person wants to see, without its size.
    let first_chunk = || {
        let start = body.windows(2).position(|pair| pair == b"\r\n").map_or(0, |end| end + 2);
        let text = &body[start..];
        &text[..text.windows(2).position(|pair| pair == b"\r\n").unwrap_or(text.len())]
    };
    let body = if chunked { first_chunk() } else { body };
    let telling = |name: &&str| value(name).map(|found| format!("{name}: {}", without_query(&cut(found))));
    Some(Rejection {
        status,
        reason: printable(response.reason.unwrap_or_default().as_bytes()),
        headers: TELLING_HEADERS.iter().filter_map(telling).collect(),
        body: cut(body.trim_ascii()).trim_end().to_owned(),
    })
}

/// The beginning, printable.
fn cut(bytes: &[u8]) -> String {
    printable(&bytes[..bytes.len().min(BODY_PREFIX_BYTES)])
}

/// A query may hold a token: only that there is one is told.
fn without_query(text: &str) -> String {
    text.split_once('?').map_or_else(|| text.to_owned(), |(before, _)| format!("{before}?***"))
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
    // Section 9.1 allows a list over several lines, section 11.3.2 only one line in a response.
    let extensions = single("Sec-WebSocket-Extensions")?.map(printable).unwrap_or_default();
    let deflate = deflate::judge(request.offer.as_ref(), &extensions)?;
    let subprotocol = single("Sec-WebSocket-Protocol")?.map(printable);
    match &subprotocol {
        Some(chosen) if !request.offered(chosen) => return Err(HandshakeFault::Subprotocol(chosen.clone())),
        None if request.requires_subprotocol => return Err(HandshakeFault::SubprotocolMissing),
        _ => {}
    }
    let kept = request.keeps_cookies.then(|| values("Set-Cookie")).into_iter().flatten();
    Ok(Upgraded { subprotocol, deflate, cookies: kept.map(printable).collect() })
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
    use crate::deflate::{ExtensionFault, Offer};
    use crate::plan::{Compression, Handshake, Target};

    const NONCE: [u8; 16] = *b"the sample nonce";
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const GOOD: [&str; 3] = ["Upgrade: websocket", "Connection: Upgrade", ACCEPT];

    fn request() -> Request {
        let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
        let subprotocols = vec!["chat.v2".to_owned(), "chat.v1".to_owned()];
        Request::new(&target, &Handshake { subprotocols, ..Handshake::default() })
    }

    fn response(lines: &[&str]) -> Vec<u8> {
        format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n\r\n", lines.join("\r\n")).into_bytes()
    }

    fn with(more: &str) -> Vec<u8> {
        response(&[GOOD[0], GOOD[1], GOOD[2], more])
    }

    fn judged(bytes: &[u8]) -> Result<Option<(Upgraded, usize)>, Failure> {
        judge(&request(), NONCE, bytes, false)
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
        assert_eq!(judged(&bytes), Ok(Some((Upgraded::default(), len))));
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
                HandshakeFault::Extension(ExtensionFault::NotOffered("permessage-deflate".into())),
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

    fn rejected(bytes: &[u8], ended: bool) -> Option<Rejection> {
        match judge(&request(), NONCE, bytes, ended) {
            Ok(None) => None,
            Err(Failure::UpgradeRejected(rejection)) => Some(*rejection),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn section_4_1_another_status_is_told_with_what_its_sender_says() {
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nSet-Cookie: secret\r\n\r\nbusy\x1b[2J\nnow";
        // Without a length the body goes on until the end.
        assert_eq!(rejected(busy, false), None);
        let rejection = rejected(busy, true).unwrap();
        assert_eq!(rejection.to_string(), "503 Service Unavailable (Retry-After: 1) \"busy\u{fffd}[2J\u{fffd}now\"");
        assert_eq!(rejection.detail(), "503 Service Unavailable \"busy\u{fffd}[2J\u{fffd}now\"");
    }

    #[test]
    fn section_4_1_a_redirect_is_told_with_where_to_but_without_a_query() {
        let moved = b"HTTP/1.1 302 Found\r\nLocation: /login?token=x\r\nContent-Length: 0\r\n\r\n";
        let rejection = rejected(moved, false).unwrap();
        assert_eq!(rejection.to_string(), "302 Found (Location: /login?***)");
        assert_eq!(rejection.detail(), "302 Found to /login?***");
    }

    #[test]
    fn the_beginning_of_a_body_is_awaited_and_no_more() {
        let head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(rejected(&[head, &b"no"[..]].concat(), false), None);
        assert_eq!(rejected(&[head, &b"no no"[..]].concat(), false).unwrap().body, "no no");
        let long = [&b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"[..], &[b'x'; 500]].concat();
        assert_eq!(rejected(&long, false).unwrap().body.len(), BODY_PREFIX_BYTES);
        let chunked = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n";
        assert_eq!(rejected(&chunked[..chunked.len() - 5], false), None);
        assert_eq!(rejected(chunked, false).unwrap().body, "gone");
        assert!(rejected(b"HTTP/1.1 304 Not Modified\r\n\r\n", false).is_some());
    }

    #[test]
    fn section_9_1_an_extension_is_judged_by_its_own_rules() {
        let offering = |answer: &str| {
            let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
            let compression = Some(Compression { offer: Offer::default(), level: 6 });
            let request = Request::new(&target, &Handshake { compression, ..Handshake::default() });
            judge(&request, NONCE, &with(&format!("Sec-WebSocket-Extensions: {answer}")), false)
        };
        let Ok(Some((upgraded, _))) = offering("permessage-deflate; client_no_context_takeover") else { panic!() };
        assert!(upgraded.deflate.unwrap().client_no_context_takeover);
        let twice = offering("permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate");
        assert_eq!(twice, Err(HandshakeFault::Repeated("Sec-WebSocket-Extensions").into()));
        assert!(matches!(offering("permessage-deflate; x=1"), Err(Failure::BadAccept(HandshakeFault::Extension(_)))));
    }

    #[test]
    fn section_4_1_a_subprotocol_may_be_required_and_cookies_kept() {
        let target = Target { host: "h".into(), port: 80, resource: "/".into(), host_header: "h".into() };
        let subprotocols = vec!["chat".to_owned()];
        let handshake =
            Handshake { subprotocols, require_subprotocol: true, keep_cookies: true, ..Handshake::default() };
        let request = Request::new(&target, &handshake);
        let judged = |more| judge(&request, NONCE, &with(more), false);
        assert_eq!(judged("Set-Cookie: a=1"), Err(HandshakeFault::SubprotocolMissing.into()));
        let both = judged("Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=1\r\nset-cookie: b=2").unwrap().unwrap();
        assert_eq!((both.0.subprotocol.as_deref(), both.0.cookies), (Some("chat"), vec!["a=1".into(), "b=2".into()]));
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
