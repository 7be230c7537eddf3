"""What doctor says of a machine."""

import io
from dataclasses import replace

from wsload.engine.forecast import Kind
from wsload.engine.limits import Machine
from wsload.engine.ports import PortRange
from wsload.report.doctor import Wish, print_machine

SMALL = Machine(
    fd_soft=1024,
    fd_hard=20_000,
    ports=PortRange(first=32_768, last=60_999, reserved=0, reuses_time_wait=2),
    cpus=2,
    clock_source="tsc",
    kernel_timestamps=True,
    congestion_control="bbr",
    somaxconn=128,
    memory_bytes=2_000_000_000,
)
LARGE = replace(
    SMALL,
    fd_soft=2_000_000,
    fd_hard=2_000_000,
    ports=PortRange(first=1024, last=65_535, reserved=0, reuses_time_wait=2),
    congestion_control="cubic",
    somaxconn=4096,
)


def shown(machine: Machine, wish: Wish | None = None) -> str:
    out = io.StringIO()
    print_machine(machine, out, wish)
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


def test_a_run_that_is_wished_for_is_planned_and_its_memory_forecast() -> None:
    text = shown(SMALL, Wish(50_000, Kind(tls=True)))
    # 19,936 descriptors in each worker, 28,232 ports for each source address.
    assert (
        """
  50,000 TLS connections need 569 MB of 2.00 GB free:
     228 MB  wsload's, 4.56 kB each
     249 MB  the kernel's, 4.98 kB each; a server here adds its own
    92.0 MB  3 workers and the parent

  ok    workers               3, 16,667 connections in each: more than 2 cores, for want of file descriptors
  ok    source addresses      2 for one target: --source-ip, or as many addresses of the target: --connect-to
"""
        in text
    )


def test_what_does_not_fit_is_said() -> None:
    text = shown(SMALL, Wish(50_000, Kind(deflate=True), workers=2))
    assert "  low   workers               2 hold 39,872; use 3\n" in text
    assert "  low   memory                not enough is free\n" in text


def test_little_needs_little() -> None:
    text = shown(LARGE, Wish(1, Kind()))
    assert "  1 connection needs " in text
    assert "  ok    workers               1, 1 connection in it\n" in text
    assert "  ok    source addresses      1 for one target\n" in text
