"""What this machine can hold."""

import os
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from engine.support import make_plan
from wsload.engine import limits
from wsload.engine.limits import Machine
from wsload.errors import ExitCode, LimitError
from wsload.scenario import Plan

SMALL = Machine(
    fd_soft=1_024,
    fd_hard=1_064,
    port_first=32_768,
    port_last=60_999,
    cpus=2,
    clock_source="tsc",
    kernel_timestamps=True,
    congestion_control="cubic",
    somaxconn=4_096,
)


def plan_of(connections: int, source_ips: tuple[str, ...] = ()) -> Plan:
    return make_plan(connections=connections).model_copy(update={"source_ips": source_ips})


@pytest.mark.parametrize(("connections", "workers"), [(1_000, 1), (2_000, 2), (1_999, 2)])
def test_what_fits_is_let_through(connections: int, workers: int) -> None:
    limits.check(plan_of(connections), workers, SMALL)


def test_descriptors_are_counted_for_each_worker() -> None:
    with pytest.raises(LimitError) as caught:
        limits.check(plan_of(2_001), 2, SMALL)
    # 1,064 less the reserve of 64 are 1,000 for each of 2 workers; the fuller one has 1,001 connections.
    assert "need 1,065 file descriptors each; the limit is 1,064, so 2,000 connections fit" in caught.value.what
    assert caught.value.remedy.startswith("Use --workers 3, or raise the limit: ulimit -Hn 1065")
    assert caught.value.exit_code is ExitCode.USAGE


def test_ports_are_counted_for_each_source_address() -> None:
    roomy = replace(SMALL, fd_hard=1_000_000)
    limits.check(plan_of(28_232), 1, roomy)
    limits.check(plan_of(56_464, ("127.0.0.1", "127.0.0.2")), 1, roomy)
    with pytest.raises(LimitError) as caught:
        limits.check(plan_of(28_233), 1, roomy)
    assert "28,232 fit (1 source address x 28,232 ephemeral ports)" in caught.value.what
    assert "--source-ip" in caught.value.remedy
    assert "sysctl -w net.ipv4.ip_local_port_range='1024 65535'" in caught.value.remedy


def test_two_sources_that_do_not_suffice_are_named() -> None:
    with pytest.raises(LimitError, match="56,464 fit \\(2 source addresses x 28,232 ephemeral ports\\)"):
        limits.check(plan_of(60_000, ("127.0.0.1", "127.0.0.2")), 1, replace(SMALL, fd_hard=1_000_000))


def test_the_machine_is_looked_at() -> None:
    here = limits.machine()
    assert (here.fd_soft, here.fd_hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    assert (here.port_first, here.port_last) == (int(first), int(last))
    assert here.ports == int(last) - int(first) + 1


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
