"""What a run measured: intervals, the file that keeps them, the summary that everything prints."""

import importlib
from typing import TYPE_CHECKING

from wsload.results.event import Event, Flag, Why
from wsload.results.file import Note, RunFile, RunFileWriter
from wsload.results.fold import Fold, aside_names, interval_stats, merged, read_summary, summarize
from wsload.results.header import Header
from wsload.results.interval import Failure, Interval
from wsload.results.summary import Stats, Summary

if TYPE_CHECKING:
    from wsload.results.distribution import Distribution
    from wsload.results.record import Follower, Record, read_record, record_of
    from wsload.results.series import Series, Window

__all__ = [
    "Distribution",
    "Event",
    "Failure",
    "Flag",
    "Fold",
    "Follower",
    "Header",
    "Interval",
    "Note",
    "Record",
    "RunFile",
    "RunFileWriter",
    "Series",
    "Stats",
    "Summary",
    "Why",
    "Window",
    "aside_names",
    "interval_stats",
    "merged",
    "read_record",
    "read_summary",
    "record_of",
    "summarize",
]

# These load numpy, which takes 16 MB: a run keeps and prints its results without it.
_ARRAYS = {
    "Distribution": "distribution",
    "Follower": "record",
    "Record": "record",
    "Series": "series",
    "Window": "series",
    "read_record": "record",
    "record_of": "record",
}


def __getattr__(name: str) -> object:
    if name in _ARRAYS:
        return getattr(importlib.import_module(f"wsload.results.{_ARRAYS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
