"""What a run measured: intervals, the file that keeps them, the summary that everything prints."""

from wsload.results.distribution import Distribution
from wsload.results.file import Note, RunFile, RunFileWriter
from wsload.results.header import Header
from wsload.results.interval import Failure, Interval
from wsload.results.summary import Fold, Stats, Summary, interval_stats, merged, read_summary, summarize

__all__ = [
    "Distribution",
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
    "merged",
    "read_summary",
    "summarize",
]
