"""What is said of a soak: a line per period while it goes on, windows and outages when it is over.

Plain lines that are read over ssh and in a log: nothing moves, nothing is wider than it has to be.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from wsload.analysis.outages import Outage, Outages
from wsload.report.live import LiveView
from wsload.report.remedies import title
from wsload.report.text import flow, latency_column, printable
from wsload.results import Event, Interval, RunFile, Series, Window, aside_names
from wsload.scenario import Plan
from wsload.units import format_bytes, format_count, format_duration, format_latency, format_rate

ROWS = 24
"""Most windows of the table."""
SHOWN = 20
"""Most outages that are listed."""
NAMED = 5
"""Connections of an outage that are named."""
_SECOND = 10**9
_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_ENDS = ("close", "failed")


class SoakView(LiveView):
    """A line for every period, above what a terminal shows anyway; a log gets nothing else."""

    def __init__(self, stream: IO[str], thresholds: Sequence[str], every_ns: int) -> None:
        super().__init__(stream, thresholds, log_period_ns=None)
        self._every_ns = every_ns
        self._until_ns = 0
        self._period: Window | None = None
        self._plan: Plan | None = None
        self._asides: frozenset[str] = frozenset()

    def on_start(self, plan: Plan, workers: int) -> None:
        """A run begins."""
        super().on_start(plan, workers)
        self._plan, self._asides = plan, aside_names(plan)

    def on_interval(self, interval: Interval) -> None:
        """An interval is over; perhaps a period with it."""
        super().on_interval(interval)
        if self._plan is None or _is_idle(interval):
            return
        if self._period is not None and interval.start_ns >= self._until_ns:
            # Now nothing can be added to the last of its intervals any more.
            self.say(period_line(self._period, self._plan))
            self._period = None
        if self._period is None:
            self._until_ns = (interval.start_ns // self._every_ns + 1) * self._every_ns
            self._period = Window(interval.start_ns, interval.start_ns)
        self._period.take(interval, self._asides)


def period_line(window: Window, plan: Plan, now: datetime | None = None) -> str:
    """`11-24 03:10:00Z  3 h 10 min  2,000 of 2,000 open  2,000/s answered  p50 …`: what a period brought."""
    now = now or datetime.now(UTC)
    elapsed = format_duration(max(round(window.end_ns / _SECOND), 1) * _SECOND)
    parts = [f"{now:%m-%d %H:%M:%S}Z", elapsed]
    parts.append(f"{format_count(window.gauges.get('open_connections', 0))} of {format_count(plan.connections)} open")
    parts += _traffic(window)
    parts += _troubles(window)
    parts.append(f"own memory {format_bytes(window.gauges.get('rss_bytes', 0))}")
    if window.suspect:
        parts.append("suspect")
    return "  ".join(parts)


def _traffic(window: Window) -> list[str]:
    counted = next((name for name in ("answered", "received", "sent") if window.counters[name]), None)
    parts = [f"{format_rate(round(window.per_second(counted), 2))} {counted}"] if counted else []
    times = window.latency("response_time")
    if times.count:
        p50, p99, p999 = times.quantiles_ns((0.5, 0.99, 0.999))
        parts.append(f"p50 {format_latency(p50)}  p99 {format_latency(p99)}  p99.9 {format_latency(p999)}")
    return parts


def _troubles(window: Window) -> list[str]:
    counted = (("connections_lost", "lost"), ("reconnects", "reopened"), ("unanswered", "unanswered"))
    parts = [f"{format_count(window.counters[name])} {word}" for name, word in counted if window.counters[name]]
    failures = sum(window.failures.values())
    return parts + ([f"{format_count(failures)} failure{'s' if failures > 1 else ''}"] if failures else [])


def print_digest(path: Path, file: IO[str] | None = None) -> None:
    """Prints the digest of a run file."""
    with RunFile.open(path) as run:
        print("\n".join(digest(run)), file=file)


def digest(run: RunFile) -> list[str]:
    """A table of windows, and who dropped when."""
    plan = run.header.plan
    series = Series(_width_ns(run.end_ns), ROWS * 4, aside_names(plan))
    outages = Outages()
    for interval in run.intervals():
        outages.add(interval)
        if not _is_idle(interval):
            series.add(interval)
    lines = ["", *_table(series.windows, run.epoch_unix_ns)] if series.windows else []
    return [*lines, "", *_outages(outages, run)]


def _is_idle(interval: Interval) -> bool:
    """Whether the schedule did not run: before it, after it, and while a run that goes on connects anew."""
    return interval.start_ns < 0 or not interval.gauges.get("running_ns")


def _width_ns(length_ns: int) -> int:
    """The narrowest width, of those a person thinks in, at which the table is not too long."""
    return next((width for width in _WIDTHS_S if width * ROWS * _SECOND >= length_ns), _WIDTHS_S[-1]) * _SECOND


def _table(windows: Sequence[Window], epoch_unix_ns: int | None) -> list[str]:
    columns = [
        ["from", *(_clock(window.start_ns, epoch_unix_ns) for window in windows)],
        ["open", *(format_count(window.gauges.get("open_connections", 0)) for window in windows)],
        *_latency_columns(windows),
        ["failures", *(_count(sum(window.failures.values())) for window in windows)],
        ["lost", *(_count(window.counters["connections_lost"]) for window in windows)],
        ["reopened", *(_count(window.counters["reconnects"]) for window in windows)],
        ["own memory", *(format_bytes(window.gauges.get("rss_bytes", 0)) for window in windows)],
    ]
    widths = [max(map(len, cells)) for cells in columns]
    rows = zip(*columns, strict=True)
    return ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _latency_columns(windows: Sequence[Window]) -> list[list[str]]:
    """What was answered and how fast; nothing where nothing awaits a reply."""
    times = [window.latency("response_time") for window in windows]
    if not any(one.count for one in times):
        return []
    values = [[one.quantiles_ns((share,))[0] for one in times] for share in (0.5, 0.99, 0.999)]
    values.append([one.max_ns for one in times])
    answered = ["answered", *(format_rate(round(window.per_second("answered"), 2)) for window in windows)]
    shown = [
        [name, *(text if one.count else "·" for text, one in zip(latency_column(column), times, strict=True))]
        for name, column in zip(("p50", "p99", "p99.9", "max"), values, strict=True)
    ]
    return [answered, *shown]


def _count(number: int) -> str:
    return format_count(number) if number else "·"


def _clock(at_ns: int, epoch_unix_ns: int | None) -> str:
    """Day and time of day (UTC) of an instant of the run."""
    if epoch_unix_ns is None:
        return format_duration(at_ns)
    return f"{datetime.fromtimestamp((epoch_unix_ns + at_ns) / 1e9, UTC):%m-%d %H:%M:%S}"


def _outages(outages: Outages, run: RunFile) -> list[str]:
    found = outages.found()
    if not found:
        return ["  no connection dropped"]
    chosen = sorted(sorted(found, key=lambda one: -one.lost)[:SHOWN], key=lambda one: one.start_ns)
    lines = ["  dropped (UTC)"]
    for outage in chosen:
        first, *rest = flow(_told(outage, run), 106, "  ", 18)
        lines += [f"  {first}", *rest]
    left = len(found) - len(chosen) + outages.unkept
    if left:
        dropped = sum(one.lost for one in found) - sum(one.lost for one in chosen) + outages.unkept_lost
        lines.append(f"  and {format_count(left)} smaller ones, {format_count(dropped)} connections in all")
    return lines


def _told(outage: Outage, run: RunFile) -> list[str]:
    """`11-24 03:10:04`, `2,000 lost`, why, `all back after 4 s`, who."""
    parts = [_clock(outage.start_ns, run.epoch_unix_ns), f"{format_count(outage.lost)} lost"]
    parts += [printable(title(*reason)) for reason, _ in outage.reasons.most_common(2)]
    if outage.least_open < outage.level:
        parts.append(f"down to {format_count(outage.least_open)} of {format_count(outage.level)}")
    if outage.failed_attempts:
        attempts = "attempts" if outage.failed_attempts > 1 else "attempt"
        parts.append(f"{format_count(outage.failed_attempts)} {attempts} failed")
    if outage.back_ns is None:
        parts.append("not all came back")
    else:
        # Intervals tell it no better.
        within_s = -(-max(outage.back_ns - outage.start_ns, 0) // _SECOND)
        parts.append(f"all back within {format_duration(max(within_s, 1) * _SECOND)}")
    return [*parts, *_who(outage, run)]


def _who(outage: Outage, run: RunFile) -> list[str]:
    """The connections, as far as the timeline kept their ends."""
    where = "kind IN (?, ?) AND at_ns BETWEEN ? AND ?"
    known: dict[int, Event] = {}
    for _, event in run.events(where, (*_ENDS, outage.start_ns, outage.last_ns), limit=SHOWN * NAMED):
        known.setdefault(event.connection, event)
    if not known:
        return []
    names = ", ".join(format_count(number) for number in sorted(known)[:NAMED])
    more = outage.lost - min(len(known), NAMED)
    rest = f" and {format_count(more)} more" if more > 0 else ""
    return [f"connection{'s' if outage.lost > 1 else ''} {names}{rest}"]
