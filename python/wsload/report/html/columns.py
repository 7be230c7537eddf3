"""What charts draw, as plain columns of numbers: the same for a page on disk and for one that is fed live."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from wsload.results import Distribution, Record, Window

Column = list[float]
Columns = dict[str, Column]

NAN = math.nan
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
HEAT_STEPS = 10
"""Rows of the heat map for each factor of ten."""
MAX_HEAT_ROWS = 120
TAIL_POINTS = 160
MAX_SPANS = 60
_MAIN = {
    "response_time": "Response time",
    "fan_out_each": "Publish to each subscriber",
    "push_gap": "Gap between pushes",
    "ping_time": "Ping to pong",
    "recover_time": "Time to recover",
    "connect": "Connect",
}
_SLIVER = 0.25
"""Of a usual window's length."""
LABELS = _MAIN | {"service_time": "Service time", "send_lag": "Send lag", "receive_lag": "Receive lag"}


def _cores(window: Window) -> float:
    """Cores that the workers were busy on."""
    return (window.per_second("cpu_user_ns") + window.per_second("cpu_system_ns")) / 1e9


_RATES: dict[str, Callable[[Window], float]] = {
    **{name: partial(Window.per_second, counter=name) for name in ("due", "sent", "answered", "received")},
    "failures": lambda window: window.failures.total() / window.seconds,
    "cpu": _cores,
}


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Counts by time and latency: a row of cells for each step of latency, from `low_ms` to `high_ms`."""

    start_s: float
    end_s: float
    low_ms: float
    high_ms: float
    rows: list[list[float]]


def main_metric(record: Record) -> str | None:
    """The latency that this run is about; None when nothing was measured."""
    return next((name for name in _MAIN if record.series.measured(name).count), None)


def over_time(record: Record) -> Columns:
    """A column for each line that is drawn over time; NaN where there is nothing to draw."""
    windows, main = record.series.windows, main_metric(record)
    columns: Columns = {"t": [(window.start_ns + window.end_ns) / 2e9 for window in windows]}
    # A sliver, such as the drain after the last message, has no rate worth drawing.
    least_s = _SLIVER * max((window.seconds for window in windows), default=0)
    for name, rate in _RATES.items():
        columns[name] = [rate(window) if window.seconds >= least_s else NAN for window in windows]
    columns["failed"] = [float(window.failures.total()) for window in windows]
    for name in ("open_connections", "in_flight", "backlog"):
        columns[name] = [float(window.gauges.get(name, 0)) for window in windows]
    columns["rss"] = [window.gauges.get("rss_bytes", 0) / 1e6 for window in windows]
    columns |= _percentiles(windows, main, "")
    for metric in ("service_time", "send_lag", "receive_lag"):
        columns |= _percentiles(windows, metric, f"{metric}_")
    return columns


def failure_kinds(record: Record) -> list[str]:
    """Kinds of failure that happened, the most frequent first."""
    total: Counter[str] = Counter()
    for window in record.series.windows:
        total.update(window.failures)
    return [kind for kind, _ in total.most_common()]


def failures_over_time(record: Record, kinds: Sequence[str]) -> Columns:
    """Failures per second of each kind, with the window's middle and width."""
    windows = record.series.windows
    columns = {kind: [window.failures[kind] / window.seconds for window in windows] for kind in kinds}
    middle = [(window.start_ns + window.end_ns) / 2e9 for window in windows]
    return columns | {"t": middle, "width": [window.seconds * 0.9 for window in windows]}


def suspect_spans(record: Record) -> list[tuple[int, int]]:
    """From when to when figures are suspect, ns; empty where that is too often, or too much, to be drawn."""
    spans: list[tuple[int, int]] = []
    for window in record.series.windows:
        if window.suspect and spans and spans[-1][1] == window.start_ns:
            spans[-1] = (spans[-1][0], window.end_ns)
        elif window.suspect:
            spans.append((window.start_ns, window.end_ns))
    suspect_ns = sum(end_ns - start_ns for start_ns, end_ns in spans)
    whole_ns = max((window.end_ns for window in record.series.windows), default=0)
    # Where all is shaded, nothing is marked: the verdict says it.
    return spans if len(spans) <= MAX_SPANS and suspect_ns * 2 <= whole_ns else []


def tail(distribution: Distribution) -> Columns:
    """The percentile plot in the manner of HdrHistogram: latency over 1/(1-p), as far as there are values."""
    if not distribution.count:
        return {"x": [], "ms": []}
    furthest = math.log10(max(distribution.count, 10))
    x = [10 ** (furthest * step / (TAIL_POINTS - 1)) for step in range(TAIL_POINTS)]
    values = distribution.quantiles_ns([1 - 1 / one for one in x])
    return {"x": x, "ms": [max(value, 1) / 1e6 for value in values]}


def heat_map(record: Record) -> HeatMap | None:
    """How many messages had which latency when; None when there is nothing to show."""
    metric = main_metric(record)
    found = [(window, window.latency(metric)) for window in record.series.windows] if metric else []
    found = [(window, latency) for window, latency in found if window.end_ns > 0]
    filled = [latency for _, latency in found if latency.count]
    if not filled:
        return None
    low = math.floor(math.log10(max(min(int(latency.values_ns[0]) for latency in filled), 1)))
    high = math.ceil(math.log10(max(latency.max_ns for latency in filled) + 1))
    steps = min((high - low) * HEAT_STEPS, MAX_HEAT_ROWS)
    bounds = [10 ** (low + (high - low) * step / steps) for step in range(steps + 1)]
    start_ns, end_ns = found[0][0].start_ns, found[-1][0].end_ns
    rows = [[NAN] * _heat_columns(found) for _ in range(steps)]
    for window, latency in found:
        totals = latency.counts_up_to(bounds)
        first, last = (_place(at, start_ns, end_ns, len(rows[0])) for at in (window.start_ns, window.end_ns))
        first = min(first, len(rows[0]) - 1)
        for row in range(steps):
            if count := totals[row + 1] - totals[row]:
                for column in range(first, max(last, first + 1)):
                    rows[row][column] = count / window.seconds
    return HeatMap(start_ns / 1e9, end_ns / 1e9, bounds[0] / 1e6, bounds[-1] / 1e6, rows)


def latency_range(columns: Sequence[Columns], names: Sequence[str]) -> tuple[float, float]:
    """The ends of a logarithmic axis in milliseconds that shows these columns of all runs."""
    values = [value for one in columns for name in names for value in one.get(name, []) if value > 0]
    if not values:
        return 0.01, 10.0
    return min(values) / 1.6, max(values) * 1.6


def _percentiles(windows: Sequence[Window], metric: str | None, prefix: str) -> Columns:
    columns: Columns = {f"{prefix}{name}": [] for name in (*PERCENTILES, "max")}
    for window in windows:
        latency = window.latency(metric) if metric else Distribution.empty()
        values: list[float] = [NAN] * (len(PERCENTILES) + 1)
        if latency.count:
            # A logarithmic axis has no zero.
            values = [max(value, 1) / 1e6 for value in (*latency.quantiles_ns(PERCENTILES.values()), latency.max_ns)]
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    return columns


def _heat_columns(found: Sequence[tuple[Window, Distribution]]) -> int:
    """One for each window of usual width: a short last one does not make all others narrow."""
    usual = max(window.seconds for window, _ in found)
    return max(round((found[-1][0].end_ns - found[0][0].start_ns) / 1e9 / usual), 1)


def _place(at_ns: int, start_ns: int, end_ns: int, count: int) -> int:
    return min(round((at_ns - start_ns) / max(end_ns - start_ns, 1) * count), count)
