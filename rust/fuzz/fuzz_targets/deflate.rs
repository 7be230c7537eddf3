//! Any bytes as a compressed message: what we inflate is what an independent inflater makes of it, within the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsload_core::deflate::{Deflater, InflateFault, Inflater};

const LIMIT: u64 = 1 << 16;

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (cut, bytes) = input;
    let mut inflater = Inflater::new();
    let mut out = Vec::new();
    let mut result = Ok(());
    for part in bytes.chunks(usize::from(cut).max(1)) {
        result = inflater.inflate(part, LIMIT, &mut out);
        if result.is_err() {
            break;
        }
    }
    let result = result.and_then(|()| inflater.finish(false, LIMIT, &mut out));
    assert!(out.len() as u64 <= LIMIT);
    if result.is_ok() {
        // A stream that ends inside (BFINAL) may go on as another: the independent one stops there.
        let wire = [&bytes[..], &[0, 0, 0xff, 0xff]].concat();
        if let Ok(theirs) = miniz_oxide::inflate::decompress_to_vec_with_limit(&wire, LIMIT as usize) {
            assert!(out.starts_with(&theirs));
        }
    }
    if result != Err(InflateFault::TooBig) && bytes.len() < 4096 {
        let mut wire = Vec::new();
        Deflater::new(u32::from(cut % 10), 9 + cut % 7).deflate(&bytes, true, &mut wire);
        let mut back = Vec::new();
        let mut fresh = Inflater::new();
        fresh.inflate(&wire, LIMIT, &mut back).unwrap();
        fresh.finish(true, LIMIT, &mut back).unwrap();
        assert_eq!(back, bytes);
    }
});
