"""What a soak says: a line per period, and the digest of its file."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

from samples import SECOND, encode, make_header, make_interval
from wsload.report.soak import SoakView, digest, period_line
from wsload.results import Event, Failure, Interval, RunFile, RunFileWriter, Window
from wsload.scenario import LoadModel, Plan, Scenario, build_plan

EPOCH_UNIX_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC


def plan(seconds: int = 100) -> Plan:
    return build_plan(Scenario(target="ws://h/", load=LoadModel(connections=10, duration_ns=seconds * SECOND)))


def second(number: int, level: int = 10, lost: int = 0, reconnects: int = 0) -> Interval:
    failures = (Failure("unexpected_close", "1001", lost, number * SECOND + 5, "going \x1b[31m away"),) if lost else ()
    return make_interval(
        number,
        counters={"sent": 100, "answered": 100, "connections_lost": lost, "reconnects": reconnects},
        gauges={"open_connections": level, "rss_bytes": 50_000_000, "running_ns": SECOND},
        failures=failures,
        histograms={("response_time", "message"): encode(*[1_000_000] * 99, 9_000_000)},
    )


def test_a_line_tells_what_a_period_brought() -> None:
    window = Window(0, 0)
    for one in (second(0), second(1, level=7, lost=3), second(2, reconnects=3)):
        window.take(one)
    assert period_line(window, plan(), datetime(2026, 11, 24, 3, 10, tzinfo=UTC)) == (
        "11-24 03:10:00Z  3 s  10 of 10 open  100/s answered  p50 1.00 ms  p99 1.00 ms  p99.9 9.00 ms"
        "  3 lost  3 reopened  3 failures  own memory 50.0 MB"
    )


def test_a_log_gets_a_line_per_period_and_nothing_else() -> None:
    stream = io.StringIO()
    with SoakView(stream, (), 5 * SECOND) as view:
        view.on_start(plan(), 2)
        view.on_interval(make_interval(-1, start_ns=-SECOND, end_ns=0))
        for number in range(11):
            view.on_interval(second(number))
    lines = stream.getvalue().splitlines()
    assert [re.split(r"  +", line)[1] for line in lines] == ["5 s", "10 s"]


def test_late_replies_after_the_end_make_no_line() -> None:
    stream = io.StringIO()
    with SoakView(stream, (), 5 * SECOND) as view:
        view.on_start(plan(seconds=5), 2)
        for number in range(11):
            view.on_interval(second(number) if number < 5 else make_interval(number, gauges={"open_connections": 10}))
    assert stream.getvalue() == ""


def made(path: Path, intervals: list[Interval], seconds: int) -> Path:
    writer = RunFileWriter.create(path, make_header(connections=10, duration_ns=seconds * SECOND))
    writer.write_epoch(0, EPOCH_UNIX_NS)
    writer.append(intervals)
    closed = Event(3 * SECOND + 5, 4, 1, 9, "received", "close", None, 6, None, 1001, None, 0, 2, b"")
    writer.append_events([closed, closed._replace(connection=1007)])
    writer.finish("completed", "")
    return path


def test_the_digest_has_windows_and_who_dropped_when(tmp_path: Path) -> None:
    course = [
        second(0),
        second(1),
        second(2),
        second(3, 7, lost=3),
        second(4, 9, reconnects=2),
        second(5, reconnects=1),
    ]
    with RunFile.open(made(tmp_path / "a.wsload", course, 6)) as run:
        lines = digest(run)
    assert lines == [
        "",
        "            from  open  answered      p50      p99    p99.9      max  failures  lost  reopened  own memory",
        *(
            f"  11-14 22:13:{20 + at}    {level:>2}     100/s  1.00 ms  1.00 ms  9.00 ms  9.00 ms         {lost}"
            f"     {lost}         {back}     50.0 MB"
            for at, level, lost, back in (
                (0, 10, "·", "·"),
                (1, 10, "·", "·"),
                (2, 10, "·", "·"),
                (3, 7, "3", "·"),
                (4, 9, "·", "2"),
                (5, 10, "·", "1"),
            )
        ),
        "",
        "  dropped (UTC)",
        "  11-14 22:13:23  3 lost  connection closed by the server (1001)  down to 7 of 10  all back within 3 s",
        "                  connections 4, 1,007 and 1 more",
    ]


def test_windows_of_a_long_run_are_wide_and_few(tmp_path: Path) -> None:
    # Three hours as the writer may have joined them: ten minutes each.
    wide = [
        make_interval(600 * n, start_ns=600 * n * SECOND, end_ns=600 * (n + 1) * SECOND, failures=()) for n in range(18)
    ]
    with RunFile.open(made(tmp_path / "a.wsload", wide, 10_800)) as run:
        lines = digest(run)
    starts = [line.split()[1] for line in lines if line.startswith("  11-1") and "lost" not in line]
    assert starts[:3] == ["22:13:20", "22:23:20", "22:33:20"]
    assert len(starts) == 18
    assert lines[-1] == "  no connection dropped"


def test_a_run_that_awaits_nothing_has_no_latencies_in_its_table(tmp_path: Path) -> None:
    quiet = make_interval(0, histograms={}, counters={}, failures=())
    with RunFile.open(made(tmp_path / "a.wsload", [quiet], 1)) as run:
        assert digest(run)[1].split() == ["from", "open", "failures", "lost", "reopened", "own", "memory"]
