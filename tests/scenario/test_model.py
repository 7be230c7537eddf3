"""Rules over several fields."""

from pathlib import Path
from typing import Any

import pytest

from wsload.errors import UsageError
from wsload.scenario import ClosedLoad, IdleLoad, LoadModel, Message, OpenLoad, Scenario, build_plan
from wsload.scenario.wire import Proxy

SECOND = 10**9


def scenario(**fields: Any) -> Scenario:
    load = LoadModel(**{key: fields.pop(key) for key in list(fields) if key in LoadModel.model_fields})
    message = Message(**{key: fields.pop(key) for key in list(fields) if key in Message.model_fields})
    return Scenario(target="ws://127.0.0.1:9/", load=load, message=message, **fields)


def test_the_defaults_are_those_of_the_help() -> None:
    plan = build_plan(scenario())
    assert plan.load == ClosedLoad(in_flight=1)
    assert (plan.connections, plan.duration_ns, plan.iterations) == (1, 10 * SECOND, None)
    assert (plan.connect_timeout_ns, plan.reply_timeout_ns, plan.warmup_ns) == (10 * SECOND, 10 * SECOND, 0)
    assert plan.message is not None
    assert (plan.message.kind, len(plan.message.payload)) == ("text", 32)
    assert plan.message.payload.decode().isprintable()


def test_a_number_of_messages_replaces_the_default_duration() -> None:
    assert build_plan(scenario(iterations=5)).duration_ns is None
    assert build_plan(scenario(iterations=5, duration_ns=SECOND)).duration_ns == SECOND


def test_load_models() -> None:
    assert build_plan(scenario(in_flight=4)).load == ClosedLoad(in_flight=4)
    assert build_plan(scenario(rate_per_s=5.0)).load == OpenLoad(rate_per_s=5.0, arrivals="constant")
    each = scenario(rate_per_conn_per_s=10.0, connections=7, arrivals="poisson")
    assert build_plan(each).load == OpenLoad(rate_per_s=70.0, arrivals="poisson")
    idle = build_plan(scenario(idle=True))
    assert (idle.load, idle.message) == (IdleLoad(), None)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"connections": 0}, "--connections: 0 connections"),
        ({"iterations": 0}, "--iterations: 0 messages"),
        ({"duration_ns": 0}, "--duration: "),
        ({"in_flight": 0}, "--in-flight: 0"),
        ({"rate_per_s": 0.0}, "--rate: 0/s"),
        ({"connect_rate_per_s": 0.0}, "--connect-rate: 0/s"),
        ({"rate_per_s": 1.0, "rate_per_conn_per_s": 1.0}, "--rate-per-conn: --rate is given as well"),
        ({"rate_per_s": 9.0, "in_flight": 2}, "--in-flight: it belongs to a closed loop"),
        ({"arrivals": "poisson"}, "--arrivals: without --rate"),
        ({"match": "none"}, "--match none: a closed loop waits"),
        ({"idle": True, "rate_per_s": 9.0}, "--rate: --idle has no schedule"),
        ({"idle": True, "in_flight": 2}, "--in-flight: --idle"),
        ({"idle": True, "iterations": 2}, "--iterations: --idle"),
        ({"idle": True, "text": "x"}, "--message: --idle"),
        ({"idle": True, "binary": True}, "--binary: --idle"),
        ({"text": "x", "file": Path("y")}, "--message-file: --message is given as well"),
        ({"text": "x", "size_bytes": 3}, "--size: --message is given as well"),
        ({"size_bytes": 1 << 40}, "--size: "),
        ({"rate_per_s": 0.01}, "--rate: at 0.01/s only one message is due in 10 s"),
        ({"grain_ns": 1}, "--grain: outside"),
        ({"source_ips": ("here",)}, "--source-ip: 'here' is not an IP address"),
        ({"connect_to": ("127.0.0.2:80", "there")}, "--connect-to: 'there'"),
        ({"connect_to": ("127.0.0.2:80",) * 256}, "--connect-to: 256 addresses"),
        (
            {"connect_to": ("127.0.0.2:80", "127.0.0.3:80"), "proxy": Proxy(host="127.0.0.1", port=1)},
            "--connect-to: several addresses, and a proxy",
        ),
        ({"headers": (("Upgrade", "x"),)}, "-H/--header: Upgrade cannot be set"),
        ({"headers": (("Cookie", "x"),)}, "-H/--header: Cookie cannot be set"),
        ({"headers": (("X Y", "x"),)}, "-H/--header: X Y is not a header name"),
        ({"headers": (("X", "a\r\nB: c"),)}, "-H/--header: X has a control character"),
        ({"cookies": (("a", "b;c"),)}, "--cookie: a is not a valid cookie"),
        ({"subprotocols": ("a b",)}, "--subprotocol: 'a b' is not a token"),
        ({"subprotocols": ("a", "a")}, "--subprotocol: one is named twice"),
        ({"origin": "x\ny"}, "--origin has a control character"),
        ({"reply_timeout_ns": 0}, "--reply-timeout: no time"),
    ],
)
def test_what_cannot_be_run_names_its_flag_and_a_remedy(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        scenario(**fields)
    assert caught.value.what.startswith(what)
    assert caught.value.remedy


def test_the_same_seed_makes_the_same_message() -> None:
    def payload(seed: int, **fields: Any) -> bytes:
        message = build_plan(scenario(seed=seed, **fields)).message
        assert message is not None
        return message.payload

    assert payload(1, size_bytes=100) == payload(1, size_bytes=100) != payload(2, size_bytes=100)
    assert len(payload(1, size_bytes=100, binary=True)) == 100
    assert payload(1, size_bytes=0) == b""


def test_message_files(tmp_path: Path) -> None:
    text, binary = tmp_path / "text", tmp_path / "binary"
    text.write_text("κόσμε", encoding="utf-8")
    binary.write_bytes(b"ab\xff")
    message = build_plan(scenario(file=text)).message
    assert message is not None
    assert message.payload == "κόσμε".encode()
    assert build_plan(scenario(file=binary, binary=True)).message is not None
    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 2\)"):
        build_plan(scenario(file=binary))
    with pytest.raises(UsageError, match="No such file"):
        build_plan(scenario(file=tmp_path / "missing"))


def test_cookies_and_user_become_headers() -> None:
    made = Scenario(target="ws://u:p@h/", headers=(("X-A", "1"),), cookies=(("a", "b"), ("c", "d")))
    handshake = build_plan(made).handshake
    assert dict(handshake.headers) == {"X-A": "1", "Authorization": "Basic dTpw"}
    assert dict(handshake.cookies) == {"a": "b", "c": "d"}
    both = Scenario(target="ws://u:p@h/", headers=(("authorization", "Bearer x"),))
    with pytest.raises(UsageError, match="Authorization: the user in the URL is given"):
        build_plan(both)
