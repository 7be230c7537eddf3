import csv
import io
from datetime import UTC, datetime
from typing import Any

from wsload.analysis.history import Average, Entry, History, RunFigures
from wsload.report.history import render, render_list, to_csv

MS = 1_000_000


def entry(label: str, day: int, *times_ms: float, low: float | None = None, high: float | None = None) -> Entry:
    runs = [
        RunFigures(
            file=f"{day}-{number}.wsload",
            started_at=datetime(2026, 11, day, 10, number, tzinfo=UTC),
            values={"response.p99": value * MS},
        )
        for number, value in enumerate(times_ms)
    ]
    scale = {name: None if end is None else end * MS for name, end in (("low", low), ("high", high))}
    mean = sum(times_ms) / len(times_ms) * MS
    return Entry(label=label, target="ws://h/", runs=runs, averages={"response.p99": Average(value=mean, **scale)})


def history(*entries: Entry, **units: Any) -> History:
    return History(units={"response.p99": "ns", **units}, entries=list(entries))


def test_a_chart_has_a_row_per_label_and_moves_with_the_value() -> None:
    made = history(entry("v1", 1, 10, 12, low=9, high=13), entry("v2", 2, 20))
    lines = [line.plain for line in render(made, ["response.p99"])]
    assert lines[0] == "response.p99"
    first, second = lines[2], lines[3]
    assert first.split()[:5] == ["v1", "2", "runs", "11.0", "ms"]
    assert first.index("├") < first.index("●") < first.index("┤") < second.index("●")
    assert "├" not in second


def test_values_that_are_all_the_same_have_a_chart() -> None:
    lines = [line.plain for line in render(history(entry("v1", 1, 10), entry("v2", 2, 10)), ["response.p99"])]
    assert lines[2].index("●") == lines[3].index("●")


def test_one_wide_interval_does_not_flatten_the_chart() -> None:
    made = history(entry("v1", 1, 10, low=0.001, high=90_000), entry("v2", 2, 11))
    lines = [line.plain for line in render(made, ["response.p99"])]
    assert lines[3].index("●") > lines[2].index("●") + 5


def test_metrics_that_nobody_has_are_left_out() -> None:
    made = history(entry("v1", 1, 10))
    assert "nothing to show" in render(made, ["rate"])[0].plain


def test_csv_has_a_row_per_run_in_the_order_of_time() -> None:
    made = history(entry("v2", 9, 20), entry("v1", 1, 10, 12), **{"response.p99.9": "ns", "rate": "per_s"})
    rows = list(csv.DictReader(io.StringIO(to_csv(made))))
    assert list(rows[0]) == ["time", "label", "response_p99_ns", "response_p99_9_ns", "rate_per_s"]
    assert [row["label"] for row in rows] == ["v1", "v1", "v2"]
    assert rows[0]["time"] == "2026-11-01T10:00:00+00:00"
    assert [float(row["response_p99_ns"]) for row in rows] == [10 * MS, 12 * MS, 20 * MS]
    assert rows[0]["rate_per_s"] == ""


def test_the_list_is_harmless_whatever_the_target_is_called() -> None:
    made = entry("v1", 1, 10).model_copy(update={"target": "ws://h/\x1b[2J"})
    lines = [line.plain for line in render_list(history(made))]
    assert "\x1b" not in "".join(lines)
    assert lines[1].split()[:4] == ["v1", "1", "2026-11-01", "10:00"]
