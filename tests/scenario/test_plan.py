"""The plan has two descriptions, here and in Rust: they must agree."""

import json
from typing import Any

import pytest

from wsload import _core
from wsload.scenario import LoadModel, Message, Plan, Scenario, build_plan

OPTIONAL = {"connect_rate_per_s", "message", "first_message", "duration_ns", "iterations", "origin"}


def plan(**fields: Any) -> Plan:
    return build_plan(Scenario(target="ws://u:secret@127.0.0.1:9/", cookies=(("sid", "hidden"),), **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"load": LoadModel(rate_per_s=20_000.0, arrivals="poisson", warmup_ns=10**9, connect_rate_per_s=50.0)},
        {"load": LoadModel(idle=True), "first_message": "hello", "source_ips": ("127.0.0.2", "::1")},
        {"connect_to": ("127.0.0.2:80", "[::1]:81"), "every_address": True, "source_ips": ("127.0.1.0/29",)},
        {"load": LoadModel(iterations=7), "message": Message(size_bytes=9, binary=True), "seed": (1 << 64) - 1},
    ],
)
def test_rust_reads_every_plan_that_python_writes(fields: dict[str, Any]) -> None:
    assert _core.Shard(plan(**fields).to_json(), 0, 1).state() == "idle"


def test_each_field_is_known_to_both() -> None:
    document = json.loads(plan(first_message="x").to_json())

    def without(path: tuple[str, ...]) -> str:
        copy = json.loads(json.dumps(document))
        place = copy
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        return json.dumps(copy)

    required = [(key,) for key in document] + [
        (part, key) for part in ("target", "handshake", "load", "message") for key in document[part]
    ]
    for path in required:
        # An absent optional field means none.
        if path[-1] not in OPTIONAL:
            with pytest.raises(ValueError, match="missing field"):
                _core.Shard(without(path), 0, 1)
    with pytest.raises(ValueError, match="unknown field `more`"):
        _core.Shard(json.dumps({**document, "more": 1}), 0, 1)


@pytest.mark.parametrize(
    ("fields", "dials", "every_address"),
    [
        ({}, [("127.0.0.1", 9)], False),
        ({"every_address": True}, [("127.0.0.1", 9)], True),
        ({"connect_to": ("127.0.0.2:80",)}, [("127.0.0.2", 80)], False),
        # Whoever names several means all of them.
        ({"connect_to": ("127.0.0.2:80", "[::1]:81")}, [("127.0.0.2", 80), ("::1", 81)], True),
        ({"connect_to": ("127.0.0.2:80", "[::1]:81", "127.0.0.2:80")}, [("127.0.0.2", 80), ("::1", 81)], True),
    ],
)
def test_where_connections_go(fields: dict[str, Any], dials: list[tuple[str, int]], every_address: bool) -> None:
    made = plan(**fields)
    assert [(dial.host, dial.port) for dial in made.dials] == dials
    assert made.every_address is every_address


def test_another_version_is_refused() -> None:
    document = {**json.loads(plan().to_json()), "schema_version": 2}
    with pytest.raises(ValueError, match="plan schema version 2, this build reads 1"):
        _core.Shard(json.dumps(document), 0, 1)
    assert Plan.model_fields["schema_version"].default == _core.PLAN_SCHEMA_VERSION


def test_a_plan_survives_its_own_json() -> None:
    first = plan(message=Message(size_bytes=64, binary=True))
    assert Plan.model_validate_json(first.to_json()) == first


def test_what_is_stored_holds_no_secret() -> None:
    stored = plan(headers=(("X-Plain", "kept"),)).redacted().to_json()
    assert "kept" in stored
    assert "hidden" not in stored
    assert "c2VjcmV0" not in stored
    assert "dTpzZWNyZXQ=" not in stored
