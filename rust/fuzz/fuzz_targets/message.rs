//! Any bytes as frames: they say the same whole and in pieces, and memory never exceeds what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsload_core::error::Failure;
use wsload_core::frame::opcode::Opcode;
use wsload_core::message::{Assembly, Limits, Piece};

const LIMITS: Limits = Limits { frame_bytes: 70_000, message_bytes: 100_000 };

fn heard(bytes: &[u8], size: usize, deflate: bool) -> (Vec<(Opcode, bool, Vec<u8>)>, Option<Failure>) {
    let mut assembly = Assembly::default();
    let mut said = Vec::new();
    for mut input in bytes.chunks(size) {
        loop {
            match assembly.advance(&mut input, LIMITS, deflate) {
                Ok(Piece::Nothing) => break,
                Ok(Piece::Message(opcode)) => said.push((opcode, false, assembly.message().to_vec())),
                Ok(Piece::Compressed(opcode)) => said.push((opcode, true, assembly.take_message())),
                Ok(Piece::Control(opcode)) => said.push((opcode, false, assembly.control().to_vec())),
                Err(failure) => return (said, Some(failure)),
            }
            assembly.release();
        }
    }
    (said, None)
}

fuzz_target!(|input: (bool, u8, Vec<u8>)| {
    let (deflate, size, bytes) = input;
    let whole = heard(&bytes, bytes.len().max(1), deflate);
    assert_eq!(heard(&bytes, usize::from(size).max(1), deflate), whole);
    assert!(whole.0.iter().map(|(_, _, payload)| payload.len()).sum::<usize>() <= bytes.len());
});
