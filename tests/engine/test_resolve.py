"""Names become addresses."""

import asyncio
import socket

import pytest

from engine.support import make_plan
from wsload.engine.resolve import UnresolvedError, resolve
from wsload.scenario import Plan

KNOWN = {"one.test": ["::1", "127.0.0.1", "::1"], "two.test": ["127.0.0.1", "127.0.0.9"]}


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(_: object, host: str, port: int, **__: object) -> object:
        if host not in KNOWN:
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", (address, port)) for address in KNOWN[host]]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


def plan_to(*dials: tuple[str, int]) -> Plan:
    ends = [{"host": host, "port": port} for host, port in dials]
    return Plan.model_validate({**make_plan().model_dump(by_alias=True), "dials": ends})


def test_addresses_of_all_names_come_in_order_and_once() -> None:
    found = asyncio.run(resolve(plan_to(("one.test", 80), ("two.test", 80), ("two.test", 81))))
    assert found == [
        ("::1", 80),
        ("127.0.0.1", 80),
        ("127.0.0.9", 80),
        ("127.0.0.1", 81),
        ("127.0.0.9", 81),
    ]


def test_one_name_that_is_unknown_is_told() -> None:
    with pytest.raises(UnresolvedError, match=r"^three\.test: Name or service not known$"):
        asyncio.run(resolve(plan_to(("one.test", 80), ("three.test", 80))))
