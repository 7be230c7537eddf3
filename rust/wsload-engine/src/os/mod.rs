//! What the operating system does for a shard. All system calls, and all `unsafe`, live here.
//!
//! Linux only: nested epoll sets, a timer descriptor and kernel receive time stamps have no portable twin.

mod clock;
mod epoll;
mod process;
mod socket;
mod timer;

pub use clock::{ClockMap, monotonic_ns};
pub use epoll::{Epoll, Interest, Ready};
pub use process::{CpuTime, cpu_time, resident_bytes};
pub use socket::{ConnectStart, Received, Socket};
pub use timer::Timer;

use std::io;

/// Turns the `-1` of a system call into the error it left in `errno`.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
