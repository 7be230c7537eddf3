"""Stored intervals widen with age, so that a file of days stays within its budget: joined, no count is lost."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from wsload.results.interval import Interval
from wsload.results.join import join

_SECOND = 10**9
WIDTHS_S = (10, 60)
"""How wide intervals become, one step after the other."""
AGES_S = (600, 3600)
"""From which age on they are so wide."""
LEAST_AGES_S = (30, 300)
MAX_WIDTH_S = 3600
CHECK_EVERY = 30
"""Intervals between two looks at the file's size."""

Read = Callable[[Sequence[int]], Interval]
Write = Callable[[Interval], None]


@dataclass(slots=True)
class _Step:
    width_ns: int
    age_ns: int
    from_ns: int = 0
    """Up to here everything is as wide as it can be."""


@dataclass(slots=True)
class Widening:
    """Joins what is old enough, a little each time that an interval is stored.

    Whenever the file outgrows its budget, the widest become twice as wide, and fine ones are kept half as long.
    """

    budget_bytes: int
    pressure: int = 0
    """How often the file was too large."""
    _steps: list[_Step] = field(default_factory=list)
    _since_check: int = 0

    def __post_init__(self) -> None:
        self._steps = [_Step(width * _SECOND, age * _SECOND) for width, age in zip(WIDTHS_S, AGES_S, strict=True)]

    def step(self, connection: sqlite3.Connection, now_ns: int, read: Read, write: Write) -> None:
        """Joins the next intervals that are due; inside a transaction of the caller's."""
        self._since_check += 1
        if self._since_check >= CHECK_EVERY:
            self._since_check = 0
            if _used_bytes(connection) > self.budget_bytes and self._steps[-1].width_ns < MAX_WIDTH_S * _SECOND:
                self._press()
        for step in self._steps:
            for _ in range(2):  # catches up where there is more to do than time goes by
                if not self._join_next(connection, step, now_ns, read, write):
                    break

    def _press(self) -> None:
        self.pressure += 1
        for step, least in zip(self._steps, LEAST_AGES_S, strict=True):
            step.age_ns = max(step.age_ns // 2, least * _SECOND)
        self._steps[-1].width_ns = min(2 * self._steps[-1].width_ns, MAX_WIDTH_S * _SECOND)
        self._steps[-1].from_ns = 0

    def _join_next(self, connection: sqlite3.Connection, step: _Step, now_ns: int, read: Read, write: Write) -> bool:
        """Joins what lies in the next stretch of a step's width; false when none is old enough."""
        query = "SELECT min(start_ns) FROM intervals WHERE start_ns >= ? AND end_ns - start_ns < ?"
        (first_ns,) = connection.execute(query, (step.from_ns, step.width_ns)).fetchone()
        if first_ns is None:
            return False
        begin_ns = first_ns // step.width_ns * step.width_ns
        end_ns = begin_ns + step.width_ns
        if end_ns > now_ns - step.age_ns:
            return False
        rows = connection.execute(
            "SELECT id, idx, warmup, start_ns, end_ns FROM intervals WHERE start_ns >= ? AND end_ns <= ?"
            " ORDER BY warmup, idx",
            (begin_ns, end_ns),
        ).fetchall()
        for group in _groups(rows):
            joined = join([read(row) for row in group])
            _delete(connection, [row[0] for row in group])
            write(joined)
        step.from_ns = end_ns
        return True


def _groups(rows: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Runs of at least two rows of a kind that follow each other without a gap."""
    group: list[Sequence[int]] = []
    for row in rows:
        if group and (row[2] != group[-1][2] or row[3] != group[-1][4]):
            if len(group) > 1:
                yield group
            group = []
        group.append(row)
    if len(group) > 1:
        yield group


_TABLES = ("counters", "gauges", "close_codes", "histograms", "failures", "negotiated", "suspicions")


def _delete(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    rows = [(number,) for number in numbers]
    for table in _TABLES:
        connection.executemany(f"DELETE FROM {table} WHERE interval_id = ?", rows)  # noqa: S608 - ours
    connection.executemany("DELETE FROM intervals WHERE id = ?", rows)


def _used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the file that hold something: what is free is used again."""
    (pages,), (free,), (size,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
