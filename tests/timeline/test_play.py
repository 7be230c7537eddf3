"""The plan that plays a recording, and how times are compared afterwards."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from recordings import MS, event, numbered, received, sent, write
from wsload.errors import UsageError
from wsload.results import Event, Flag, RunFile
from wsload.scenario import LoadModel, Plan, ReplayLoad, Scenario
from wsload.timeline import play
from wsload.timeline.play import Pace, lateness_ns, messages_by_connection, plan_of, recording_of
from wsload.timeline.script import Script, read_scripts

SECRET = int(Flag.REDACTED)
TALK = numbered(
    [
        event(0, "", "connect"),
        sent(10, "login ***pin***", flags=SECRET, name="login"),
        received(12, "ok", latency_ns=2 * MS),
        sent(20, b"\x00\xff", kind="binary"),
        event(21, "sent", "ping", b"p"),
        event(30, "sent", "close", "bye", code=4001),
        event(31, "", "end"),
    ]
)


def scripts(tmp_path: Path, events: list[Event] = TALK) -> tuple[Script, ...]:
    with RunFile.open(write(tmp_path / "a.wsload", events)) as run:
        return read_scripts(run, ()).scripts


def plan(recorded: tuple[Script, ...], copies: int = 1, pace: Pace | None = None) -> Plan:
    load = LoadModel(connections=copies * len(recorded), idle=True)
    scenario = Scenario(target="ws://127.0.0.1:9/", load=load, record=recording_of(recorded, copies))
    return plan_of(scenario, recorded, pace or Pace(), copies=copies, variables={"pin": "s3cret{copy}"})


def load_of(plan: Plan) -> tuple[ReplayLoad, list[dict[str, Any]]]:
    assert isinstance(plan.load, ReplayLoad)
    return plan.load, json.loads(plan.load.script)["parts"]


def test_a_recording_becomes_what_the_engine_plays(tmp_path: Path) -> None:
    load, (part,) = load_of(plan(scripts(tmp_path)))
    assert load.names == ("login", "message")
    login, binary, ping, close = (step["act"] for step in part["steps"])
    assert [base64.b64decode(piece) for piece in login["send"]["pieces"]] == [b"login s3cret", b""]
    assert base64.b64decode(login["send"]["stored"]) == b"login ***pin***"
    assert (login["send"]["answered"], binary["send"]["answered"], binary["send"]["binary"]) == (True, False, True)
    assert (base64.b64decode(ping["ping"]["payload"]), close) == (b"p", {"close": {"code": 4001, "reason": "bye"}})
    assert [step["at_ns"] / MS for step in part["steps"]] == [10, 20, 21, 30]
    assert [one["answers"] for one in part["received"]] == [0]


def test_copies_and_pace_are_the_plans(tmp_path: Path) -> None:
    made = plan(scripts(tmp_path), copies=3, pace=Pace(0.0, wait_replies=True))
    load, _ = load_of(made)
    assert (made.connections, made.iterations, made.matching, made.duration_ns) == (3, 6, "order", None)
    assert (load.speed, load.wait_replies, load.keeps_times) == (0.0, True, False)


def test_values_of_secrets_are_not_stored(tmp_path: Path) -> None:
    made = plan(scripts(tmp_path))
    assert base64.b64encode(b"login s3cret").decode() in made.to_json()
    load = made.redacted().load
    assert isinstance(load, ReplayLoad)
    assert load.script == ""


def test_a_recording_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "MAX_SCRIPT_BYTES", 100)
    with pytest.raises(UsageError, match="takes 0 MiB as a script") as caught:
        plan(scripts(tmp_path))
    assert "--conn" in caught.value.remedy


def test_there_is_room_for_everything_that_comes_back(tmp_path: Path) -> None:
    long = numbered([event(0, "", "connect"), sent(1, "x" * 100_000), received(2, "y" * 90_000)])
    record = recording_of(scripts(tmp_path, long), 1_000)
    assert (record.one_in, record.payload_bytes) == (1, 200_000)
    assert record.limit_bytes > 190_000 * 1_000 * 4


def test_messages_are_told_by_connection_even_where_one_has_none(tmp_path: Path) -> None:
    events = numbered([sent(1, "a", connection=1), received(2, "b", connection=1), sent(3, "c", connection=3)])
    with RunFile.open(write(tmp_path / "a.wsload", events)) as run:
        out = messages_by_connection(run, 5, "sent")
        assert [[one.payload for one in group] for group in out] == [[], [b"a"], [], [b"c"], []]


def test_lateness_is_told_against_the_scaled_recording(tmp_path: Path) -> None:
    recorded = scripts(tmp_path)
    # Twice as fast, the second message was due 5 ms after the first; two copies.
    copies = [sent(0.25, "x"), sent(5.5, "y"), sent(0, "x", connection=1), sent(6, "y", connection=1)]
    with RunFile.open(write(tmp_path / "b.wsload", numbered(copies))) as run:
        assert [late / MS for late in lateness_ns(run, recorded, 2.0, 2)] == [0, 0.25, 0.5, 1]
