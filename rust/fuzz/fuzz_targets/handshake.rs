//! Any answer of a server or a proxy: judged, and judged alike however it comes in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsload_core::deflate::{self, Offer};
use wsload_core::handshake::{Jar, Request, judge, judge_tunnel};
use wsload_core::plan::{Compression, Handshake, Target};

fuzz_target!(|bytes: &[u8]| {
    let target = Target { host: "h".into(), port: 80, resource: "/a/b".into(), host_header: "h".into() };
    let compression = Some(Compression { offer: Offer::default(), level: 6 });
    let subprotocols = vec!["chat".to_owned()];
    let handshake = Handshake { compression, subprotocols, keep_cookies: true, ..Handshake::default() };
    let request = Request::new(&target, &handshake);
    let whole = judge(&request, [7; 16], bytes, false);
    if let Ok(Some((_, len))) = &whole {
        // The head decides: what follows it does not.
        assert_eq!(judge(&request, [7; 16], &bytes[..*len], false), whole);
    }
    if let Err(failure) = judge(&request, [7; 16], bytes, true) {
        let text = failure.to_string() + &failure.detail();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let _ = judge_tunnel(bytes, false);
    let _ = judge_tunnel(bytes, true);
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(Some(agreed)) = deflate::judge(Some(&Offer::default()), text) {
            assert!((9..=15).contains(&agreed.client_max_window_bits));
        }
        Jar::default().absorb(text, "/a/b", true, 0);
    }
});
