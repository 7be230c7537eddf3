"""The timeline of a run that goes on, a page of it at a time: the file's own index finds it, browsers hold no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsload.report.html.timeline import shown, timeline_data
from wsload.results import Event, RunFile
from wsload.timeline.query import KINDS

PAGE = 200
MAX_SEARCH = 500
MAX_SECONDS = 1e9
_DIRECTIONS = {"in": "received", "out": "sent", "none": ""}
_FOUND = (
    "(instr(lower(CAST(payload AS TEXT)), ?) OR instr(lower(coalesce(name, '') || ' ' || coalesce(failure, '')), ?))"
)
_NEVER = "0"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a browser asks for: conditions, and from where to go on. Whatever makes no sense is found nowhere."""

    search: str = ""
    connection: str = ""
    direction: str = ""
    opcode: str = ""
    from_s: float | None = None
    newest: bool = False
    """The last ones of those that fit, not the first."""
    after: tuple[int, int] | None = None
    """Those behind this one: its instant and its number."""
    seen: int | None = None
    """Those that have come to the file since this number."""

    @classmethod
    def parse(cls, asked: Mapping[str, str]) -> "Wanted":
        """Of the parameters of an address."""
        at, number, seen = (_whole(asked.get(name, "")) for name in ("at", "id", "seen"))
        return cls(
            search=asked.get("search", "")[:MAX_SEARCH].lower(),
            connection=asked.get("connection", "").strip().removeprefix("#"),
            direction=asked.get("direction", ""),
            opcode=asked.get("opcode", ""),
            from_s=_seconds(asked.get("from", "")),
            newest="follow" in asked,
            after=None if at is None or number is None else (at, number),
            seen=seen,
        )

    def condition(self) -> tuple[str, list[object]]:
        """As SQL over the columns of `events`, every value a parameter."""
        clauses, values = ["1"], list[object]()

        def add(clause: str, *parts: object) -> None:
            clauses.append(clause)
            values.extend(parts)

        if self.search:
            add(_FOUND, self.search, self.search)
        if self.connection:
            slot = _whole(self.connection)
            add(_NEVER) if slot is None else add("connection = ?", slot)
        if self.direction:
            add("direction = ?", _DIRECTIONS.get(self.direction, self.direction))
        if self.opcode:
            add("kind = ?", self.opcode)
        if self.from_s is not None:
            add("at_ns >= ?", round(self.from_s * 1e9))
        if self.after is not None:
            add("(at_ns, id) > (?, ?)", *self.after)
        if self.seen is not None:
            add("id > ?", self.seen)
        return " AND ".join(clauses), values


def look_up(path: Path, asked: Mapping[str, str]) -> dict[str, Any]:
    """The events that a browser asks for, in order of time.

    Raises:
        RunFileError: the file cannot be read.
    """
    wanted = Wanted.parse(asked)
    where, values = wanted.condition()
    with RunFile.open(path) as run:
        # Read before the events: what comes meanwhile is asked for next time, not lost.
        total = run.count_events()
        order = "at_ns DESC, id DESC" if wanted.newest else "at_ns, id"
        found: list[tuple[int, Event]] = list(
            run.events(f"id <= {total} AND {where}", values, order=order, limit=PAGE + 1)
        )
    more, found = len(found) > PAGE, found[:PAGE]
    if wanted.newest:
        found.reverse()
    last = (found[-1][1].at_ns, found[-1][0]) if found else None
    told = timeline_data([shown(event) for _, event in found], total)
    return told | {"more": more, "last": last}


def viewer() -> dict[str, Any]:
    """What the page's viewer has to know to ask."""
    return {"ask": "timeline", "types": list(KINDS)}


def _whole(text: str) -> int | None:
    """A number that SQLite can hold."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _seconds(text: str) -> float | None:
    """As the viewer reads it: a number, whatever comes behind."""
    number = text.strip().removesuffix("s").strip()
    try:
        found = float(number)
    except ValueError:
        return None
    return found if abs(found) < MAX_SECONDS else None
