"""Messages for the timeline viewer: what the page's script shows of them, within a bound."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsload import results
from wsload.results import RunFile
from wsload.units import format_latency

Event = Mapping[str, Any]
"""`time_ns` after the epoch, `connection`, `direction` (in, out or none), `opcode`, `size` in bytes, and the payload as
`text` or `base64` as far as it was kept; `note` is what else there is to say."""

MAX_EVENTS = 8_000
MAX_BYTES = 700_000
"""Of payloads: the page is to stay below 3 MB."""
MAX_PAYLOAD = 16_384
_WIDEST = 12
"""Bytes that one character takes at most: two escaped halves of a surrogate pair."""


def recorded(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The messages that a run file keeps, evenly thinned out where they are too many, and how many there are.

    Raises:
        RunFileError: it cannot be read.
    """
    with RunFile.open(path) as run:
        total = run.count_events()
        step = max(-(-total // MAX_EVENTS), 1)
        return [shown(event) for _, event in run.events("id % ? = 0", (step,))], total


def shown(event: results.Event) -> dict[str, Any]:
    """A recorded event as the viewer takes it: what is text as text, all else as bytes."""
    notes = [event.name or "", event.failure or ""]
    if event.code is not None:
        notes.append(f"code {event.code}")
    if event.latency_ns is not None:
        notes.append(f"response time {format_latency(event.latency_ns)}")
    found: dict[str, Any] = {
        "time_ns": event.at_ns,
        "connection": event.connection,
        "direction": {"sent": "out", "received": "in"}.get(event.direction),
        "opcode": event.kind,
        "size": event.size,
        "note": " · ".join(filter(None, notes)),
    }
    try:
        text = "" if event.kind == "binary" else event.payload.decode()
    except UnicodeDecodeError:
        text = ""
    if not text:
        return found | {"base64": base64.b64encode(event.payload).decode("ascii")}
    return found | {"text": text}


def timeline_data(events: Sequence[Event], total: int | None = None) -> dict[str, Any]:
    """Events in order of time, whole runs thinned out evenly where they are too many."""
    ordered = sorted(events, key=lambda event: (event["time_ns"], event["connection"]))
    step = max(-(-len(ordered) // MAX_EVENTS), 1)
    kept = ordered[::step]
    budget = MAX_BYTES
    rows = []
    for event in kept:
        row, used = _row(event, min(budget, MAX_PAYLOAD))
        budget -= used
        rows.append(row)
    return {"events": rows, "total": len(ordered) if total is None else total}


def _row(event: Event, room: int) -> tuple[dict[str, Any], int]:
    """An event as the script reads it, and how many bytes of the page its payload takes."""
    row: dict[str, Any] = {
        "t": event["time_ns"],
        "c": event["connection"],
        "d": event.get("direction") or "",
        "o": event.get("opcode") or "",
        "n": event.get("size") or 0,
    }
    used = 0
    for key in ("note", "text", "base64"):
        whole = str(event.get(key) or "")
        if whole:
            row[key] = _fitting(whole, room - used, step=4 if key == "base64" else 1)
            used += _weight(row[key])
            if len(row[key]) < len(whole):
                row["cut"] = True
    return row, used


def _fitting(text: str, room: int, step: int) -> str:
    """As much of a text as there is room for in the page, whole groups of base64."""
    if _weight(text[: room + 1]) > room:
        # Cut by what a character takes at most, so that no text is weighed twice.
        text = text[: max(room, 0) // _WIDEST]
    return text[: len(text) // step * step]


def _weight(text: str) -> int:
    """Bytes that a text takes in the page: escaped for JSON, and once more for HTML."""
    return len(json.dumps(text)) + 5 * sum(map(text.count, "<>&"))
