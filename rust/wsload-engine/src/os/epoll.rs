//! A level-triggered epoll set.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::check;

/// What to be told about a descriptor. Errors and hang-ups are always told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Nothing but errors.
    None,
    /// Readable, or half-closed by the peer.
    Read,
    /// Writable.
    Write,
    /// Readable or writable.
    ReadWrite,
}

impl Interest {
    fn bits(self) -> u32 {
        let read = libc::EPOLLIN | libc::EPOLLRDHUP;
        (match self {
            Self::None => 0,
            Self::Read => read,
            Self::Write => libc::EPOLLOUT,
            Self::ReadWrite => read | libc::EPOLLOUT,
        }) as u32
    }
}

/// One event.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Ready(libc::epoll_event);

impl Ready {
    /// Room for an event.
    pub const EMPTY: Self = Self(libc::epoll_event { events: 0, u64: 0 });

    /// The value the descriptor was added with.
    #[inline]
    pub fn token(&self) -> u64 {
        self.0.u64
    }

    /// Bytes, the peer's end, or an error can be read.
    #[inline]
    pub fn readable(&self) -> bool {
        const MASK: u32 = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLERR | libc::EPOLLHUP) as u32;
        self.0.events & MASK != 0
    }

    /// Bytes can be written, or the connection attempt is over.
    #[inline]
    pub fn writable(&self) -> bool {
        const MASK: u32 = (libc::EPOLLOUT | libc::EPOLLERR | libc::EPOLLHUP) as u32;
        self.0.events & MASK != 0
    }

    /// The peer will send nothing more, or the connection is broken: a short read is not the last one.
    #[inline]
    pub fn ended(&self) -> bool {
        const MASK: u32 = (libc::EPOLLRDHUP | libc::EPOLLERR | libc::EPOLLHUP) as u32;
        self.0.events & MASK != 0
    }
}

/// A level-triggered epoll set; its own descriptor is readable while a member is ready, so sets nest.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the returned descriptor is owned by nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) }))
    }

    /// Adds a descriptor. Closing the descriptor removes it.
    pub fn add(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, interest, token)
    }

    /// Changes what is told about a descriptor.
    pub fn modify(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interest, token)
    }

    /// Fetches what is ready, without waiting.
    #[inline]
    pub fn poll<'e>(&self, events: &'e mut [Ready]) -> &'e [Ready] {
        self.wait(events, 0)
    }

    /// Fetches what is ready, waiting for it up to `timeout_ms`; -1 waits without end.
    #[inline]
    pub fn wait<'e>(&self, events: &'e mut [Ready], timeout_ms: i32) -> &'e [Ready] {
        // SAFETY: `Ready` is a transparent epoll_event and the length given is the slice's.
        let count = unsafe {
            let room = events.len() as libc::c_int;
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr().cast(), room, timeout_ms)
        };
        // The only error a call on our own set can give is EINTR: nothing fetched, nothing lost.
        &events[..count.max(0) as usize]
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest.bits(), u64: token };
        // SAFETY: `event` lives through the call; a bad descriptor is answered with an error.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }
}

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
