"""The timeline as text: a line for each event, one event in full. What a server sent is never printed raw."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from rich.text import Text

from wsload.report.text import printable, shortened
from wsload.results import Event, Flag, RunFile, Why
from wsload.timeline.payload import hexdump, indented, looks_like_json, text_of
from wsload.units import format_bytes, format_count, format_latency

ARROWS = {"sent": "→", "received": "←", "": "·"}
STYLES = {"sent": "cyan", "received": "green", "": "dim"}
PIPED_PAYLOAD = 160
HEX_BYTES = 24
REASONS = {
    Why.CONNECTION: "of whole connections",
    Why.FAILURE: "around failures",
    Why.SLOW: "before slow replies",
    Why.SAMPLE: "of sampled exchanges",
}


COUNTERS = {
    Why.CONNECTION: "events_whole",
    Why.FAILURE: "events_failure",
    Why.SLOW: "events_slow",
    Why.SAMPLE: "events_sample",
}


class Shape(Enum):
    """How a payload is shown in full."""

    AUTO = "auto"
    JSON = "json"
    HEX = "hex"
    BASE64 = "base64"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Row:
    """A line in parts: text and style."""

    parts: tuple[tuple[str, str], ...]

    def plain(self) -> str:
        """Without style."""
        return "".join(text for text, _ in self.parts).rstrip()

    def rich(self) -> Text:
        """With style."""
        return Text.assemble(*self.parts)


def head(run: RunFile) -> Row:
    """What the file holds of all there was."""
    seen, kept = run.counter("events_seen"), run.count_events()
    reasons = [f"{format_count(n)} {text}" for why, text in REASONS.items() if (n := run.counter(COUNTERS[why]))]
    parts = [printable(run.header.target), f"{format_count(kept)} of {format_count(max(seen, kept))} events kept"]
    if reasons:
        parts[-1] += f": {', '.join(reasons)}"
    if lost := run.counter("events_over_budget"):
        parts.append(f"{format_count(lost)} more had no room (--record-limit)")
    if not run.finished:
        parts.append("the run is not over")
    return Row(((" · ".join(parts), "bold"),))


def rows(
    events: Iterable[tuple[int, Event]], epoch_unix_ns: int | None, width: int | None, *, gaps: bool
) -> Iterator[Row]:
    """A line for each event. `width` None: not a terminal. `gaps`: say where events of a connection were not kept."""
    previous_ns: int | None = None
    seqs: dict[tuple[int, int], int] = {}
    for number, event in events:
        connection = (event.connection, event.attempt)
        if gaps:
            missing = event.seq - seqs.get(connection, -1) - 1
            seqs[connection] = event.seq
            if missing > 0:
                yield Row(((f"{'':9}… {format_count(missing)} events of connection {_name(event)} not kept", "dim"),))
        yield row(number, event, previous_ns, epoch_unix_ns, width)
        previous_ns = event.at_ns


def row(number: int, event: Event, previous_ns: int | None, epoch_unix_ns: int | None, width: int | None) -> Row:
    """One event on one line."""
    delta = "" if previous_ns is None else _delta(event.at_ns - previous_ns)
    latency = "" if event.latency_ns is None else format_latency(event.latency_ns)
    style = "bold red" if event.failure else STYLES[event.direction]
    size = format_bytes(event.size) if event.direction else ""
    fixed = [
        (f"{number:>7}  ", "dim"),
        (f"{wall_time(event.at_ns, epoch_unix_ns)}  {event.at_ns / 1e9:>12.6f}  {delta:>9}  ", "dim"),
        (f"{_name(event):>7} ", ""),
        (f"{ARROWS[event.direction]} {event.kind:7}", style),
        (f"{size:>8} {latency:>8}  ", "yellow" if event.why & Why.SLOW and latency else ""),
    ]
    room = PIPED_PAYLOAD if width is None else max(width - sum(len(text) for text, _ in fixed) - 1, 20)
    return Row((*fixed, (shortened(gist(event), room), "red" if event.failure else "")))


def gist(event: Event) -> str:
    """The first line of the payload, or what stands for it."""
    text = text_of(event.payload)
    cut = " (cut)" if event.flags & Flag.CUT else ""
    if event.kind == "failed":
        return f"{event.failure}: {printable(text or '')}"
    if event.kind == "close":
        return f'{event.code} "{printable(text or "")}"' if text else str(event.code)
    if event.kind in {"connect", "end"} or (event.kind == "open" and not text):
        return "earlier events had left the flight recorder" if event.flags & Flag.OUT_OF_REACH else ""
    if event.kind in {"binary", "ping", "pong"} or text is None:
        more = " …" if len(event.payload) > HEX_BYTES else ""
        return event.payload[:HEX_BYTES].hex(" ") + more + cut
    first, newline, _ = text.partition("\n")
    return printable(first) + (" …" if newline else "") + cut


def detail(run: RunFile, number: int, event: Event, shape: Shape) -> list[Row]:
    """One event in full."""
    lines = [
        ("event", f"{number}"),
        ("time", f"{event.at_ns / 1e9:.9f} s after the epoch, {wall_time(event.at_ns, run.epoch_unix_ns)} UTC"),
        ("connection", f"{event.connection}, attempt {event.attempt}, its event {event.seq}"),
        ("type", f"{event.kind} {event.direction}".rstrip()),
    ]
    if event.name:
        lines.append(("name", printable(event.name)))
    if event.latency_ns is not None:
        lines.append(("latency", f"{format_latency(event.latency_ns)} from the intended send"))
    if event.code is not None:
        lines.append(("close code", str(event.code)))
    if event.failure:
        lines.append(("failure", event.failure))
    lines.append(("kept", ", ".join(text for why, text in REASONS.items() if event.why & why) or "imported"))
    kept = len(event.payload)
    size = f"{format_count(event.size)} bytes"
    if event.flags & Flag.CUT:
        size += f", of which {format_count(kept)} are kept"
    if event.flags & Flag.REDACTED:
        size += ", a secret replaced by its name"
    lines.append(("size", size))
    found = [Row(((f"{label:12}", "dim"), (value, ""))) for label, value in lines]
    return [*found, Row((("", ""),)), *(Row(((line, ""),)) for line in payload_lines(event, shape))]


def payload_lines(event: Event, shape: Shape) -> list[str]:
    """The payload, line by line, safe to print."""
    text = text_of(event.payload)
    if shape is Shape.AUTO:
        if text is None or event.kind in {"binary", "ping", "pong"}:
            shape = Shape.HEX
        else:
            shape = Shape.JSON if looks_like_json(text) else Shape.TEXT
    if shape is Shape.BASE64:
        return [base64.b64encode(event.payload).decode()]
    if shape is Shape.HEX or text is None:
        return hexdump(event.payload)
    shown = indented(text) if shape is Shape.JSON and looks_like_json(text) else text
    return [printable(line) for line in shown.split("\n")]


def json_line(number: int, event: Event, epoch_unix_ns: int | None) -> str:
    """An event as a JSON document of one line. The payload is `text`, or `base64` where it is not UTF-8."""
    document: dict[str, object] = {"id": number, **event._asdict()}
    del document["payload"]
    document["at_unix_ns"] = None if epoch_unix_ns is None else epoch_unix_ns + event.at_ns
    document["flags"] = [flag.name.lower() for flag in Flag if event.flags & flag and flag.name]
    document["why"] = [why.name.lower() for why in Why if event.why & why and why.name]
    text = text_of(event.payload)
    if text is None:
        document["base64"] = base64.b64encode(event.payload).decode()
    else:
        document["text"] = text
    return json.dumps(document, ensure_ascii=True)


def wall_time(at_ns: int, epoch_unix_ns: int | None) -> str:
    """`10:15:02.123456` in UTC."""
    if epoch_unix_ns is None:
        return "-" * 15
    whole, rest = divmod(epoch_unix_ns + at_ns, 10**9)
    return f"{datetime.fromtimestamp(whole, UTC):%H:%M:%S}.{rest // 1000:06}"


def _name(event: Event) -> str:
    return str(event.connection) if event.attempt == 1 else f"{event.connection}.{event.attempt}"


def _delta(span_ns: int) -> str:
    return f"+{format_latency(span_ns)}"
