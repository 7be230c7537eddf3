"""Messages for the timeline viewer: what the page's script shows of them, within a bound."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]
"""`time_ns` after the epoch, `connection`, `direction` (in, out or none), `opcode`, `size` in bytes, and the payload as
`text` or `base64` as far as it was kept; `note` is what else there is to say."""

MAX_EVENTS = 8_000
MAX_BYTES = 700_000
"""Of payloads: the page is to stay below 3 MB."""
MAX_PAYLOAD = 16_384
_WIDEST = 12
"""Bytes that one character takes at most: two escaped halves of a surrogate pair."""


def timeline_data(events: Sequence[Event]) -> dict[str, Any]:
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
    return {"events": rows, "total": len(ordered)}


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
