//! The pure half of wsload: what a WebSocket load generator decides, without doing any of it.
//!
//! Bytes and `now` go in; bytes and events come out. Nothing here opens a socket, starts a thread, reads a clock
//! or calls Python, so every rule can be tested in virtual time. Times are monotonic nanoseconds (`_ns`).
//!
//! - on the wire: [`frame`], [`handshake`], [`deflate`], [`message`], [`connection`]
//! - when to send and which reply belongs to what: [`plan`], [`schedule`], [`calendar`], [`matching`], [`template`], [`rng`]
//! - what was recorded, played again: [`replay`]
//! - what was measured: [`histogram`], [`tally`], [`interval`], and what is kept of messages: [`timeline`]
#![forbid(unsafe_code)]

pub mod calendar;
pub mod connection;
pub mod deflate;
pub mod error;
pub mod fanout;
pub mod frame;
pub mod handshake;
pub mod histogram;
pub mod interval;
pub mod json;
pub mod matching;
pub mod message;
pub mod plan;
pub mod program;
pub mod reconnect;
pub mod replay;
pub mod rng;
pub mod schedule;
pub mod tally;
pub mod template;
pub mod timeline;
