"""The live line: what it says, and where it says it."""

import base64
import io
import os
from dataclasses import replace
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from wsload.report.live import ABORTING, CLEAR, DRAINING, IntervalLines, LiveView, Progress, mode_of, progress_line
from wsload.results import Failure, Interval
from wsload.scenario import LoadModel, Plan, Scenario, build_plan

SECOND = 10**9


def plan(**load: Any) -> Plan:
    return build_plan(Scenario(target="ws://h/", load=LoadModel(**load)))


def interval(end_s: int, counters: dict[str, int] | None = None, failures: tuple[Any, ...] = ()) -> Interval:
    return Interval(
        index=end_s,
        warmup=False,
        start_ns=(end_s - 1) * SECOND,
        end_ns=end_s * SECOND,
        counters=counters or {},
        gauges={"open_connections": 998},
        close_codes={},
        negotiated={},
        failures=failures,
        histograms={},
    )


def progress(**changes: Any) -> Progress:
    known: dict[str, Any] = {"state": "running", "connections": 1000, "open_connections": 998}
    return Progress(**{**known, **changes})


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (progress(state="starting", open_connections=0), "starting"),
        (progress(state="idle", open_connections=0), "starting"),
        (progress(state="running", open_connections=0), "running"),
        (progress(state="running"), "running   998 of 1,000 connections open"),
        (progress(state="connecting", open_connections=12), "connecting   12 of 1,000 connections open"),
        (progress(duration_ns=30 * SECOND, latest=interval(12)), "12 s of 30 s   998 of 1,000 open"),
        (
            progress(duration_ns=120 * SECOND, latest=interval(65, {"sent": 20_013, "received": 9})),
            "1 min 5 s of 2 min   998 of 1,000 open   20,013/s sent",
        ),
        (progress(latest=interval(3, {"received": 40})), "3 s   998 of 1,000 open   40/s received"),
        (
            progress(duration_ns=8 * SECOND, warmup_ns=2 * SECOND, latest=interval(2)),
            "2 s of 10 s, warming up   998 of 1,000 open",
        ),
        (
            progress(duration_ns=8 * SECOND, warmup_ns=2 * SECOND, latest=interval(3)),
            "3 s of 10 s   998 of 1,000 open",
        ),
        (progress(state="draining", latest=interval(3)), "draining   3 s   998 of 1,000 open"),
    ],
)
def test_what_the_line_says(shown: Progress, line: str) -> None:
    assert progress_line(shown) == line


def test_an_interval_of_half_a_second_has_twice_the_rate() -> None:
    half = replace(interval(1, {"sent": 100}), start_ns=SECOND // 2)
    assert progress_line(progress(latest=half)).endswith("200/s sent")


def test_p99_and_failures_of_the_last_second() -> None:
    histogram = HdrHistogram(1, 3600 * SECOND, 3)
    for _ in range(98):
        histogram.record_value(50_000)
    for _ in range(2):
        histogram.record_value(200_000)
    failures = (Failure("refused", "", 3, 0, ""), Failure("reset", "", 1, 0, ""))
    measured = {("response_time", "message"): base64.b64decode(histogram.encode())}
    latest = replace(interval(1, failures=failures), histograms=measured)
    assert progress_line(progress(latest=latest)) == "1 s   998 of 1,000 open   p99 200 µs   4 failures"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def play(stream: io.StringIO) -> str:
    """A run of one connection that is stopped twice; what was written."""
    with LiveView(stream) as line:
        line.on_start(plan(connections=1000), 2)
        line.on_state("connecting")
        line.on_ramp(10)
        line.on_interval(interval(0))
        line.on_interval(interval(1, {"sent": 5}))
        line.on_stop(1)
        line.on_stop(2)
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_cleared_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((200, 24)))
    written = play(Terminal()).split(CLEAR)
    assert written == [
        "",
        "starting",
        "connecting   0 of 1,000 connections open",
        "connecting   10 of 1,000 connections open",
        "1 s of 10 s   998 of 1,000 open   5/s sent",
        DRAINING,
        ABORTING,
        "",
    ]


def test_a_line_never_fills_the_last_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((20, 24)))
    assert max(len(line) for line in play(Terminal()).split(CLEAR)) == 19


class Modern(Terminal):
    """A terminal that knows every sign."""

    encoding = "UTF-8"


@pytest.mark.parametrize(
    ("stream", "environment", "mode"),
    [
        (Modern, {"TERM": "xterm"}, "lines"),
        (Modern, {"TERM": "xterm", "NO_COLOR": "1"}, "line"),
        (Terminal, {"TERM": "xterm"}, "line"),
        (Modern, {"TERM": "dumb"}, "log"),
        (io.StringIO, {"TERM": "xterm"}, "log"),
    ],
)
def test_what_a_stream_can_show(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], environment: dict[str, str], mode: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert mode_of(stream()) == mode


def test_a_modern_terminal_gets_lines_that_are_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    written = play(Modern())
    assert "998 of 1,000" in written
    assert "5/s sent" in written
    assert DRAINING in written
    assert written.endswith("\x1b[?25h\r\x1b[1A\x1b[2K"), "cursor shown, last line cleared"


def test_a_line_that_stays_stands_above_what_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for stream, said in ((Modern(), "first of two"), (Terminal(), f"{CLEAR}first of two\n")):
        with LiveView(stream) as view:
            view.on_start(plan(connections=1000), 2)
            view.on_interval(interval(1, {"sent": 5}))
            view.on_stop(1)
            view.say("first of two")
            view.on_start(plan(connections=1000), 2)
            view.on_interval(interval(1, {"sent": 5}))
        written = stream.getvalue()
        assert said in written
        assert DRAINING not in written.split("first of two")[1].split("5/s sent")[-1]


def test_a_log_gets_a_line_every_ten_seconds_but_none_at_the_end() -> None:
    stream = io.StringIO()
    with LiveView(stream) as view:
        view.on_start(plan(connections=1000, duration_ns=30 * SECOND), 2)
        for second in range(1, 31):
            view.on_interval(interval(second, {"sent": 5}))
    assert stream.getvalue().splitlines() == [
        "10 s of 30 s   998 of 1,000 open   5/s sent",
        "20 s of 30 s   998 of 1,000 open   5/s sent",
    ]


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO, "xterm"), (Terminal, "dumb")])
def test_elsewhere_stopping_is_said(monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], term: str) -> None:
    monkeypatch.setenv("TERM", term)
    assert play(stream()) == f"{DRAINING}\n{ABORTING}\n"


def test_the_stop_line_says_what_ctrl_c_does_next() -> None:
    assert DRAINING == "stopping: draining, awaiting replies and closing; Ctrl-C again ends at once"


def test_a_reader_of_intervals_that_goes_away_does_not_end_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    lines = IntervalLines(Gone())
    lines.on_interval(interval(1))
    lines.on_interval(interval(2))
