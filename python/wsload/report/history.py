"""A history as charts on a terminal, and as CSV for tools that look for change points."""

import csv
import io
import sys
from typing import IO

from rich.console import Console
from rich.text import Text

from wsload.analysis.history import Average, Entry, History
from wsload.report.text import latency_column, printable, shortened
from wsload.units import format_bytes, format_latency, format_rate

CHART_WIDTH = 50
MAX_LABEL = 32
SUFFIXES = {"ns": "_ns", "per_s": "_per_s", "share": "_share", "bytes": "_bytes"}


def print_history(history: History, names: list[str], file: IO[str] | None = None) -> None:
    """Prints a chart of each metric; in colour only on a terminal."""
    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)
    for line in render(history, names):
        console.print(line)


def render(history: History, names: list[str]) -> list[Text]:
    """A chart for each of the metrics that some label has: one row per label, oldest first."""
    lines: list[Text] = []
    for name in names:
        rows = [(entry, entry.averages[name]) for entry in history.entries if name in entry.averages]
        if rows:
            lines += ([Text("")] if lines else []) + _chart(name, history.units[name], rows)
    return lines or [Text("nothing to show: no run has any of these metrics")]


def render_list(history: History) -> list[Text]:
    """A line per label."""
    cells = [["label", "runs", "from", "target", "response p50", "p99"]]
    for entry in history.entries:
        times = [entry.averages.get(name) for name in ("response.p50", "response.p99")]
        cells.append(
            [
                _label(entry),
                str(len(entry.runs)),
                f"{entry.runs[0].started_at:%Y-%m-%d %H:%M}",
                shortened(printable(entry.target), 40),
                *("" if time is None else format_latency(time.value) for time in times),
            ]
        )
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [Text(line, style="" if number else "dim") for number, line in enumerate(lines)]


def to_csv(history: History) -> str:
    """A row per run, oldest first: time, label, and every metric with its unit in the column's name."""
    out = io.StringIO()
    names = list(history.units)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", "label", *(column(name, history.units[name]) for name in names)])
    rows = [(run, entry.label) for entry in history.entries for run in entry.runs]
    for run, label in sorted(rows, key=lambda row: row[0].started_at):
        values = [f"{run.values[name]:.10g}" if name in run.values else "" for name in names]
        writer.writerow([run.started_at.isoformat(timespec="seconds"), printable(label), *values])
    return out.getvalue()


def column(name: str, unit: str) -> str:
    """`response_p99_9_ns`: no dots, which some readers take for paths."""
    return name.replace(".", "_") + SUFFIXES[unit]


def _chart(name: str, unit: str, rows: list[tuple[Entry, Average]]) -> list[Text]:
    ends = [end for _, one in rows for end in (one.value, one.low, one.high) if end is not None]
    # An interval of two runs can be wider than all the chart: values decide the scale.
    values = [one.value for _, one in rows]
    margin = (max(values) - min(values)) or max(values) * 0.05 or 1.0
    low, high = max(min(ends), min(values) - margin), min(max(ends), max(values) + margin)
    shown = _figures(unit, [one.value for _, one in rows])
    left, right = _figures(unit, [low, high])
    width = max(len(_label(entry)) for entry, _ in rows)
    size = max(len(figure) for figure in shown)
    lines = [Text(name, style="bold")]
    ruler = left + right.rjust(CHART_WIDTH - len(left))
    lines.append(Text(f"  {'':{width}}  {'':7}  {'':{size}}  {ruler}", style="dim"))
    for (entry, one), figure in zip(rows, shown, strict=True):
        runs = f"{len(entry.runs)} run{'s' if len(entry.runs) > 1 else ''}"
        lines.append(Text(f"  {_label(entry):{width}}  {runs:>7}  {figure:>{size}}  {_bar(one, low, high)}".rstrip()))
    return lines


def _bar(one: Average, low: float, high: float) -> str:
    def place(value: float) -> int:
        share = (value - low) / (high - low) if high > low else 0.5
        return min(max(round(share * (CHART_WIDTH - 1)), 0), CHART_WIDTH - 1)

    cells = [" "] * CHART_WIDTH
    if one.low is not None and one.high is not None:
        for at in range(place(one.low), place(one.high) + 1):
            cells[at] = "─"
        cells[place(one.low)], cells[place(one.high)] = "├", "┤"
    cells[place(one.value)] = "●"
    return "".join(cells)


def _figures(unit: str, values: list[float]) -> list[str]:
    if unit == "ns":
        return latency_column([round(value) for value in values])
    if unit == "per_s":
        return [format_rate(round(value, 1 if value < 100 else 0)) for value in values]
    if unit == "bytes":
        return [format_bytes(value) for value in values]
    return [f"{value * 100:.3f} %" for value in values]


def _label(entry: Entry) -> str:
    return shortened(printable(entry.label), MAX_LABEL)
