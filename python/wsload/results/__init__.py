"""What a run measured: intervals, the file that keeps them, the summary that everything prints."""

from wsload.results.event import Event, Flag, Why
from wsload.results.file import Note, RunFile, RunFileWriter
from wsload.results.header import Header
from wsload.results.interval import Failure, Interval
from wsload.results.summary import Fold, Stats, Summary, interval_stats, read_summary

__all__ = [
    "Event",
    "Failure",
    "Flag",
    "Fold",
    "Header",
    "Interval",
    "Note",
    "RunFile",
    "RunFileWriter",
    "Stats",
    "Summary",
    "Why",
    "interval_stats",
    "read_summary",
]
