//! frames
pub mod header;
pub mod mask;
pub mod opcode;
pub mod utf8;
