"""What fits this machine."""

from typing import Any

import pytest

from wsload.engine import limits
from wsload.engine.limits import Machine
from wsload.errors import LimitError
from wsload.scenario import LoadModel, Scenario, build_plan


def machine(**fields: Any) -> Machine:
    defaults: dict[str, Any] = {"fd_soft": 1024, "fd_hard": 1064, "port_first": 32768, "port_last": 60999, "cpus": 2}
    facts: dict[str, Any] = {"clock_source": "tsc", "kernel_timestamps": True, "congestion_control": "bbr"}
    return Machine(**(defaults | facts | {"somaxconn": 4096} | fields))


def check(connections: int, workers: int, here: Machine, *source_ips: str) -> None:
    scenario = Scenario(target="ws://h/", load=LoadModel(connections=connections), source_ips=source_ips)
    limits.check(build_plan(scenario), workers, here)


def test_what_just_fits_is_allowed() -> None:
    check(2000, 2, machine())
    check(28_232, 2, machine(fd_hard=1 << 20))
    check(56_464, 2, machine(fd_hard=1 << 20), "127.0.0.2", "127.0.0.3")


def test_descriptors_are_counted_per_worker() -> None:
    with pytest.raises(LimitError) as caught:
        check(2001, 2, machine())
    assert "the limit is 1,064, so 2,000 connections fit" in caught.value.what
    assert caught.value.remedy.startswith("Use --workers 3, or raise the limit: ulimit -Hn 1065")
    assert caught.value.exit_code == 2


def test_ports_are_counted_per_source_address() -> None:
    with pytest.raises(LimitError) as caught:
        check(28_233, 2, machine(fd_hard=1 << 20))
    assert "28,232 fit (1 source address x 28,232 ephemeral ports)" in caught.value.what
    assert "--source-ip" in caught.value.remedy
    assert "ip_local_port_range" in caught.value.remedy


def test_this_machine_can_be_described() -> None:
    here = limits.machine()
    assert 0 < here.fd_soft <= here.fd_hard
    assert here.ports > 1000
    assert here.cpus >= 1
    assert isinstance(here.kernel_timestamps, bool)
