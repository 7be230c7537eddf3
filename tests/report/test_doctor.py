"""What doctor says of a machine."""

import io
from dataclasses import replace

from wsload.engine.limits import Machine
from wsload.report.doctor import print_machine

SMALL = Machine(
    fd_soft=1024,
    fd_hard=20_000,
    port_first=32_768,
    port_last=60_999,
    cpus=2,
    clock_source="tsc",
    kernel_timestamps=True,
    congestion_control="bbr",
    somaxconn=128,
)
LARGE = replace(
    SMALL,
    fd_soft=2_000_000,
    fd_hard=2_000_000,
    port_first=1024,
    port_last=65_535,
    congestion_control="cubic",
    somaxconn=4096,
)


def shown(machine: Machine) -> str:
    out = io.StringIO()
    print_machine(machine, out)
    return out.getvalue()


def test_a_small_machine_is_told_what_it_holds_and_what_raises_each_limit() -> None:
    # 60,999 - 32,768 + 1 ports; 20,000 - 64 descriptors in each of two workers.
    assert (
        shown(SMALL)
        == """\
  low   file descriptors      1,024 soft, 20,000 hard (wsload raises soft to hard by itself)
  low   ephemeral ports       28,232 (32768 to 60999)
  ok    CPU cores             2, one worker on each by default
  ok    clock source          tsc
  ok    kernel time stamps    work
  ok    congestion control    bbr: it paces what it sends, say so beside results
  low   listen backlog        128 (servers on this machine)

  This machine holds 28,232 connections to one target:
    28,232  from one source address to one target (ephemeral ports)
    39,872  in 2 workers, 19,936 in each (file descriptors)

  more from each source address; --source-ip adds addresses:
    sysctl -w net.ipv4.ip_local_port_range='1024 65535'

  more in each worker; --workers adds workers:
    ulimit -Hn 1048576 (as root, or nofile in /etc/security/limits.conf)

  servers here lose fewer connections at once:
    sysctl -w net.core.somaxconn=65535
"""
    )


def test_a_large_machine_needs_no_command() -> None:
    text = shown(LARGE)
    assert "low" not in text
    assert "sysctl" not in text
    assert "ulimit" not in text
    assert "2,000,000 soft, 2,000,000 hard\n" in text
    assert "congestion control    cubic\n" in text
    assert text.endswith(
        "   64,512  from one source address to one target (ephemeral ports)\n"
        "    3,999,872  in 2 workers, 1,999,936 in each (file descriptors)\n"
    )


def test_descriptors_decide_where_they_are_the_fewer() -> None:
    text = shown(replace(LARGE, fd_soft=1064, fd_hard=1064, cpus=1))
    assert "This machine holds 1,000 connections to one target:" in text
    assert "   1,000  in 1 worker (file descriptors)\n" in text


def test_what_is_unknown_or_missing_is_said() -> None:
    odd = replace(LARGE, clock_source=None, kernel_timestamps=False, congestion_control=None, somaxconn=None)
    text = shown(odd)
    assert "  low   clock source          unknown: reading it may be slow, prefer tsc\n" in text
    assert "  low   kernel time stamps    do not work: arrivals are stamped when they are read\n" in text
    assert "  ok    congestion control    unknown\n" in text
    assert "  low   listen backlog        unknown\n" in text
