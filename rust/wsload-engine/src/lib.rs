//! The shard: one worker's share of a run's connections, behind one pollable descriptor.
//!
//! [`Shard`] joins the pure rules of `wsload-core` to Linux sockets. An event loop watches [`Shard::as_raw_fd`] and
//! calls [`Shard::poll`] when it is readable; each call serves what is ready and due within a time budget and
//! returns. Nothing here knows Python: the crate can be driven by any loop, or by `poll(2)` alone.
//!
//! - [`shard`]: slots, connecting, reading, sending, the phases of a run
//! - `tls`: rustls without sockets
//! - [`os`]: system calls
#![warn(unreachable_pub)]

pub mod os;
pub mod shard;
mod tls;

pub use shard::{Answer, Phase, Progress, Shard, ShardError};

/// Whether what a plan names can be used: certificates, keys, templates. The error is for the person who named it.
pub fn check(plan: &wsload_core::plan::Plan) -> Result<(), String> {
    shard::check(plan)
}
