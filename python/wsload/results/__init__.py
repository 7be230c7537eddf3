"""What a run measured: intervals, the file that keeps them, the summary that everything prints."""

from wsload.results.distribution import Distribution
from wsload.results.event import Event, Flag, Why
from wsload.results.file import Note, RunFile, RunFileWriter
from wsload.results.fold import Fold, aside_names, interval_stats, merged, read_summary, summarize
from wsload.results.header import Header
from wsload.results.interval import Failure, Interval
from wsload.results.record import Follower, Record, read_record, record_of
from wsload.results.series import Series, Window
from wsload.results.summary import Stats, Summary

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
