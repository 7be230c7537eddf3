//! Cookies that a server sets, kept by one connection for its next handshake (RFC 6265).

use cookie::Cookie;

/// Most cookies kept, and longest value: a server cannot fill memory with them.
const MAX_COOKIES: usize = 64;
const MAX_COOKIE_BYTES: usize = 4096;

/// The cookies of one connection. It only ever speaks to one host, so domains do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jar(Vec<(String, String)>);

impl Jar {
    /// Takes what a `Set-Cookie` header says in answer to a request for `path`, at `now_s` (seconds since 1970).
    /// Malformed ones are ignored, as browsers do.
    pub fn absorb(&mut self, header: &str, path: &str, secure: bool, now_s: i64) {
        let Ok(cookie) = Cookie::parse(header) else { return };
        if header.len() > MAX_COOKIE_BYTES || cookie.name().is_empty() {
            return;
        }
        self.0.retain(|(name, _)| name != cookie.name());
        let over = match (cookie.max_age(), cookie.expires_datetime()) {
            (Some(age), _) => !age.is_positive(),
            (None, Some(at)) => at.unix_timestamp() <= now_s,
            (None, None) => false,
        };
        let sent_back = path_matches(path, cookie.path().unwrap_or("/")) && (secure || cookie.secure() != Some(true));
        if !over && sent_back && self.0.len() < MAX_COOKIES {
            self.0.push((cookie.name().to_owned(), cookie.value().to_owned()));
        }
    }

    /// Value of the `Cookie` header: what the user gave, unless the server has set another value, and what it has added.
    pub(super) fn header_value(&self, given: &[(String, String)]) -> String {
        let ours = given.iter().filter(|(name, _)| !self.0.iter().any(|(set, _)| set == name));
        let pairs: Vec<String> = ours.chain(&self.0).map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }
}

/// RFC 6265 section 5.1.4.
fn path_matches(resource: &str, cookie_path: &str) -> bool {
    let path = resource.split(['?', '#']).next().unwrap_or_default();
    path == cookie_path
        || path.strip_prefix(cookie_path).is_some_and(|rest| cookie_path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_700_000_000;

    fn jar(headers: &[&str], secure: bool) -> String {
        let mut jar = Jar::default();
        for header in headers {
            jar.absorb(header, "/chat/room?x=/y", secure, NOW_S);
        }
        jar.header_value(&[("given".into(), "1".into()), ("a".into(), "given".into())])
    }

    #[test]
    fn rfc_6265_section_5_3_what_is_kept_and_what_is_not() {
        assert_eq!(jar(&[], false), "given=1; a=given");
        assert_eq!(jar(&["a=2; Path=/; HttpOnly", "b=3; Path=/chat"], false), "given=1; a=2; b=3");
        assert_eq!(jar(&["b=3; Path=/cha", "c=4; Path=/other"], false), "given=1; a=given");
        assert_eq!(jar(&["b=3; Secure"], false), "given=1; a=given");
        assert_eq!(jar(&["b=3; Secure"], true), "given=1; a=given; b=3");
        assert_eq!(jar(&["b=3", "b=4"], false), "given=1; a=given; b=4");
        assert_eq!(jar(&["b=3", "b=; Max-Age=0"], false), "given=1; a=given");
        assert_eq!(jar(&["b=3", "b=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], false), "given=1; a=given");
        assert_eq!(jar(&["b=3; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], false), "given=1; a=given; b=3");
        assert_eq!(jar(&["nonsense", "=x", &format!("big={}", "x".repeat(5_000))], false), "given=1; a=given");
    }

    #[test]
    fn a_server_cannot_fill_memory_with_cookies() {
        let mut jar = Jar::default();
        for number in 0..1_000 {
            jar.absorb(&format!("c{number}=1"), "/", false, NOW_S);
        }
        assert_eq!(jar.0.len(), MAX_COOKIES);
    }
}
