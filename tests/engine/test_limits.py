"""What this machine can hold."""

import os
import resource
from pathlib import Path

from wsload.engine import limits


def test_the_machine_is_looked_at() -> None:
    here = limits.machine()
    assert (here.fd_soft, here.fd_hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    assert (here.ports.first, here.ports.last) == (int(first), int(last))
    available = next(line for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if "Avail" in line)
    # It changes from moment to moment; a control group may leave less.
    assert here.memory_bytes is not None
    assert 0 < here.memory_bytes <= 2 * (int(available.split()[1]) << 10)


def test_only_cores_that_may_be_used_count() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert limits.cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        limits.raise_soft_fd_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
