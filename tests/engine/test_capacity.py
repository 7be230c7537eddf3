"""What is refused before a run begins."""

from dataclasses import replace

import pytest

from engine.support import make_plan
from wsload.engine import capacity
from wsload.engine.limits import Machine
from wsload.engine.ports import PortRange
from wsload.errors import ExitCode, LimitError
from wsload.scenario import Plan

SMALL = Machine(
    fd_soft=1_024,
    fd_hard=1_064,
    ports=PortRange(first=32_768, last=60_999, reserved=0, reuses_time_wait=2),
    cpus=2,
    clock_source="tsc",
    kernel_timestamps=True,
    congestion_control="cubic",
    somaxconn=4_096,
    memory_bytes=None,
)
ROOMY = replace(SMALL, fd_hard=1_000_000)
TWO = ("127.0.0.1", "127.0.0.2")


def plan_of(connections: int, source_ips: tuple[str, ...] = (), **updates: object) -> Plan:
    # Port 9 has no connections that could be counted.
    return make_plan(connections=connections).model_copy(update={"source_ips": source_ips, **updates})


def refused(plan: Plan, workers: int, here: Machine) -> LimitError:
    with pytest.raises(LimitError) as caught:
        capacity.check(plan, workers, here)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


@pytest.mark.parametrize(("connections", "workers"), [(1_000, 1), (2_000, 2), (1_999, 2)])
def test_what_fits_is_let_through(connections: int, workers: int) -> None:
    capacity.check(plan_of(connections), workers, SMALL)


def test_descriptors_are_counted_for_each_worker() -> None:
    error = refused(plan_of(2_001), 2, SMALL)
    # 1,064 less the reserve of 64 are 1,000 for each of 2 workers; the fuller one has 1,001 connections.
    assert "need 1,065 file descriptors each; the limit is 1,064, so 2,000 connections fit" in error.what
    assert error.remedy.startswith("Leave --workers out, use --workers 3, or raise the limit: ulimit -Hn 1065")


@pytest.mark.parametrize(
    ("connections", "workers"),
    # A worker per core; more when 1,000 connections in each do not suffice; one for each connection at most.
    [(1, 1), (2, 2), (2_000, 2), (2_001, 3), (100_000, 100)],
)
def test_workers_are_planned_by_cores_and_descriptors(connections: int, workers: int) -> None:
    assert capacity.workers_needed(connections, SMALL) == workers


def test_ports_are_counted_for_each_source_address() -> None:
    capacity.check(plan_of(28_232), 1, ROOMY)
    capacity.check(plan_of(56_464, TWO), 1, ROOMY)
    error = refused(plan_of(28_233), 1, ROOMY)
    assert "28,232 fit (1 source address x 28,232 ephemeral ports)" in error.what
    assert error.remedy.startswith("Name 2 source addresses with --source-ip")
    assert "sysctl -w net.ipv4.ip_local_port_range='1024 65535'" in error.remedy
    assert "56,464 fit (2 source addresses x 28,232 ephemeral ports)" in refused(plan_of(60_000, TWO), 1, ROOMY).what


def test_ports_are_counted_for_each_target_address_that_is_used() -> None:
    dials = [{"host": f"127.0.0.{last}", "port": 9} for last in (1, 2, 3)]
    plan = Plan.model_validate({**make_plan(connections=84_696).model_dump(by_alias=True), "dials": dials})
    capacity.check(plan.model_copy(update={"every_address": True}), 1, ROOMY)
    # One that is only tried when another fails adds none.
    assert "28,232 fit (1 source address x 28,232" in refused(plan, 1, ROOMY).what
    more = plan.model_copy(update={"every_address": True, "connections": 84_697})
    assert "84,696 fit (1 source address x 3 target addresses x 28,232" in refused(more, 1, ROOMY).what


def test_ports_that_are_taken_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    target = ("127.0.0.1", 9)
    monkeypatch.setattr(capacity, "taken", lambda *_: {("127.0.0.1", target): 232, ("127.0.0.2", target): 5_232})
    capacity.check(plan_of(14_000), 1, ROOMY)
    # The kernel chooses the source, so the one with the most taken decides; and so it does among several.
    assert "23,000 of 28,232 ephemeral ports that are free" in refused(plan_of(28_000), 1, ROOMY).what
    monkeypatch.setattr(
        capacity, "taken", lambda *_: dict.fromkeys([("127.0.0.1", target), ("127.0.0.2", target)], 232)
    )
    assert "56,000 fit (2 source addresses x 28,000 of 28,232" in refused(plan_of(56_001, TWO), 1, ROOMY).what


def test_a_source_that_is_not_this_machines_is_named() -> None:
    # TEST-NET-3 (RFC 5737) belongs to nobody.
    error = refused(plan_of(3, ("127.0.0.2", "203.0.113.1", "203.0.113.2")), 1, SMALL)
    assert error.what == "--source-ip: 203.0.113.1 is no address of this machine, nor is 1 other"
    assert "ip address add 203.0.113.1 dev DEVICE" in error.remedy
    # One that no connection would use is not asked about.
    capacity.check(plan_of(1, ("127.0.0.2", "203.0.113.1")), 1, SMALL)


def test_memory_that_does_not_suffice_is_told_with_what_does() -> None:
    capacity.check(plan_of(10_000), 1, replace(ROOMY, memory_bytes=10**9))
    error = refused(plan_of(28_000), 1, replace(ROOMY, memory_bytes=150_000_000))
    assert error.what.startswith("--connections: 28,000 connections need about ")
    assert "150 MB are free, so about " in error.what
