//! Any bytes: a header that is read is written back as it stood.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsload_core::frame::header::Header;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((header, len))) = Header::parse(bytes) {
        let mut written = Vec::new();
        header.encode(&mut written);
        assert_eq!(written, bytes[..len]);
    }
});
