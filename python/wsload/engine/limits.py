"""What this machine can hold, and the command that raises each limit."""

import contextlib
import os
import resource
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from wsload.engine.ports import PortRange, port_range

RESERVED_FDS = 64
"""Descriptors of a worker that are no connections."""
_SO_TIMESTAMPNS_NEW = 64


@dataclass(frozen=True, slots=True)
class Machine:
    """Limits of this machine and this process."""

    fd_soft: int
    fd_hard: int
    ports: PortRange
    cpus: int
    clock_source: str | None
    kernel_timestamps: bool
    congestion_control: str | None
    somaxconn: int | None
    memory_bytes: int | None
    """What is free, or can be freed, for new processes."""

    @property
    def connections_per_worker(self) -> int:
        """What one worker's descriptors allow."""
        return max(self.fd_hard - RESERVED_FDS, 0)


def machine() -> Machine:
    """Looks at this machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    somaxconn = _read("net/core/somaxconn")
    return Machine(
        fd_soft=soft,
        fd_hard=hard,
        ports=port_range(),
        cpus=cpus(),
        clock_source=_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        kernel_timestamps=_timestamps_work(),
        congestion_control=_read("net/ipv4/tcp_congestion_control"),
        somaxconn=int(somaxconn) if somaxconn else None,
        memory_bytes=_available_bytes(),
    )


class Steal:
    """CPU time that the host of a virtual machine took away, since the last look."""

    def __init__(self) -> None:
        self._seen = self._stolen_ticks()

    def take(self) -> int:
        """Nanoseconds, over all cores, exact to a tick of the kernel (10 ms as a rule)."""
        before, self._seen = self._seen, self._stolen_ticks()
        return max(self._seen - before, 0) * (10**9 // os.sysconf("SC_CLK_TCK"))

    @staticmethod
    def _stolen_ticks() -> int:
        fields = (_read_file("/proc/stat") or "").partition("\n")[0].split()
        return int(fields[8]) if len(fields) > 8 else 0


def cpus() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def raise_soft_fd_limit() -> None:
    """Raises the soft limit on descriptors to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def raise_fds_command(needed: int) -> str:
    """The shell command that raises the hard limit on descriptors."""
    return f"ulimit -Hn {needed} (as root, or nofile in /etc/security/limits.conf)"


def widen_ports_command() -> str:
    """The command that widens the range of ephemeral ports to its usual greatest."""
    return "sysctl -w net.ipv4.ip_local_port_range='1024 65535'"


def _available_bytes() -> int | None:
    """`MemAvailable`, or what is left of the control group's bound where that is less."""
    free = [
        int(line.split()[1]) << 10 for line in (_read_file("/proc/meminfo") or "").splitlines() if "Available" in line
    ]
    bound, used = (_read_file(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if bound and used and bound != "max":
        free.append(max(int(bound) - int(used), 0))
    return min(free, default=None)


def _timestamps_work() -> bool:
    """Tries receive time stamps on a TCP connection of the loopback."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS_NEW, 1)
            client.settimeout(1.0)
            client.connect(server.getsockname())
            peer, _ = server.accept()
            with peer:
                deadline = time.monotonic() + 1.0
                # The first packets after stamps are switched on may have none.
                while time.monotonic() < deadline:
                    peer.sendall(b"x")
                    _, ancillary, _, _ = client.recvmsg(16, 64)
                    if any(kind == _SO_TIMESTAMPNS_NEW for _, kind, _ in ancillary):
                        return True
    except OSError:
        pass
    return False


def _read(name: str) -> str | None:
    return _read_file(f"/proc/sys/{name}")


def _read_file(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
