"""The fleet over fake workers: what it hands on, and what it makes of every way to misbehave."""

import asyncio
import re
import socket
import time
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from engine.support import SECOND, Remembering, children, make_plan
from wsload.engine import fleet as fleet_module
from wsload.engine.fleet import Fleet
from wsload.engine.process import STATES, LocalWorkers
from wsload.errors import EngineError
from wsload.results import Interval

FakeWorkers = Callable[[str], None]


def resolve(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Awaitable[object]]) -> Remembering:
    """A fleet whose resolver answers so, and whose workers repeat what they are told."""

    async def getaddrinfo(*_: object, **__: object) -> object:
        return await answer()

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    sink = Remembering()
    asyncio.run(Fleet(make_plan("ws://example.test/"), 1, sink).run())
    return sink


def run_fleet(sink: Remembering, *, workers: int = 2, before: Callable[[Fleet], None] | None = None) -> Fleet:
    async def run() -> Fleet:
        # 7 connections on 2 workers: worker 0 has 4, worker 1 has 3.
        fleet = Fleet(make_plan(connections=7), workers, sink)
        if before:
            before(fleet)
        await fleet.run()
        return fleet

    try:
        return uvloop.run(run())
    finally:
        assert children() == []


def test_workers_are_merged_interval_by_interval(fake_workers: FakeWorkers) -> None:
    fake_workers("behaves")
    sink = Remembering()
    fleet = run_fleet(sink)
    assert not fleet.lost_all
    assert sink.notes == []
    assert [interval.index for interval in sink.intervals] == [0, 1, 2, 3]
    assert sink.sent() == [0, 20, 20, 20]
    assert sink.ramp[-1] == 4
    assert sink.states == [state for state in STATES[1:] if state in sink.states]
    assert sink.states[-1] == "done"


def test_times_count_from_the_epoch_and_the_ramp_lies_before_it(fake_workers: FakeWorkers) -> None:
    fake_workers("behaves")
    sink = Remembering()
    run_fleet(sink)
    ((monotonic_ns, unix_ns),) = sink.epochs
    # Both clocks name the same instant: what is left is what has passed since.
    assert abs((time.time_ns() - unix_ns) - (time.monotonic_ns() - monotonic_ns)) < SECOND // 100
    assert sink.intervals[0].end_ns < 0
    assert [(one.start_ns, one.end_ns) for one in sink.intervals[1:]] == [
        (0, SECOND),
        (SECOND, 2 * SECOND),
        (2 * SECOND, 3 * SECOND),
    ]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("dies", "killed by signal SIGKILL; its 3 connections are missing from then on"),
        ("exits", "exit code 3; its 3 connections are missing from then on (MemoryError: no room)"),
        ("errs", "exit code 1; its 3 connections are missing from then on (the shard panicked)"),
        ("tears", "exit code 0; its 3 connections are missing from then on"),
        ("babbles", "(a record of the unknown type b'H')"),
        ("damages_block", "(an interval block of 4 bytes is damaged)"),
        ("repeats", "(it handed up interval 1 again)"),
        ("dances", "(it says that its state is 'dancing')"),
    ],
)
def test_a_lost_worker_is_named_and_the_other_goes_on(fake_workers: FakeWorkers, how: str, expected: str) -> None:
    fake_workers(how)
    sink = Remembering()
    fleet = run_fleet(sink)
    (note,) = sink.notes
    assert note.kind == "worker_lost"
    assert re.match(r"worker 2 of 2 \(process \d+\) was lost: ", note.text)
    assert note.text.endswith(expected)
    assert sink.sent() == [0, 20, 10, 10]
    assert not fleet.lost_all


def test_a_worker_lost_before_the_epoch_does_not_hold_the_others_up(fake_workers: FakeWorkers) -> None:
    fake_workers("dies_connecting")
    sink = Remembering()
    run_fleet(sink)
    assert [(note.kind, note.at_ns) for note in sink.notes] == [("worker_lost", 0)]
    assert sink.sent() == [0, 10, 10, 10]


def test_a_silent_worker_is_killed_and_no_longer_waited_for(
    fake_workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalWorkers, "silence_s", 0.3)
    monkeypatch.setattr(fleet_module, "TICK_S", 0.05)
    fake_workers("falls_silent")
    sink = Remembering()
    run_fleet(sink)
    assert sink.notes[0].text.endswith("(nothing was heard of it for 0.3 s and it was killed)")
    assert sink.sent() == [0, 20, 10, 10]


