"""Whole runs: from scenario to summary, file and exit code."""

import os
import signal
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.conftest import Peer
from engine.support import SECOND, children, make_plan
from wsload.engine import RunRequest, RunResult, execute, limits, process
from wsload.engine.process import STATES
from wsload.engine.runner import choose_workers, create_file, default_stem
from wsload.errors import EngineError, ExitCode, LimitError, RunFileError, UsageError
from wsload.results import Header, Interval, Note, RunFile, RunFileWriter, read_summary
from wsload.scenario import LoadModel, Plan, Scenario

STARTED_AT = datetime(2026, 11, 23, 10, 15, 2, tzinfo=UTC)


def ask(url: str, output: Path, **load: int | float | bool) -> RunRequest:
    model = LoadModel.model_validate({"connections": 4, **load})
    scenario = Scenario(target=url, load=model, connect_timeout_ns=2 * SECOND, reply_timeout_ns=30 * SECOND)
    return RunRequest(scenario, output, workers=2)


class Watcher:
    """A listener that sends this process signals: one once there is traffic, and one for each stop asked for."""

    def __init__(self, *signals: signal.Signals) -> None:
        self._signals = list(signals)
        self.stops: list[int] = []
        self.intervals: list[Interval] = []
        self.notes: list[Note] = []

    def on_start(self, plan: Plan, workers: int) -> None:
        assert (plan.connections, workers) == (4, 2)

    def on_state(self, state: str) -> None:
        assert state in STATES

    def on_ramp(self, open_connections: int) -> None:
        assert 0 <= open_connections <= 4

    def on_interval(self, interval: Interval) -> None:
        self.intervals.append(interval)
        if interval.counters["sent"] and not self.stops:
            self._send()

    def on_note(self, note: Note) -> None:
        self.notes.append(note)

    def on_stop(self, times: int) -> None:
        self.stops.append(times)
        self._send()

    def _send(self) -> None:
        if self._signals:
            os.kill(os.getpid(), self._signals.pop(0))


def check_file(path: Path, result: RunResult) -> None:
    """The file tells the same as the result."""
    assert read_summary(path) == result.summary
    assert list(path.parent.glob("*-wal")) == []


def test_a_run_counts_what_the_server_counts(echo_server: Peer, tmp_path: Path) -> None:
    path = tmp_path / "run.wsload"
    watcher = Watcher()
    result = execute(ask(echo_server.url, path, iterations=200), watcher)
    assert result.exit_code == ExitCode.OK
    assert (result.summary.outcome, result.file_error) == ("completed", None)
    messages = result.summary.messages
    assert (messages.sent, messages.answered, echo_server.messages) == (200, 200, 200)
    assert (result.summary.connections.opened, result.summary.generator.workers) == (4, 2)
    assert result.summary.response_time is not None
    assert result.summary.response_time.count == 200
    assert sum(interval.counters["sent"] for interval in watcher.intervals) == 200
    check_file(path, result)
    assert children() == []


def test_nobody_listening_ends_quickly_and_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = execute(ask(f"ws://127.0.0.1:{port}/", tmp_path / "run.wsload", duration_ns=60 * SECOND))
    assert result.exit_code == ExitCode.FAILED
    assert [(one.kind, one.count) for one in result.summary.failures] == [("refused", 4)]
    check_file(tmp_path / "run.wsload", result)


