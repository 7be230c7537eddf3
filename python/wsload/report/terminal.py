"""The summary on a terminal."""

import sys
from typing import IO

from rich.console import Console
from rich.text import Text

from wsload.report.remedies import REMEDIES, TITLES
from wsload.report.text import latency_column, printable
from wsload.results import Stats, Summary
from wsload.results.summary import FailureSummary
from wsload.units import format_bytes, format_count, format_duration, format_latency, format_rate

LABEL_WIDTH = 12
MAX_FAILURES = 8
PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")


def print_summary(summary: Summary, file: IO[str] | None = None) -> None:
    """Prints a summary; colours only on a terminal and without NO_COLOR."""
    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)
    width = max(console.width, 80) if console.is_terminal else 110
    for line in render(summary, width):
        console.print(line)


def render(summary: Summary, width: int) -> list[Text]:
    """The summary, line by line."""
    lines = _head(summary, width)
    lines += _state(summary)
    lines += [_connect(summary), *_messages(summary), *_rate(summary)]
    lines += _failures(summary)
    lines += _latencies(summary)
    lines += _notes(summary)
    if summary.file:
        lines.append(_line("saved", f"{summary.file}       wsload report FILE"))
    return lines


def describe_load(summary: Summary) -> str:
    """The load model in a few words."""
    load = summary.load
    if load.model == "open":
        return f"{format_rate(load.rate_per_s).removesuffix('/s')} msg/s open, {load.arrivals}"
    if load.model == "closed":
        return f"closed loop, {load.in_flight} in flight"
    return "idle"


def _head(summary: Summary, width: int) -> list[Text]:
    parts = [f"wsload {summary.wsload_version}", printable(summary.target)]
    count = summary.connections.asked
    parts += [f"{format_count(count)} connection{'s' if count > 1 else ''}", describe_load(summary)]
    if summary.message_bytes is not None:
        parts.append(f"{summary.message_bytes:,} B {summary.message_kind}")
    if summary.iterations_asked is not None:
        parts.append(f"{format_count(summary.iterations_asked)} messages")
    if summary.duration_asked_ns is not None:
        parts.append(format_duration(summary.duration_asked_ns))
    if summary.warmup_ns:
        parts.append(f"after {format_duration(summary.warmup_ns)} of warm-up")
    if summary.load.model == "open":
        parts.append(f"grain {format_duration(summary.grain_ns)}")
    parts += [f"{printable(key)}={printable(value)}" for key, value in summary.labels.items()]
    parts.append(f"seed {summary.seed}")
    return [Text(line, style="bold") for line in _flow(parts, width)]


