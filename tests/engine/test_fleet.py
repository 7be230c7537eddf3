"""Merging what workers hand up, and workers that misbehave."""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from wsload import _core
from wsload.engine import fleet as fleet_module
from wsload.engine.fleet import Fleet, Merger, WorkerProcess
from wsload.errors import EngineError
from wsload.results import Interval, Note
from wsload.scenario import LoadModel, Scenario, build_plan


class Recorded:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.intervals: list[Interval] = []
        self.notes: list[Note] = []
        self.epochs: list[int] = []

    def on_state(self, state: str) -> None:
        self.states.append(state)

    def on_ramp(self, open_connections: int) -> None:
        pass

    def on_epoch(self, monotonic_ns: int, unix_ns: int) -> None:  # noqa: ARG002
        self.epochs.append(monotonic_ns)

    def on_interval(self, interval: Interval) -> None:
        self.intervals.append(interval)

    def on_note(self, note: Note) -> None:
        self.notes.append(note)


def block(index: int, *, warmup: bool = False, sent: int = 1) -> bytes:
    """A worker's block, made from the header that the format documents and no histograms."""
    import json
    import struct

    header = {
        "index": index,
        "warmup": warmup,
        "start_ns": index * 10,
        "end_ns": index * 10 + 10,
        "counters": dict.fromkeys(_core.COUNTERS, 0) | {"sent": sent},
        "gauges": dict.fromkeys(_core.GAUGES, 0),
        "close_codes": {},
        "failures": [],
        "histograms": [],
    }
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text


def worker(number: int, completed: int, *, ended: bool = False) -> WorkerProcess:
    return WorkerProcess(number, cast("Any", None), completed=completed, ended=ended)


def test_an_interval_waits_for_every_worker_that_still_runs() -> None:
    merger = Merger()
    merger.add(block(0, sent=3))
    assert merger.complete([worker(0, 0), worker(1, -1)]) == []
    merger.add(block(0, sent=4))
    (merged,) = merger.complete([worker(0, 0), worker(1, 0)])
    assert (merged.index, merged.counters["sent"]) == (0, 7)


def test_an_interval_does_not_wait_for_a_worker_that_has_ended() -> None:
    merger = Merger()
    merger.add(block(0, sent=3))
    merger.add(block(1, sent=3))
    assert [one.index for one in merger.complete([worker(0, 1), worker(1, -1, ended=True)])] == [0, 1]
    merger.add(block(2))
    assert [one.index for one in merger.complete([worker(0, 1, ended=True), worker(1, 0, ended=True)])] == [2]


def test_warm_up_counts_come_before_the_rest_of_their_interval() -> None:
    merger = Merger()
    merger.add(block(4))
    merger.add(block(4, warmup=True))
    assert [one.warmup for one in merger.complete([worker(0, 4)])] == [True, False]


def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, workers: int = 1) -> Recorded:
    """Runs a fleet whose workers are a script that speaks the pipe's language its own way."""
    fake = tmp_path / "fake_worker"
    fake.write_text(f"#!{sys.executable}\n{PREAMBLE}\n{script}", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    plan = build_plan(Scenario(target="ws://127.0.0.1:9/", load=LoadModel(connections=4, duration_ns=10**9)))
    sink = Recorded()
    fleet = Fleet(plan, workers, sink)
    asyncio.run(asyncio.wait_for(fleet.run(), 30))
    return sink


PREAMBLE = """
import json, os, struct, sys
def say(kind, payload):
    os.write(1, struct.pack("<cI", kind, len(payload)) + payload)
def hear():
    line = sys.stdin.readline()
    if not line: sys.exit(9)
    return json.loads(line)
plan = hear()
number = plan["worker"]
say(b"S", b"idle")
connect = hear()
"""


def test_commands_come_in_order_and_the_instants_are_agreed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = """
assert connect["do"] == "connect" and connect["addresses"] == [["127.0.0.1", 9]]
say(b"S", b"ready")
go = hear()
assert go["do"] == "go" and go["at_ns"] > connect["at_ns"]
open(f"{os.path.dirname(__file__)}/{number}", "w").write(f"{connect['at_ns']} {go['at_ns']}")
say(b"S", b"done")
"""
    sink = play(monkeypatch, tmp_path, script, workers=3)
    assert sink.notes == []
    assert {(tmp_path / str(number)).read_text() for number in range(3)} == {(tmp_path / "0").read_text()}
    assert (tmp_path / "0").read_text().split()[1] == str(sink.epochs[0])


def test_a_worker_that_crashes_is_named_with_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = """
if number == 1:
    sys.exit("out of luck")
say(b"S", b"ready")
hear()
say(b"S", b"done")
"""
    sink = play(monkeypatch, tmp_path, script, workers=2)
    (note,) = sink.notes
    assert note.kind == "worker_lost"
    assert "worker 2 of 2" in note.text
    assert "exit code 1; its 2 connections are missing from then on (out of luck)" in note.text


def test_a_worker_that_talks_garbage_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sink = play(monkeypatch, tmp_path, 'os.write(1, b"what is this? " * 10); hear()')
    (note,) = sink.notes
    assert "killed by signal SIGKILL" in note.text
    assert "unknown type" in note.text


def test_a_damaged_block_ends_its_worker_and_not_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sink = play(monkeypatch, tmp_path, 'say(b"I", b"no block"); hear()')
    assert "block of 8 bytes is damaged" in sink.notes[0].text


def test_a_worker_that_refuses_the_plan_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "fake_worker"
    script = 'import os, struct; text = b"the plan is bad"; os.write(1, struct.pack("<cI", b"E", len(text)) + text)'
    fake.write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    plan = build_plan(Scenario(target="ws://127.0.0.1:9/"))
    with pytest.raises(EngineError, match="no worker could be started: the plan is bad"):
        asyncio.run(Fleet(plan, 1, Recorded()).run())


def test_a_worker_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fleet_module, "GRACE_S", 0.1)
    monkeypatch.setattr(fleet_module, "CLOSE_TIMEOUT_S", 0.1)
    script = 'say(b"S", b"ready"); hear(); say(b"S", b"running"); hear(); hear()'
    plan = LoadModel(duration_ns=10**7)
    fake = tmp_path / "fake_worker"
    fake.write_text(f"#!{sys.executable}\n{PREAMBLE}\n{script}", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    sink = Recorded()
    scenario = Scenario(target="ws://127.0.0.1:9/", load=plan, reply_timeout_ns=10**7)
    asyncio.run(asyncio.wait_for(Fleet(build_plan(scenario), 1, sink).run(), 30))
    assert "it did not end in time and was killed" in sink.notes[0].text