def test_a_name_that_does_not_resolve_ends_quickly_and_fails(tmp_path: Path) -> None:
    request = ask(f"ws://{'a' * 64}.example/", tmp_path / "run.wsload", duration_ns=60 * SECOND)
    result = execute(request)
    assert result.exit_code == ExitCode.FAILED
    (failure,) = result.summary.failures
    assert (failure.kind, failure.count) == ("dns", 4)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_and_all_is_kept(
    echo_server: Peer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    path = tmp_path / "run.wsload"
    watcher = Watcher(number)
    result = execute(ask(echo_server.url, path, rate_per_s=200.0, duration_ns=3600 * SECOND), watcher)
    assert (result.exit_code, watcher.stops) == (code, [1])
    assert (result.summary.outcome, result.summary.outcome_reason) == ("interrupted", f"stopped by {number.name}")
    messages = result.summary.messages
    assert messages.sent == messages.answered == echo_server.messages > 0
    assert messages.unanswered == 0
    check_file(path, result)


def judged(url: str, output: Path, *thresholds: str, **load: int | float | bool) -> RunRequest:
    asked = ask(url, output, **load)
    return replace(asked, scenario=asked.scenario.model_copy(update={"thresholds": thresholds}))


def test_thresholds_that_hold_pass_and_are_kept(echo_server: Peer, tmp_path: Path) -> None:
    path = tmp_path / "run.wsload"
    result = execute(judged(echo_server.url, path, "answered == 200", "unanswered == 0 abort", iterations=200))
    assert result.exit_code == ExitCode.OK
    assert [(one.text, one.passed, one.observed) for one in result.summary.thresholds] == [
        ("answered == 200", True, 200),
        ("unanswered == 0 abort", True, 0),
    ]
    check_file(path, result)


def test_a_threshold_that_does_not_hold_is_exit_code_99(echo_server: Peer, tmp_path: Path) -> None:
    path = tmp_path / "run.wsload"
    result = execute(judged(echo_server.url, path, "answered == 200", "answered < 200", iterations=200))
    assert (result.exit_code, result.summary.outcome) == (ExitCode.THRESHOLDS, "completed")
    assert [one.passed for one in result.summary.thresholds] == [True, False]
    check_file(path, result)


def test_a_threshold_may_end_the_run_early(echo_server: Peer, tmp_path: Path) -> None:
    path = tmp_path / "run.wsload"
    watcher = Watcher()
    text = "sent == 0 abort after 1s"
    request = judged(echo_server.url, path, text, rate_per_s=200.0, duration_ns=3600 * SECOND)
    result = execute(request, watcher)
    assert (result.exit_code, watcher.stops) == (ExitCode.THRESHOLDS, [1])
    assert result.summary.outcome == "interrupted"
    assert result.summary.outcome_reason == f"stopped by the threshold '{text}'"
    messages = result.summary.messages
    assert messages.sent == messages.answered == echo_server.messages >= 200
    assert SECOND <= result.summary.duration_ns < 3600 * SECOND
    check_file(path, result)


def test_a_name_that_no_message_has_is_refused_before_the_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        execute(judged("ws://127.0.0.1:9/", tmp_path / "run.wsload", "response[messag].p99 < 1s"))
    assert caught.value.what == "--threshold: 'response[messag].p99 < 1s': no message is called 'messag'"
    assert caught.value.remedy == "The nearest is message."
    assert list(tmp_path.iterdir()) == []


def test_a_signal_goes_before_a_threshold(echo_server: Peer, tmp_path: Path) -> None:
    request = judged(echo_server.url, tmp_path / "run.wsload", "sent == 0", rate_per_s=200.0, duration_ns=3600 * SECOND)
    result = execute(request, Watcher(signal.SIGINT))
    assert result.exit_code == ExitCode.INTERRUPTED
    assert not result.summary.thresholds[0].passed


def test_nothing_opened_goes_before_a_threshold(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"ws://127.0.0.1:{port}/"
    result = execute(judged(url, tmp_path / "run.wsload", "failures == 0", duration_ns=60 * SECOND))
    assert result.exit_code == ExitCode.FAILED
    assert not result.summary.thresholds[0].passed


def test_a_second_signal_waits_for_no_reply_and_all_is_kept(silent_peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "run.wsload"
    watcher = Watcher(signal.SIGTERM, signal.SIGINT)
    # The first signal awaits replies for up to 30 s, which this server never sends.
    request = ask(silent_peer.url, path, rate_per_s=2_000.0, duration_ns=3600 * SECOND)
    started_at = time.monotonic()
    result = execute(request, watcher)
    assert time.monotonic() - started_at < 10
    # The first signal decides, before the rule that no reply came.
    assert (result.exit_code, watcher.stops) == (143, [1, 2])
    assert result.summary.messages.unanswered == result.summary.messages.sent > 0
    check_file(path, result)


def test_replies_awaited_in_vain_are_a_failed_run(silent_peer: Peer, tmp_path: Path) -> None:
    load = LoadModel(connections=4, duration_ns=SECOND // 2)
    scenario = Scenario(target=silent_peer.url, load=load, reply_timeout_ns=SECOND // 10)
    result = execute(RunRequest(scenario, tmp_path / "run.wsload", workers=2))
    assert result.exit_code == ExitCode.FAILED
    assert result.summary.messages.sent >= 4
    assert result.summary.messages.answered == 0


def test_connections_that_only_listen_need_no_reply(silent_peer: Peer, tmp_path: Path) -> None:
    result = execute(ask(silent_peer.url, tmp_path / "run.wsload", idle=True, duration_ns=SECOND // 10))
    assert result.exit_code == ExitCode.OK


def test_a_disk_that_fills_up_costs_the_file_but_not_the_summary(
    echo_server: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RunFileError("run.wsload: the disk is full")

    monkeypatch.setattr(RunFileWriter, "append", fail)
    path = tmp_path / "run.wsload"
    result = execute(ask(echo_server.url, path, iterations=200))
    assert (result.exit_code, result.file_error) == (ExitCode.OK, "run.wsload: the disk is full")
    assert result.summary.messages.answered == 200
    assert result.summary.file is None
    (note,) = result.summary.notes
    assert (note.kind, note.text) == ("file_lost", "run.wsload: the disk is full; what follows is not in the file")
    with RunFile.open(path) as run:
        assert not run.finished


def test_output_that_cannot_be_written_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "COMMAND", ("/nowhere/python",))
    with pytest.raises(RunFileError, match="cannot be written"):
        execute(ask("ws://127.0.0.1:9/", tmp_path / "nowhere" / "run.wsload"))


def test_more_than_fits_is_refused_before_the_file_is_made(tmp_path: Path) -> None:
    too_many = limits.machine().ports.count + 1
    with pytest.raises(LimitError, match="--connections"):
        execute(ask("ws://127.0.0.1:9/", tmp_path / "run.wsload", connections=too_many))
    assert list(tmp_path.iterdir()) == []


def test_workers_that_cannot_start_leave_a_file_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", ("/nowhere/python",))
    with pytest.raises(EngineError):
        execute(ask("ws://127.0.0.1:9/", tmp_path / "run.wsload"))
    with RunFile.open(tmp_path / "run.wsload") as run:
        assert (run.outcome, run.outcome_reason) == (
            "failed",
            "a worker process cannot be started: No such file or directory",
        )


@pytest.mark.parametrize(
    ("connections", "asked", "cores", "expected"),
    [(100, None, 4, 4), (3, None, 4, 3), (100, 16, 4, 16), (8, 16, 4, 8)],
)
def test_one_worker_per_core_unless_asked_and_never_more_than_connections(
    connections: int, asked: int | None, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "cpus", lambda: cores)
    assert choose_workers(make_plan(connections=connections), asked) == expected


@pytest.mark.parametrize(
    ("url", "labels", "expected"),
    [
        ("ws://example.test/echo", {}, "echo"),
        ("ws://example.test/echo/v2?token=secret", {}, "echo"),
        ("ws://example.test:9000/?token=secret", {}, "example.test"),
        ("ws://[::1]:9000/", {}, "1"),
        ("ws://example.test/echo", {"name": "nightly run"}, "nightly-run"),
        ("ws://example.test/..%2Fetc", {}, "2Fetc"),
        ("ws://example.test/" + "x" * 200, {}, "x" * 60),
    ],
)
def test_a_file_is_named_after_what_it_is_of(url: str, labels: dict[str, str], expected: str) -> None:
    local = STARTED_AT.astimezone()
    assert default_stem(make_plan(url), labels, STARTED_AT) == f"{expected}-{local:%Y%m%d-%H%M%S}"


def test_a_made_up_name_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = make_plan("ws://127.0.0.1:9/echo")
    header = Header.describe(Scenario(target="ws://127.0.0.1:9/echo"), plan, {}, 1)
    header = header.model_copy(update={"started_at": STARTED_AT})
    for _ in range(3):
        create_file(None, plan, {}, header).close()
    stem = default_stem(plan, {}, STARTED_AT)
    names = {path.name for path in tmp_path.glob("*.wsload")}
    assert names == {f"{stem}.wsload", f"{stem}-2.wsload", f"{stem}-3.wsload"}
