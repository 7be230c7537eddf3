"""What a run measured: intervals, the file that keeps them, the summary that everything prints."""

from wsload.results.file import Note, RunFile, RunFileWriter
from wsload.results.header import Header
from wsload.results.interval import Failure, Interval
from wsload.results.summary import Fold, Stats, Summary, interval_stats, read_summary

__all__ = [
    "Failure",
    "Fold",
    "Header",
    "Interval",
    "Note",
    "RunFile",
    "RunFileWriter",
    "Stats",
    "Summary",
    "interval_stats",
    "read_summary",
]