def test_when_all_are_lost_the_run_ends_with_what_there_is(fake_workers: FakeWorkers) -> None:
    fake_workers("all_dies")
    sink = Remembering()
    fleet = run_fleet(sink)
    assert fleet.lost_all
    assert len(sink.notes) == 2
    assert sink.sent() == [0, 20]


def test_workers_that_cannot_start_are_an_error_with_their_reason(fake_workers: FakeWorkers) -> None:
    fake_workers("all_fail_to_start")
    with pytest.raises(EngineError, match="no worker could be started: ModuleNotFoundError: No module named 'uvloop'"):
        run_fleet(Remembering())


def test_workers_that_never_answer_are_given_up(fake_workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "START_TIMEOUT_S", 0.2)
    monkeypatch.setattr(fleet_module, "TICK_S", 0.05)
    fake_workers("all_stay_away")
    with pytest.raises(EngineError, match="it took too long and was killed"):
        run_fleet(Remembering())


class Stopping(Remembering):
    """Stops the run, by `how`, once it is running."""

    fleet: Fleet
    how = "stop"

    def on_state(self, state: str) -> None:
        super().on_state(state)
        if state == "running":
            getattr(self.fleet, self.how)()


@pytest.mark.parametrize(("how", "sent"), [("stop", 1), ("abort", 2)])
def test_stop_and_abort_reach_every_worker(fake_workers: FakeWorkers, how: str, sent: int) -> None:
    fake_workers("all_waits")
    sink = Stopping()
    sink.how = how
    run_fleet(sink, before=lambda fleet: setattr(sink, "fleet", fleet))
    assert sink.sent() == [0, 2 * sent]
    assert sink.notes == []


def test_a_worker_deaf_to_stop_is_killed_in_bounded_time(
    fake_workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "GRACE_S", 0.2)
    monkeypatch.setattr(fleet_module, "TICK_S", 0.05)
    fake_workers("all_is_deaf")
    sink = Stopping()
    sink.how = "abort"
    run_fleet(sink, before=lambda fleet: setattr(sink, "fleet", fleet))
    assert all(note.text.endswith("(it took too long and was killed)") for note in sink.notes)
    assert len(sink.notes) == 2


def test_a_run_stopped_before_its_workers_are_there_ends_at_once(fake_workers: FakeWorkers) -> None:
    fake_workers("all_waits")
    sink = Remembering()
    run_fleet(sink, before=Fleet.stop)
    assert sink.sent() == []
    assert sink.notes == []


class Broken(Remembering):
    def on_interval(self, interval: Interval) -> None:
        raise KeyError(f"a sink's own fault in interval {interval.index}")


def test_a_sink_that_fails_ends_the_run_and_its_workers(fake_workers: FakeWorkers) -> None:
    fake_workers("all_waits")
    with pytest.raises(KeyError, match="a sink's own fault"):
        run_fleet(Broken())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "example.test: Name or service not known"),
        (TimeoutError(), "example.test: no answer within 20 s"),
        (UnicodeError("label too long"), "example.test: it is no valid host name"),
    ],
)
def test_a_resolver_that_fails_is_told_to_the_workers(
    fake_workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    async def fail() -> object:
        raise error

    fake_workers("all_repeats_its_order")
    (note,) = resolve(monkeypatch, fail).notes
    assert f'"reason": "{reason}"' in note.text


def test_workers_are_told_each_address_once(fake_workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find() -> object:
        return [(0, 0, 0, "", (ip, 80)) for ip in ("::1", "127.0.0.1", "::1")]

    fake_workers("all_repeats_its_order")
    (note,) = resolve(monkeypatch, find).notes
    assert '"addresses": [["::1", 80], ["127.0.0.1", 80]]' in note.text


def test_a_stop_does_not_wait_for_a_resolver_that_hangs(
    fake_workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleets: list[Fleet] = []

    async def hang(*_: object, **__: object) -> None:
        fleets[0].stop()
        await asyncio.Event().wait()

    async def run() -> None:
        fleets.append(Fleet(make_plan("ws://example.test/"), 1, Remembering()))
        await asyncio.wait_for(fleets[0].run(), 10)

    fake_workers("behaves")
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", hang)
    asyncio.run(run())
