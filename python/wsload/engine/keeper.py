"""Keeps what is measured in the run's file; while the disk is full, in memory, within bounds."""

from collections.abc import Callable
from dataclasses import replace

from wsload.errors import DiskFullError, RunFileError
from wsload.results import Interval, Note, RunFileWriter
from wsload.results.join import join
from wsload.units import format_duration

MAX_PENDING = 128
"""Intervals that wait for room; more are joined, the oldest first."""
PAUSED, RESUMED, LOST = "recording_paused", "recording_resumed", "file_lost"


class Keeper:
    """Writes to the file; `tell` hears what a person should know of it."""

    def __init__(self, writer: RunFileWriter, tell: Callable[[Note], None]) -> None:
        self._writer = writer
        self._tell = tell
        self._intervals: list[Interval] = []
        self._notes: list[Note] = []
        self._paused_ns: int | None = None
        self._last_end_ns = 0
        self._waited = 0
        self._events_lost = 0
        self.error: str | None = None
        """Why the file is not complete."""

    def epoch(self, monotonic_ns: int, unix_ns: int) -> None:
        """Stores the epoch."""
        self._write(lambda: self._writer.write_epoch(monotonic_ns, unix_ns))

    def interval(self, interval: Interval) -> None:
        """Stores an interval, now or when there is room."""
        self._last_end_ns = interval.end_ns
        self._intervals.append(interval)
        self._flush()

    def note(self, note: Note) -> None:
        """Stores a note, now or when there is room; whoever tells it has told it elsewhere."""
        self._notes.append(note)
        self._flush()

    def finish(self, outcome: str, reason: str) -> None:
        """Marks the run as over."""
        self._flush()
        if self._paused_ns is not None and self.error is None:
            self._give_up("the disk is full")
        self._write(lambda: self._writer.finish(outcome, reason))

    def close(self) -> None:
        """Lets go of the file."""
        self._writer.close()

    def _flush(self) -> None:
        """Writes what waits, all of it or nothing."""
        if self.error is not None:
            self._intervals, self._notes = [], []
            return
        try:
            if self._intervals:
                self._writer.append(self._intervals)
                self._intervals = []
            while self._notes:
                self._writer.note(self._notes[0])
                self._notes.pop(0)
        except DiskFullError as error:
            self._wait(error)
        except RunFileError as error:
            self._give_up(error.what)
        else:
            if self._paused_ns is not None:
                self._go_on(self._paused_ns)

    def _wait(self, error: DiskFullError) -> None:
        """There is no room: what was measured stays in memory, but for the timeline."""
        if self._paused_ns is None:
            self._paused_ns = self._last_end_ns
            self._say(
                Note(self._last_end_ns, PAUSED, f"{error.what}: intervals are kept in memory until there is room")
            )
        self._waited += 1
        self._events_lost += sum(len(one.events) for one in self._intervals)
        self._intervals = [replace(one, events=()) if one.events else one for one in self._intervals]
        if len(self._intervals) > MAX_PENDING:
            self._intervals = _halved(self._intervals)

    def _go_on(self, paused_ns: int) -> None:
        self._paused_ns = None
        span = format_duration(max(self._last_end_ns - paused_ns, 0))
        text = f"there is room again after {span}: all intervals are in the file"
        if self._waited > MAX_PENDING:
            text += ", the older ones joined"
        if self._events_lost:
            text += f"; {self._events_lost:,} events of the timeline are not"
        self._waited = self._events_lost = 0
        self._say(Note(self._last_end_ns, RESUMED, text))
        self._flush()

    def _say(self, note: Note) -> None:
        self._tell(note)
        self._notes.append(note)

    def _give_up(self, what: str) -> None:
        self.error = what
        self._tell(Note(self._last_end_ns, LOST, f"{what}; what follows is not in the file"))

    def _write(self, write: Callable[[], None]) -> None:
        if self.error is None:
            try:
                write()
            except RunFileError as error:
                self._give_up(error.what)


def _halved(intervals: list[Interval]) -> list[Interval]:
    """The same in half as many, neighbours of a kind joined; the newest quarter stays as it is."""
    kept = len(intervals) // 4
    old, new = intervals[:-kept], intervals[-kept:]
    joined = []
    for warmup in (True, False):
        same = [one for one in old if one.warmup == warmup]
        joined += [join(same[at : at + 2]) for at in range(0, len(same), 2)]
    return [*sorted(joined, key=lambda one: (one.index, not one.warmup)), *new]
