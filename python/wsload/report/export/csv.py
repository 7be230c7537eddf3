"""CSV: a row per interval. Sums are those of the interval, latencies whole nanoseconds, what was not measured is empty.

Numbers and fixed words only: nothing of a server's gets into a spreadsheet.
"""

import csv
import io
from collections.abc import Collection, Iterator

from wsload.report.export.rows import Thresholds, failed, phase
from wsload.results import Interval, RunFile, aside_names, interval_stats

COUNTERS = (
    "due",
    "sent",
    "answered",
    "unanswered",
    "unsent",
    "received",
    "pushes",
    "bytes_sent",
    "bytes_received",
    "connects_opened",
    "connects_failed",
    "connections_lost",
    "reconnects",
    "recover_attempts",
    "recover_lost",
    "back_pressure",
)
GAUGES = ("open_connections", "in_flight", "backlog", "rss_bytes")
LATENCIES = {
    "response_time": ("count", "p50", "p90", "p99", "p99.9", "max"),
    "service_time": ("p50", "p90", "p99", "p99.9", "max"),
    "send_lag": ("p50", "p99", "max"),
    "connect": ("p50", "p99", "max"),
    "ping_time": ("p50", "p99", "max"),
    "recover_time": ("p50", "p99", "max"),
    "push_gap": ("p50", "p99", "max"),
    "fan_out_each": ("p50", "p99", "max"),
}
COLUMNS = (
    "index",
    "phase",
    "start_ns",
    "end_ns",
    *COUNTERS,
    "failures",
    "suspect",
    *GAUGES,
    *(f"{metric}_{name}{'' if name == 'count' else '_ns'}" for metric, names in LATENCIES.items() for name in names),
)


def render(run: RunFile, _: Thresholds = None) -> Iterator[str]:
    """The table, line by line (RFC 4180, lines end in CR LF)."""
    yield _line(COLUMNS)
    asides = aside_names(run.header.plan)
    for interval in run.intervals():
        yield _line(_row(interval, asides))


def _row(interval: Interval, asides: Collection[str]) -> list[object]:
    row: list[object] = [interval.index, phase(interval), interval.start_ns, interval.end_ns]
    row += [interval.counters.get(name, 0) for name in COUNTERS]
    row += [failed(interval), int(bool(interval.suspicions))]
    row += [interval.gauges.get(name, 0) for name in GAUGES]
    for metric, names in LATENCIES.items():
        stats = interval_stats(interval, metric, asides)
        values = stats.model_dump(by_alias=True) if stats else {}
        row += [values.get(name, "") for name in names]
    return row


def _line(cells: "tuple[str, ...] | list[object]") -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
