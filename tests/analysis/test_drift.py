"""Whole runs over time: what drifts, what does not, and what is left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples import SECOND, encode, make_header, make_interval
from wsload.analysis.drift import Drift, Row, drift_of, judge
from wsload.results import RunFile, RunFileWriter, Window

MINUTE_NS = 60 * SECOND
HOUR_NS = 60 * MINUTE_NS


def windows_of(count: int, width_ns: int = MINUTE_NS, **series: Any) -> list[Window]:
    """Windows whose gauges are these, or these functions of their number."""
    return [
        Window(at * width_ns, (at + 1) * width_ns, gauges={name: _at(value, at) for name, value in series.items()})
        for at in range(count)
    ]


def _at(value: Any, number: int) -> int:
    return int(value(number)) if callable(value) else value


def row(drift: Drift, metric: str) -> Row:
    return next(one for one in drift.rows if one.metric == metric)


def test_memory_that_leaks_is_told_with_its_amount() -> None:
    random = np.random.default_rng(1)
    noise = random.normal(size=60) * 50_000
    found = judge(
        windows_of(
            60,
            target_processes=1,
            target_rss_bytes=lambda at: 80e6 + 1e6 * at + noise[at],
            target_fds=12,
            generator_processes=2,
            generator_rss_bytes=lambda at: 60e6 + noise[59 - at],
        ),
        "x",
    )
    leak = row(found, "target.rss_bytes")
    assert (found.verdict, leak.verdict, leak.unit) == ("drifting", "drifting", "bytes")
    assert leak.per_hour == pytest.approx(60e6, rel=0.01)
    assert leak.low < 60e6 < leak.high
    assert leak.over_run == pytest.approx(59e6, rel=0.01)
    # Medians of six windows at either end.
    assert leak.first == pytest.approx(82.5e6, rel=0.01)
    assert leak.last == pytest.approx(136.5e6, rel=0.01)
    assert row(found, "target.fds").verdict == "steady"
    assert row(found, "generator.rss_bytes").verdict == "steady"


def test_a_leak_that_restarts_hide_is_found_between_them() -> None:
    noise = 1e5 * np.random.default_rng(2).normal(size=60)
    found = judge(
        windows_of(
            60,
            target_lives=lambda at: 1 + at // 20,
            target_processes=1,
            # What a process is in its first window says nothing of the next.
            target_rss_bytes=lambda at: 20e6 if at in {20, 40} else 80e6 + 1e6 * (at % 20) + noise[at],
        ),
        "x",
    )
    leak = row(found, "target.rss_bytes")
    assert (found.restarts, leak.verdict, leak.windows) == (2, "drifting", 58)
    assert leak.per_hour == pytest.approx(60e6, rel=0.02)


def test_a_change_that_does_not_matter_is_none() -> None:
    # 0.5 % of 200 MB over the run, without any noise.
    def creeping(at: int) -> float:
        return 200e6 + 1.1e6 * at / 59

    windows = windows_of(60, generator_processes=1, generator_rss_bytes=creeping)
    assert row(judge(windows, "x"), "generator.rss_bytes").verdict == "steady"
    strict = row(judge(windows, "x", tolerance=0.0), "generator.rss_bytes")
    assert (strict.verdict, strict.matters) == ("drifting", 1e6), "of memory less than 1 MB never matters"


def test_what_scatters_more_than_what_matters_cannot_be_told() -> None:
    random = np.random.default_rng(3)
    noise = 60e6 + 2e7 * random.normal(size=40)
    found = judge(windows_of(40, generator_processes=1, generator_rss_bytes=lambda at: noise[at]), "x")
    assert (found.verdict, row(found, "generator.rss_bytes").verdict) == ("cannot tell", "cannot tell")


def test_few_windows_are_not_judged() -> None:
    found = judge(windows_of(9, generator_processes=1, generator_rss_bytes=lambda at: 1e6 * at), "x")
    assert (found.verdict, found.rows) == ("cannot tell", [])
    assert "generator.rss_bytes: 9 windows are too few" in found.skipped
    assert judge([], "x").verdict == "cannot tell"


def test_a_daily_cycle_of_two_days_is_no_drift() -> None:
    random = np.random.default_rng(4)
    noise = random.normal(size=100) * 2e5

    def level(at: int) -> float:
        return float(60e6 + 1e7 * np.sin(2 * np.pi * at / 50) + noise[at])

    found = judge(windows_of(100, HOUR_NS // 2, generator_processes=1, generator_rss_bytes=level), "x")
    assert found.by_hours
    assert row(found, "generator.rss_bytes").verdict != "drifting"


def written(path: Path, minutes: int, *, per_minute: float, warmup_ns: int = 0) -> Path:
    """A run of an interval of ten seconds each: response times of 50 ms that grow by `per_minute` ms."""
    random = np.random.default_rng(5)
    writer = RunFileWriter.create(path, make_header(duration_ns=minutes * MINUTE_NS, warmup_ns=warmup_ns))
    writer.write_epoch(5_000, 1_700_000_000_000_000_000)
    for index in range(minutes * 6):
        start_ns = index * 10 * SECOND
        is_warm = start_ns >= warmup_ns
        level = (50 + per_minute * index / 6) if is_warm else 500
        values = (1e6 * (level + random.exponential(0.5, size=100))).astype(int)
        counters = {"due": 2000, "sent": 2000, "answered": 2000}
        made = make_interval(
            index, start_ns=start_ns, end_ns=start_ns + 10 * SECOND, counters=counters, failures=(), warmup=not is_warm,
            histograms={("response_time", "message"): encode(*values.tolist())},
        )  # fmt: skip
        writer.append([made])
    writer.finish("completed", "")
    return path


def test_a_file_is_judged_without_its_warm_up(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wsload", 20, per_minute=0.1, warmup_ns=MINUTE_NS)
    with RunFile.open(path) as run:
        found = drift_of(run)
    assert found.begin_ns == MINUTE_NS
    slower = row(found, "response.p50")
    assert (slower.verdict, slower.unit) == ("drifting", "ns")
    assert slower.per_hour == pytest.approx(6e6, rel=0.03)
    assert row(found, "rate").verdict == "steady"
    assert "failures" not in {one.metric for one in found.rows}, "there were none"
    # One message beyond it in a window is no percentile.
    assert "response.p99.9" not in {one.metric for one in found.rows}


def test_a_steady_file_is_steady(tmp_path: Path) -> None:
    with RunFile.open(written(tmp_path / "a.wsload", 20, per_minute=0.0)) as run:
        found = drift_of(run)
    assert row(found, "response.p50").verdict == "steady"
    assert "drifting" not in {one.verdict for one in found.rows}
    # Where none was asked for, a twentieth is taken for the warm-up.
    assert found.begin_ns == MINUTE_NS
