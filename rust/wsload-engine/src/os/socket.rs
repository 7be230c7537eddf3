//! Non-blocking TCP client sockets whose reads carry the kernel's receive time stamp.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::check;

/// A non-blocking TCP socket, closed on drop.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// How a connection attempt began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectStart {
    /// Connected already.
    Done,
    /// Becomes writable when it is over; ask [`Socket::take_error`] how it went.
    InProgress,
}

/// One read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes read; 0 at the end of the stream.
    pub len: usize,
    /// Realtime ns at which the kernel received the segment that holds the last byte read.
    pub stamp_ns: Option<u64>,
}

/// Room for one timestamp control message, aligned as the kernel wants it.
#[repr(align(8))]
struct ControlBuffer {
    _bytes: [MaybeUninit<u8>; 64],
}

/// A range of ports for one socket, inside that of `net.ipv4.ip_local_port_range` (linux/in.h).
const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
/// All of it, as lowest port and, above it, highest. A socket without a range of its own looks at every other port
/// first: past half of the range each connect then searches all of that half, for milliseconds.
const ANY_EPHEMERAL_PORT: libc::c_int = 0xffff_0001_u32 as libc::c_int;

impl Socket {
    /// A socket ready to connect to `target`: no delay, receive stamps on, bound to `source` if given.
    ///
    /// The port of a bound source is chosen at connect time (`IP_BIND_ADDRESS_NO_PORT`), else the ephemeral range
    /// is spent per source instead of per (source, target).
    pub fn new(target: SocketAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let domain = if target.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers; the returned descriptor is owned by nobody else.
        let socket = unsafe { Self(OwnedFd::from_raw_fd(check(libc::socket(domain, kind, 0))?)) };
        socket.set_flag(libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
        // A kernel without stamps is no error: such reads are stamped by us and counted.
        let _ = socket.set_flag(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS_NEW);
        // Nor is one older than 6.3, which searches half of the range in vain once that half is spent.
        let _ = socket.set_option(libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, ANY_EPHEMERAL_PORT);
        if let Some(source) = source {
            socket.set_flag(libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT)?;
            let (address, len) = raw_address(SocketAddr::new(source, 0));
            // SAFETY: `address` holds `len` valid bytes.
            check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) })?;
        }
        Ok(socket)
    }

    /// Begins to connect.
    pub fn connect(&self, target: SocketAddr) -> io::Result<ConnectStart> {
        let (address, len) = raw_address(target);
        // SAFETY: `address` holds `len` valid bytes.
        match check(unsafe { libc::connect(self.as_raw_fd(), (&raw const address).cast(), len) }) {
            Ok(_) => Ok(ConnectStart::Done),
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(ConnectStart::InProgress),
            Err(error) => Err(error),
        }
    }

    /// The pending error of the socket, cleared: how an attempt ended.
    pub fn take_error(&self) -> io::Result<()> {
        let mut code: libc::c_int = 0;
        let mut len = mem::size_of_val(&code) as libc::socklen_t;
        // SAFETY: `code` and `len` are valid and of the size this option has.
        check(unsafe {
            let value = (&raw mut code).cast();
            libc::getsockopt(self.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ERROR, value, &mut len)
        })?;
        if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
    }

    /// Sends what the kernel takes; `Ok(0)`: nothing now.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the pointer and length are those of a live slice; no destination address is given. The C library's
        // wrapper would make each call a thread cancellation point, which costs and serves nobody here.
        let sent = unsafe {
            let (fd, flags, nowhere) = (self.as_raw_fd(), libc::MSG_NOSIGNAL, std::ptr::null::<libc::sockaddr>());
            libc::syscall(libc::SYS_sendto, fd, bytes.as_ptr(), bytes.len(), flags, nowhere, 0)
        };
        if sent >= 0 {
            return Ok(sent as usize);
        }
        let error = io::Error::last_os_error();
        if would_wait(&error) { Ok(0) } else { Err(error) }
    }

    /// Reads once; `Ok(None)`: nothing there now.
    #[inline]
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = ControlBuffer { _bytes: [MaybeUninit::uninit(); 64] };
        let mut parts = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: msghdr is plain data; its pointers are to locals and to `buffer`, all alive through the call.
        let (len, header) = unsafe {
            let mut header: libc::msghdr = mem::zeroed();
            header.msg_iov = &mut parts;
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut control).cast();
            header.msg_controllen = mem::size_of::<ControlBuffer>() as _;
            (libc::syscall(libc::SYS_recvmsg, self.as_raw_fd(), &raw mut header, 0), header)
        };
        if len >= 0 {
            return Ok(Some(Received { len: len as usize, stamp_ns: stamp_of(&header) }));
        }
        let error = io::Error::last_os_error();
        if would_wait(&error) { Ok(None) } else { Err(error) }
    }

    fn set_flag(&self, level: libc::c_int, name: libc::c_int) -> io::Result<()> {
        self.set_option(level, name, 1)
    }

    fn set_option(&self, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        let len = mem::size_of_val(&value) as libc::socklen_t;
        // SAFETY: `value` is a valid int of the given length.
        check(unsafe { libc::setsockopt(self.as_raw_fd(), level, name, (&raw const value).cast(), len) }).map(drop)
    }
}

