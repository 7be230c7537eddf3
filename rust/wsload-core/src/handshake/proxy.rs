//! Asking an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).

use super::response::{MAX_HEAD_BYTES, MAX_HEADERS, reject};
use crate::error::{Failure, HandshakeFault};
use crate::plan::Proxy;

/// The request of a tunnel.
pub fn connect_request(proxy: &Proxy) -> Vec<u8> {
    let authority = &proxy.authority;
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.extend(["Proxy-Authorization: ", authorization, "\r\n"]);
    }
    request += "\r\n";
    request.into_bytes()
}

/// Judges the bytes received so far in answer to it.
///
/// `Ok(None)`: more are needed. `Ok(Some(len))`: the tunnel stands and what follows byte `len` came through it.
/// `ended`: nothing more will come.
pub fn judge_tunnel(bytes: &[u8], ended: bool) -> Result<Option<usize>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if matches!(response.code, Some(200..=299)) => Ok(Some(len)),
        Ok(httparse::Status::Complete(len)) => match reject(&response, &bytes[len..], ended) {
            Some(rejection) => Err(Failure::ProxyRejected(Box::new(rejection))),
            None => Ok(None),
        },
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => Ok(None),
        _ => Err(Failure::ProxyFault(HandshakeFault::Malformed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_section_9_3_6_the_request_names_host_and_port() {
        let mut proxy = Proxy { authority: "[::1]:443".into(), authorization: None };
        assert_eq!(connect_request(&proxy), b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
        proxy.authorization = Some("Basic YQ==".into());
        assert!(connect_request(&proxy).ends_with(b"\r\nProxy-Authorization: Basic YQ==\r\n\r\n"));
    }

    #[test]
    fn rfc_9110_section_9_3_6_any_2xx_opens_the_tunnel() {
        let ok = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nrest";
        assert_eq!(judge_tunnel(ok, false), Ok(Some(ok.len() - 4)));
        assert_eq!(judge_tunnel(b"HTTP/1.0 204 Fine\r\n\r\n", false), Ok(Some(21)));
        assert_eq!(judge_tunnel(&ok[..30], false), Ok(None));
    }

    #[test]
    fn what_is_no_tunnel_is_told_with_the_proxy_s_words() {
        let denied = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nnope!";
        assert_eq!(judge_tunnel(&denied[..denied.len() - 1], false), Ok(None));
        let Err(Failure::ProxyRejected(rejection)) = judge_tunnel(denied, false) else { panic!() };
        assert_eq!((rejection.status, rejection.body.as_str()), (407, "nope!"));
        assert!(matches!(judge_tunnel(b"SOCKS?\r\n\r\n", false), Err(Failure::ProxyFault(_))));
    }
}
