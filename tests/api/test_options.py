"""Keywords of Python and what becomes of them; what people are told who got one wrong."""

import inspect
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import wsload
from wsload.api import RunOptions, ScenarioOptions
from wsload.api.options import FIELDS
from wsload.api.scenario import KEYWORDS, PARTS
from wsload.cli.run import run as cli_run
from wsload.errors import UsageError, WsloadError
from wsload.scenario import Compression, Scenario, Stage, UniformThink
from wsload.scenario.parts import FixedThink, Reconnect, Waits
from wsload.scenario.words import FOREVER

FLAGS = Path(__file__).parents[2] / "docs" / "cli.md"
URL = "ws://127.0.0.1:9/"
SECOND = 10**9


def field(name: str, value: Any) -> Any:
    """What a keyword makes of a value."""
    made = wsload.Scenario(URL, **{name: value}, **NEEDS.get(name, {})).model
    where = FIELDS[name]
    return getattr(getattr(made, where.part) if where.part else made, where.name)


NEEDS: dict[str, Any] = {
    "arrivals": {"rate": 5},
    "publishers": {"rate": 5, "connections": 10},
    "require_subprotocol": {"subprotocols": ["a"]},
    "ping_timeout": {"ping_interval": 1},
}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("duration", "1m30s", 90 * SECOND),
        ("duration", 10, 10 * SECOND),
        ("duration", 0.1, SECOND // 10),
        ("duration", timedelta(minutes=1, microseconds=1), 60 * SECOND + 1_000),
        ("warmup", "250ms", SECOND // 4),
        ("reply_timeout", 5, 5 * SECOND),
        ("grain", "1ms", 1_000_000),
        ("ping_timeout", "1s", SECOND),
        ("rate", "20k/s", 20_000.0),
        ("rate", 20_000, 20_000.0),
        ("rate_per_conn", 0.5, 0.5),
        ("connections", "50k", 50_000),
        ("connections", 7, 7),
        ("publishers", 3, 3),
        ("size", "64KiB", 65_536),
        ("size", 100, 100),
        ("stages", ["30s:20k/s", (10, "5/s"), ("1s", 9)],
         (Stage(duration_ns=30 * SECOND, target_per_s=20_000), Stage(duration_ns=10 * SECOND, target_per_s=5),
          Stage(duration_ns=SECOND, target_per_s=9))),
        ("stages", "30s:20k/s", (Stage(duration_ns=30 * SECOND, target_per_s=20_000),)),
        ("think", "uniform:1s,3s", UniformThink(low_ns=SECOND, high_ns=3 * SECOND)),
        ("think", 0.5, FixedThink(span_ns=SECOND // 2)),
        ("reconnect", "never", Reconnect()),
        ("reconnect", 0, Reconnect()),
        ("reconnect", 5, Reconnect(attempts=5)),
        ("reconnect", "5", Reconnect(attempts=5)),
        ("reconnect", "storm", Reconnect(attempts=FOREVER, storm=True)),
        ("reconnect_wait", "1s,30s", Waits(first_ns=SECOND, longest_ns=30 * SECOND)),
        ("reconnect_wait", (0.5, "1m"), Waits(first_ns=SECOND // 2, longest_ns=60 * SECOND)),
        ("headers", {"X-A": "1"}, (("X-A", "1"),)),
        ("headers", [("X-A", "1"), ("X-A", "2")], (("X-A", "1"), ("X-A", "2"))),
        ("subprotocols", ["a", "b"], ("a", "b")),
        ("subprotocols", "a", ("a",)),
        ("thresholds", ["failures == 0"], ("failures == 0",)),
        ("compress", True, Compression()),
        ("compress", False, None),
        ("compress", "level=1", Compression(level=1)),
        ("seed", "7f3a", 0x7F3A),
        ("seed", 0x7F3A, 0x7F3A),
        ("close_code", 3000, 3000),
        ("arrivals", "poisson", "poisson"),
        ("message_file", Path("a.json"), Path("a.json")),
        ("idle", True, True),
        ("source_ips", ["127.0.0.2"], ("127.0.0.2",)),
        ("redact", ["$.token"], ("$.token",)),
        ("connect_to", "127.0.0.2:80", ("127.0.0.2:80",)),
        ("connect_to", ["127.0.0.2:80", "127.0.0.3:80"], ("127.0.0.2:80", "127.0.0.3:80")),
        ("every_address", True, True),
        ("proxy", None, None),
    ],
)  # fmt: skip
def test_values(name: str, value: Any, expected: Any) -> None:
    assert field(name, value) == expected


def test_a_proxy_is_an_address_or_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:8080")
    monkeypatch.setenv("NO_PROXY", "")
    for value in ("env", "http://proxy.test:8080"):
        proxy = wsload.Scenario("ws://h/", proxy=value).model.proxy
        assert proxy is not None
        assert (proxy.host, proxy.port) == ("proxy.test", 8080)


TEXT = 'Write a number, or a text such as "{}".'
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"conections": 1}, "conections: there is no such keyword", "The nearest is connections."),
    ({"header": {}}, "header: there is no such keyword", "The nearest is headers."),
    ({"source_ip": []}, "source_ip: there is no such keyword", "The nearest is source_ips."),
    ({"rate": "fast"}, "rate: 'fast' is not a rate",
     "Write a number per second, minute or hour: 20k/s, 500, 600/m."),
    ({"rate": True}, "rate: True is not a number of messages per second", TEXT.format("20k/s")),
    ({"rate": float("nan")}, "rate: nan is not a number of messages per second", TEXT.format("20k/s")),
    ({"duration": -1}, "duration: -1 is not a number of seconds", TEXT.format("10s")),
    ({"duration": "10"}, "duration: '10' is not a duration",
     "Write a number with its unit, such as 30s, 250ms or 1h30m."),
    ({"duration": []}, "duration: [] is not a number of seconds", TEXT.format("10s")),
    ({"connections": 1.5}, "connections: 1.5 is not a whole number", 'Write an int, or a text such as "50k".'),
    ({"connections": 0}, "connections: 0 connections", "It takes at least 1 and at most 10,000,000."),
    ({"stages": 5}, "stages: a value of type int will not do", "Write a list."),
    ({"stages": [(1, 2, 3)]}, "stages: (1, 2, 3) is no stage", 'Write "30s:20k/s" or ("30s", "20k/s").'),
    ({"stages": ["0s:1/s"]}, "stages: the stages have no length", "Give them time: 30s:20k/s."),
    ({"headers": {"X": 1}}, "headers: it holds no pairs of texts",
     'Write {"Name": "value"} or [("Name", "value")].'),
    ({"headers": ["X: 1"]}, "headers: it holds no pairs of texts",
     'Write {"Name": "value"} or [("Name", "value")].'),
    ({"headers": {"Upgrade": "x"}}, "headers: Upgrade cannot be set",
     "Leave it out: wsload sends it, as RFC 6455 demands."),
    ({"idle": 1}, "idle: 1 is neither True nor False", "Write True or False."),
    ({"bearer": b"x"}, "bearer: it is no text", "Write a str."),
    ({"cacert": 5}, "cacert: 5 is no path", "Name a file."),
    ({"seed": -1}, "seed: '-1' is no hexadecimal number of 1 to 16 digits", "Try 7f3a."),
    ({"reconnect": "always"}, "reconnect: 'always' is neither never, forever, storm nor a number of attempts",
     "Write 5 for five attempts (at most 1,000,000)."),
    ({"reconnect_wait": 5}, "reconnect_wait: 5 are no two waits", 'Write "1s,30s" or ("1s", "30s").'),
    ({"reconnect": "storm", "reconnect_wait": "1s,2s"}, "reconnect_wait: a storm waits for nothing",
     "Drop one of the two."),
    ({"arrivals": "normal", "rate": 5}, "arrivals: input should be 'constant' or 'poisson'", "See docs/python-api.md."),
    ({"rate": 5, "in_flight": 2}, "in_flight: it belongs to a closed loop, rate makes the loop open",
     "Drop one of the two."),
    ({"rate": 5, "rate_per_conn": 2}, "rate_per_conn: rate is given as well",
     "Name the rate of all connections together, or of each."),
    ({"insecure": True}, "insecure: the target is not secured by TLS", "Aim at wss://, or drop the flag."),
    ({"thresholds": ["failures = 0"]}, "thresholds: 'failures = 0', character 10: '=' is no operator", "Write ==."),
    ({"compress": "fast"}, "compress: 'fast' is no parameter",
     f"Write 'on', or any of: {', '.join(Compression.model_fields)}."),
]  # fmt: skip


@pytest.mark.parametrize(("options", "what", "remedy"), BAD, ids=[what for _, what, _ in BAD])
def test_mistakes_are_told_by_keyword(options: dict[str, Any], what: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        wsload.Scenario(URL, **options)
    assert (caught.value.what, caught.value.remedy) == (what, remedy)
    with pytest.raises(UsageError) as caught:
        wsload.run(URL, **options)
    assert caught.value.what.split(";")[0] == what


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"workers": 0}, "workers: 0 is not a number of processes"),
        ({"workers": "2"}, "workers: '2' is not a number of processes"),
        ({"workers": 2, "serialize_connects": True}, "workers: serialize_connects takes one worker"),
        ({"labels": {1: 2}}, "labels: it holds no pairs of texts"),
        ({"output": "/nowhere/x.wsload"}, "/nowhere/x.wsload: cannot be written: No such file or directory"),
        ({"message_file": "/nowhere/x"}, "message_file: /nowhere/x: No such file or directory"),
        ({"connections": 1_000_000}, "connections: 1,000,000 connections need as many ports"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_starts(options: dict[str, Any], what: str) -> None:
    with pytest.raises(WsloadError) as caught:
        wsload.run(URL, **options)
    assert str(caught.value).startswith(what)


@pytest.mark.parametrize("target", [None, 5, b"ws://h/"])
def test_a_target_is_text(target: Any) -> None:
    with pytest.raises(UsageError, match=r"^target: "):
        wsload.Scenario(target)


def test_a_secret_is_in_no_error_and_no_repr() -> None:
    made = wsload.Scenario("ws://me:hush@h/?a=b", headers={"X": "hush"})
    assert "hush" not in repr(made)
    with pytest.raises(UsageError) as caught:
        wsload.Scenario(URL, bearer="hush\n")
    assert "hush" not in str(caught.value)


def test_but_gives_another_scenario_with_the_same_seed() -> None:
    one = wsload.Scenario(URL, connections=5, rate=100, headers={"X": "1"})
    other = one.but(connections=7, rate=None, in_flight=3)
    assert (one.model.load.connections, one.model.load.rate_per_s) == (5, 100)
    assert (other.model.load.connections, other.model.load.rate_per_s, other.model.load.in_flight) == (7, None, 3)
    assert (other.model.seed, other.model.headers) == (one.model.seed, (("X", "1"),))
    assert one.but() == one != other
    assert len({one, one.but(), other}) == 2
    with pytest.raises(UsageError, match=r"^in_flight: "):
        one.but(in_flight=2)


def test_keywords_are_flags() -> None:
    """Whatever Python takes, the command line takes under the same name, and the type checker knows it."""
    parameters = set(inspect.signature(cli_run).parameters) - {"url"}
    singular = {keyword: flag.replace("-", "_") for flag, keyword in KEYWORDS.items()}
    assert {singular.get(name, name) for name in RunOptions.__annotations__} <= parameters
    assert ScenarioOptions.__annotations__.keys() == FIELDS.keys()
    listed = set(re.findall(r"--([a-z-]+)", FLAGS.read_text(encoding="utf-8")))
    assert {singular.get(name, name).replace("_", "-") for name in RunOptions.__annotations__} <= listed


def test_every_field_is_one_of_the_scenario() -> None:
    for name, where in FIELDS.items():
        model = PARTS[where.part] if where.part else Scenario
        assert where.name in get_type_hints(model), name
