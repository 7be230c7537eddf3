"""Ephemeral ports: what connections from this machine to a target can still take."""

import ipaddress
import socket
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TIME_WAIT = 6
_TABLES = (("/proc/net/tcp", 4), ("/proc/net/tcp6", 16))

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PortRange:
    """`net.ipv4.ip_local_port_range`, and what is taken out of it."""

    first: int
    last: int
    reserved: int
    """Ports of `net.ipv4.ip_local_reserved_ports` inside the range."""
    reuses_time_wait: int
    """`net.ipv4.tcp_tw_reuse`: 0 never, 1 after a second, 2 so on the loopback only."""

    @property
    def count(self) -> int:
        """Connections from one source address to one target, each with a port of its own."""
        return max(self.last - self.first + 1 - self.reserved, 0)

    def reuses(self, target: str) -> bool:
        """Whether a port in TIME_WAIT to that address is given out again after a second, instead of a minute."""
        loopback = ipaddress.ip_address(target).is_loopback
        return self.reuses_time_wait == 1 or (self.reuses_time_wait == 2 and loopback)


def port_range() -> PortRange:
    """The kernel's settings; its defaults where they cannot be read."""
    first, last = (_sysctl("ip_local_port_range") or "32768 60999").split()
    reserved = count_reserved(_sysctl("ip_local_reserved_ports"), int(first), int(last))
    return PortRange(int(first), int(last), reserved, int(_sysctl("tcp_tw_reuse") or 0))


def count_reserved(text: str, first: int, last: int) -> int:
    """Ports of a list such as `8080,9000-9010` that lie between two, both included."""
    count = 0
    for part in filter(None, text.split(",")):
        low, _, high = part.partition("-")
        count += max(min(int(high or low), last) - max(int(low), first) + 1, 0)
    return count


def taken(targets: Iterable[Endpoint], ports: PortRange) -> Counter[tuple[str, Endpoint]]:
    """Ports of the range in use, by source address and target: connections of others, and TIME_WAIT of earlier runs.

    Those in TIME_WAIT that the kernel gives out again are free.
    """
    wanted = {target: ports.reuses(target[0]) for target in targets}
    used: Counter[tuple[str, Endpoint]] = Counter()
    for path, length in _TABLES:
        for source, port, target, state in _rows(path, length):
            if target in wanted and ports.first <= port <= ports.last and not (state == _TIME_WAIT and wanted[target]):
                used[source, target] += 1
    return used


def _rows(path: str, length: int) -> Iterable[tuple[str, int, Endpoint, int]]:
    """Sockets of the kernel's table: local address and port, remote end, state."""
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        _, local, remote, state, *_ = line.split(None, 4)
        source, port = _endpoint(local, length)
        yield source, port, _endpoint(remote, length), int(state, 16)


def _endpoint(text: str, length: int) -> Endpoint:
    """`0100007F:2328` is 127.0.0.1:9000: words of the address in the machine's byte order."""
    address, _, port = text.partition(":")
    words = struct.pack(f"={length // 4}I", *(int(address[at : at + 8], 16) for at in range(0, length * 2, 8)))
    return socket.inet_ntop(socket.AF_INET if length == 4 else socket.AF_INET6, words), int(port, 16)


def _sysctl(name: str) -> str:
    try:
        return Path(f"/proc/sys/net/ipv4/{name}").read_text(encoding="ascii").strip()
    except OSError:
        return ""