def _flow(parts: list[str], width: int) -> list[str]:
    """Parts joined by dots, broken between parts."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(f"    {part}" if lines else part)
    return lines


def _state(summary: Summary) -> list[Text]:
    if summary.outcome == "completed":
        return []
    said = {
        "unfinished": "this run has no end yet: it goes on, or was killed; what was saved follows",
        "interrupted": f"{summary.outcome_reason} after {format_duration(summary.duration_ns)}",
        "failed": summary.outcome_reason,
    }
    return [_line(summary.outcome, said[summary.outcome], style="bold yellow")]


def _connect(summary: Summary) -> Text:
    connections = summary.connections
    cells = [f"{format_count(connections.opened)} of {format_count(connections.asked)}"]
    if summary.connect:
        cells += [f"p50 {format_latency(summary.connect.p50)}", f"p99 {format_latency(summary.connect.p99)}"]
    for count, one, word in (
        (connections.attempts_failed, "attempt failed", "attempts failed"),
        (connections.lost, "lost", "lost"),
        (connections.matching_lost, "matching lost", "matching lost"),
        (connections.reconnects, "reconnect", "reconnects"),
    ):
        if count:
            cells.append(f"{format_count(count)} {word if count > 1 else one}")
    style = "" if connections.opened == connections.asked else "red"
    return _line("connect", _cells(cells), style=style)


def _messages(summary: Summary) -> list[Text]:
    messages = summary.messages
    lines = []
    if summary.load.model != "idle":
        cells = [f"{format_count(messages.due)} due", f"{format_count(messages.sent)} sent"]
        if summary.matching == "order":
            cells += [
                f"{format_count(messages.answered)} answered",
                f"{format_count(messages.unanswered)} unanswered",
            ]
        if messages.unsent:
            cells.append(f"{format_count(messages.unsent)} unsent")
        lines.append(_line("messages", _cells(cells)))
    if messages.pushes:
        received = f"{format_count(messages.pushes)} received"
        lines.append(_line("pushes", _cells([received, "messages that answer nothing"])))
    if summary.warmup:
        warmup = summary.warmup
        cells = [
            f"{format_count(warmup.sent)} sent",
            f"{format_count(warmup.answered)} answered",
            "kept apart",
        ]
        lines.append(_line("warm-up", _cells(cells)))
    return lines


def _rate(summary: Summary) -> list[Text]:
    rate = summary.rate
    if not summary.duration_ns or not (summary.messages.sent or summary.messages.received):
        return []
    if summary.load.model == "idle":
        cells = [f"{format_rate(rate.received_per_s)} received"] if summary.messages.received else []
    else:
        cells = [
            f"{format_rate(rate.reached_per_s)} reached",
            f"{format_bytes(rate.bytes_out_per_s, True)} out",
        ]
        if rate.asked_per_s is not None:
            cells.insert(0, f"{format_rate(rate.asked_per_s)} asked")
    if summary.messages.received:
        cells.append(f"{format_bytes(rate.bytes_in_per_s, True)} in")
    return [_line("rate", _cells(cells))] if cells else []


def _failures(summary: Summary) -> list[Text]:
    lines: list[Text] = []
    for failure in summary.failures[:MAX_FAILURES]:
        lines += _failure(failure)
    hidden = len(summary.failures) - MAX_FAILURES
    if hidden > 0:
        lines.append(_line("", f"and {hidden} more kinds, in --format json"))
    return lines


def _failure(failure: FailureSummary) -> list[Text]:
    title = TITLES.get(failure.kind, failure.kind)
    detail = f" ({printable(failure.detail)})" if failure.detail else ""
    first = f"first {_instant(failure.first_ns)}"
    return [
        _line("failure", f"{format_count(failure.count)} × {title}{detail}, {first}", style="red"),
        _line("", f"  {printable(failure.example)}"),
        _line("", f"  {REMEDIES.get(failure.kind, '')}", style="dim"),
    ]


def _instant(at_ns: int) -> str:
    return f"at {at_ns / 1e9:.1f} s" if at_ns >= 0 else "while connecting"


def _latencies(summary: Summary) -> list[Text]:
    rows: list[tuple[str, Stats, str]] = []
    origin = "from the intended send" if summary.load.model == "open" else "from when it could be sent"
    for label, stats, note in (
        ("response time", summary.response_time, origin),
        ("service time", summary.service_time, "from the actual send"),
        ("send lag", summary.send_lag, "intended to actual send: our own share"),
    ):
        if stats:
            rows.append((label, stats, note))
    if not rows:
        return []
    values = [stats.model_dump(by_alias=True) for _, stats, _ in rows]
    columns = [latency_column([row[name] for row in values]) for name in PERCENTILES]
    widths = [max(9, *(len(cell) + 2 for cell in column)) for column in columns]
    heading = "".join(name.rjust(width) for name, width in zip(PERCENTILES, widths, strict=True))
    lines = [Text(f"  {'':{LABEL_WIDTH + 2}}{heading}", style="dim")]
    for number, (label, _, note) in enumerate(rows):
        cells = "".join(column[number].rjust(width) for column, width in zip(columns, widths, strict=True))
        line = Text(f"  {label:{LABEL_WIDTH + 2}}{cells}")
        lines.append(line.append(f"   {note}", style="dim"))
    return lines


def _notes(summary: Summary) -> list[Text]:
    return [_line("note", printable(note.text), style="yellow") for note in summary.notes]


def _cells(cells: list[str]) -> str:
    """Cells in columns of equal width."""
    return "".join(f"{cell:<19}" if len(cell) < 19 else f"{cell}  " for cell in cells).rstrip()


def _line(label: str, text: str, style: str = "") -> Text:
    return Text(f"  {label:{LABEL_WIDTH}}").append(text, style=style)
