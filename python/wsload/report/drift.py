"""How a run changed while it went on: what drifts first, then what cannot be told, and what is steady in a line."""

from collections.abc import Sequence
from pathlib import Path

from wsload.analysis.drift import Drift, Row, drift_of
from wsload.report.text import flow, printable
from wsload.report.watched import NAMES
from wsload.results import RunFile
from wsload.results.summary import LONG_RUN_NS
from wsload.units import format_bytes, format_count, format_duration, format_latency, format_share

WIDTH = 106
_ORDER = ("drifting", "cannot tell")
_SECOND = 10**9
_SOURCES = {"target": "target's", "generator": "own"}


def print_drift(path: Path) -> None:
    """Prints the drift of a run file, if the run was long enough to speak of one."""
    with RunFile.open(path) as run:
        if run.end_ns >= LONG_RUN_NS:
            print("\n".join(["", *drift_lines(drift_of(run))]))


def drift_lines(drift: Drift, width: int = WIDTH) -> list[str]:
    """The drift of a run, line by line."""
    lines = flow(_head(drift), width, "  ", 10)
    shown = [row for verdict in _ORDER for row in drift.rows if row.verdict == verdict]
    cells = [_cells(row, drift) for row in shown]
    widths = [max((len(row[at]) for row in cells), default=0) for at in range(4)]
    last = ""
    for row, line in zip(shown, cells, strict=True):
        verdict = row.verdict if row.verdict != last else ""
        last = row.verdict
        columns = [cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)]
        lines.append(f"  {verdict:12}{'  '.join(columns)}".rstrip())
    steady = [shown_name(row.metric) for row in drift.rows if row.verdict == "steady"]
    if steady:
        lines += [f"  {'steady':12}{line}" if not at else line for at, line in enumerate(flow(steady, width, ", ", 14))]
    lines += [f"  {'not judged':12}{printable(text)}" for text in drift.skipped]
    return lines + [f"  {line}" for line in _cautions(drift)]


def shown_name(metric: str) -> str:
    """`response.p50`, `target's memory`, `own descriptors`."""
    source, _, name = metric.partition(".")
    return f"{_SOURCES[source]} {NAMES.get(name, printable(name))}" if source in _SOURCES else printable(metric)


def amount(row: Row, value: float, *, sign: bool = False) -> str:
    """A value of a row in its unit."""
    mark = ("-" if value < 0 else "+") if sign else ("-" if value < 0 else "")
    size = abs(value)
    match row.unit:
        case "ns":
            text = format_latency(size)
        case "bytes":
            text = format_bytes(size)
        case "share":
            text = format_share(min(size, 1.0)) if size <= 1 else f"{size * 100:,.0f} %"
        case "per_s":
            text = f"{size:,.0f}/s" if size >= 100 else f"{size:.3g}/s"
        case "cores":
            text = f"{size:.3g} cores"
        case _:
            text = format_count(round(size)) if size == round(size) else f"{size:,.3g}"
    return mark + text


def _head(drift: Drift) -> list[str]:
    if not drift.rows:
        return ["drift   ", "too little was measured to tell"]
    names = [shown_name(row.metric) for row in drift.rows if row.verdict == "drifting"]
    found = f"{len(names)} of {len(drift.rows)} metrics drift" if names else "nothing drifts"
    begin, end = (format_duration(max(round(at / _SECOND), 0) * _SECOND) for at in (drift.begin_ns, drift.end_ns))
    parts = ["drift   ", found, f"from {begin} to {end}"]
    windows = max(row.windows for row in drift.rows)
    parts.append(f"{format_count(windows)} windows of {format_duration(round(drift.window_ns / _SECOND) * _SECOND)}")
    if drift.restarts:
        parts.append(f"{drift.restarts} restart{'s' * (drift.restarts != 1)} of the target")
    return parts


def _cells(row: Row, drift: Drift) -> tuple[str, str, str, str]:
    ends = f"{amount(row, row.first)} to {amount(row, row.last)}"
    rate = f"{amount(row, row.per_hour, sign=True)} per hour"
    interval = f"({amount(row, row.low, sign=True)} to {amount(row, row.high, sign=True)})"
    lives = row.metric.startswith("target.") and drift.restarts
    share = "between restarts" if lives else _share(row)
    return shown_name(row.metric), ends, f"{rate} {interval}", share


def _share(row: Row) -> str:
    if not row.level or row.unit == "share":
        return ""
    return f"{row.over_run / abs(row.level):+.1%} in all".replace("%", " %")


def _cautions(drift: Drift) -> list[str]:
    if drift.by_hours:
        return ["the same hours of different days were compared"]
    if drift.hours >= 6 and "drifting" in {row.verdict for row in drift.rows}:
        return ["a run of less than two days cannot tell a drift from a part of a daily cycle"]
    return []


def markdown(drift: Drift) -> list[str]:
    """A table for job summaries."""
    lines = ["| metric | first | last | per hour | 95 % interval | verdict |", "|---|--:|--:|--:|---|---|"]
    for row in _ordered(drift.rows):
        low, high = amount(row, row.low, sign=True), amount(row, row.high, sign=True)
        first, last, rate = amount(row, row.first), amount(row, row.last), amount(row, row.per_hour, sign=True)
        name = shown_name(row.metric).replace("|", "\\|")
        lines.append(f"| {name} | {first} | {last} | {rate} | {low} to {high} | {row.verdict} |")
    return lines


def _ordered(rows: Sequence[Row]) -> list[Row]:
    order = {verdict: at for at, verdict in enumerate((*_ORDER, "steady"))}
    return sorted(rows, key=lambda row: order[row.verdict])
