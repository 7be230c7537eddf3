"""A run to look at: its header, summary and course over time, read once; and again while it grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsload.results.file import RunFile
from wsload.results.fold import Fold, aside_names, finish, fold_for
from wsload.results.header import Header
from wsload.results.series import MAX_WINDOWS, Series
from wsload.results.summary import Summary
from wsload.scenario import Threshold

_OVERLAP = 3
"""Intervals that are looked at again."""


@dataclass(frozen=True, slots=True)
class Record:
    """All of a run that reports show."""

    header: Header
    summary: Summary
    series: Series


class Follower:
    """Reads a run file again and again: each interval is added once, memory does not grow with the run."""

    def __init__(
        self, path: Path, max_windows: int = MAX_WINDOWS, thresholds: Sequence[Threshold] | None = None
    ) -> None:
        self.path = path
        self._thresholds = thresholds
        self._max_windows = max_windows
        self._fold: Fold | None = None
        self._series: Series | None = None
        self._seen: set[tuple[int, bool]] = set()
        self._from_ns: int | None = None

    def read(self) -> Record:
        """The run as far as its file has it now.

        Raises:
            RunFileError: the file cannot be read.
        """
        with RunFile.open(self.path) as run:
            return self.take(run)

    def take(self, run: RunFile) -> Record:
        """The same of a file that is open."""
        if self._fold is None or self._series is None:
            plan = run.header.plan
            self._fold = fold_for(run, self._thresholds)
            self._series = Series(plan.interval_ns, self._max_windows, aside_names(plan))
        for interval in run.intervals(self._from_ns):
            place = (interval.index, interval.warmup)
            if place not in self._seen:
                self._seen.add(place)
                self._fold.add(interval)
                self._series.add(interval)
        self._forget(run.header.plan.interval_ns)
        return Record(run.header, finish(self._fold, run), self._series)

    def _forget(self, interval_ns: int) -> None:
        """Lets go of what will not be read again: an interval's halves may come one after the other, but not late."""
        newest = max((index for index, _ in self._seen), default=0)
        self._seen = {(index, warmup) for index, warmup in self._seen if index >= newest - _OVERLAP}
        if self._series and self._series.windows:
            self._from_ns = self._series.windows[-1].end_ns - _OVERLAP * interval_ns


def read_record(path: Path, thresholds: Sequence[Threshold] | None = None) -> Record:
    """A run file from its beginning to its end; `thresholds` take the place of its own.

    Raises:
        RunFileError: it cannot be read.
    """
    return Follower(path, thresholds=thresholds).read()


def record_of(run: RunFile, thresholds: Sequence[Threshold] | None = None) -> Record:
    """The same of a file that is open."""
    return Follower(run.path, thresholds=thresholds).take(run)