impl AsRawFd for Socket {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The call may simply be made again later.
#[inline]
fn would_wait(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR))
}

/// The `SCM_TIMESTAMPNS_NEW` message, when it is the first one: nothing else is switched on.
#[inline]
fn stamp_of(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the kernel filled `msg_controllen` bytes; CMSG_FIRSTHDR checks that a whole header is among them.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null()
            || (*message).cmsg_level != libc::SOL_SOCKET
            || (*message).cmsg_type != libc::SO_TIMESTAMPNS_NEW
        {
            return None;
        }
        // struct __kernel_timespec: two 64-bit numbers on every architecture.
        let [seconds, nanos] = libc::CMSG_DATA(message).cast::<[i64; 2]>().read_unaligned();
        Some(seconds as u64 * 1_000_000_000 + nanos as u64)
    }
}

fn raw_address(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: sockaddr_storage is plain data and large and aligned enough for both families.
    unsafe {
        let mut storage: libc::sockaddr_storage = mem::zeroed();
        let len = match address {
            SocketAddr::V4(v4) => {
                let raw = (&raw mut storage).cast::<libc::sockaddr_in>();
                (*raw).sin_family = libc::AF_INET as libc::sa_family_t;
                (*raw).sin_port = v4.port().to_be();
                (*raw).sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                mem::size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let raw = (&raw mut storage).cast::<libc::sockaddr_in6>();
                (*raw).sin6_family = libc::AF_INET6 as libc::sa_family_t;
                (*raw).sin6_port = v6.port().to_be();
                (*raw).sin6_addr.s6_addr = v6.ip().octets();
                (*raw).sin6_scope_id = v6.scope_id();
                mem::size_of::<libc::sockaddr_in6>()
            }
        };
        (storage, len as libc::socklen_t)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener};

    use super::super::{ClockMap, Epoll, Interest, Ready, monotonic_ns};
    use super::*;

    /// Waits for one event of the socket, bounded; the set itself never blocks.
    fn wait(socket: &Socket, interest: Interest) -> Ready {
        let set = Epoll::new().unwrap();
        set.add(socket.as_raw_fd(), interest, 7).unwrap();
        let mut poll = libc::pollfd { fd: set.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        assert_eq!(unsafe { libc::poll(&mut poll, 1, 5_000) }, 1, "no event within 5 s");
        set.poll(&mut [Ready::EMPTY; 4])[0]
    }

    fn connected(listener: &TcpListener, source: Option<IpAddr>) -> (Socket, std::net::TcpStream) {
        let target = listener.local_addr().unwrap();
        let socket = Socket::new(target, source).unwrap();
        if socket.connect(target).unwrap() == ConnectStart::InProgress {
            assert!(wait(&socket, Interest::ReadWrite).writable());
        }
        socket.take_error().unwrap();
        (socket, listener.accept().unwrap().0)
    }

    #[test]
    fn bytes_travel_and_reads_carry_a_stamp_between_send_and_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (socket, mut peer) = connected(&listener, None);
        let mut buffer = [0; 16];
        assert_eq!(socket.receive(&mut buffer).unwrap(), None);
        assert_eq!(socket.send(b"ping").unwrap(), 4);
        peer.read_exact(&mut buffer[..4]).unwrap();
        assert_eq!(&buffer[..4], b"ping");
        // The kernel switches stamps on from a queue of its own, which a busy machine serves late.
        let deadline = monotonic_ns() + 10_000_000_000;
        while monotonic_ns() < deadline {
            let before = monotonic_ns();
            peer.write_all(b"pong!").unwrap();
            assert!(wait(&socket, Interest::Read).readable());
            let received = socket.receive(&mut buffer).unwrap().unwrap();
            assert_eq!(&buffer[..received.len], b"pong!");
            if let Some(stamp) = received.stamp_ns {
                let arrival = ClockMap::new().to_monotonic(stamp);
                assert!(arrival + 1_000 >= before && arrival <= monotonic_ns() + 1_000);
                return;
            }
        }
        panic!("no read carried a stamp");
    }

    #[test]
    fn the_end_of_the_stream_reads_as_zero_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (socket, peer) = connected(&listener, None);
        peer.shutdown(Shutdown::Write).unwrap();
        assert!(wait(&socket, Interest::Read).ended());
        assert_eq!(socket.receive(&mut [0; 16]).unwrap().unwrap().len, 0);
    }

    #[test]
    fn a_refused_attempt_says_so() {
        let target = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = Socket::new(target, None).unwrap();
        let error = match socket.connect(target) {
            Ok(_) => {
                wait(&socket, Interest::ReadWrite);
                socket.take_error().unwrap_err()
            }
            Err(error) => error,
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_source_address_is_used() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let source: IpAddr = "127.0.0.9".parse().unwrap();
        let (_socket, peer) = connected(&listener, Some(source));
        assert_eq!(peer.peer_addr().unwrap().ip(), source);
    }

    #[test]
    fn ipv6_connects() {
        // A machine without IPv6 cannot bind ::1; the address conversion is then covered elsewhere.
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let (socket, _peer) = connected(&listener, None);
        assert_eq!(socket.send(b"x").unwrap(), 1);
    }
}
