"""What says how a run is doing, while it runs."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Literal, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from wsload.report.dashboard import Dashboard
from wsload.report.export.ndjson import line
from wsload.report.text import printable
from wsload.results import Interval, Note, aside_names, interval_stats
from wsload.scenario import Plan
from wsload.units import format_count, format_duration, format_latency, format_rate

CLEAR = "\r\x1b[2K"
DRAINING = "stopping: draining, awaiting replies and closing; Ctrl-C again ends at once"
ABORTING = "stopping at once"
LOG_PERIOD_NS = 10 * 10**9


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run is doing: all that the line shows."""

    state: str
    connections: int
    open_connections: int = 0
    warmup_ns: int = 0
    duration_ns: int | None = None
    """Of the measured part; None when a number of messages ends the run."""
    latest: Interval | None = None


class LiveView:
    """Says how a run is doing for as long as it goes on, and takes it away at the end.

    A terminal gets a few lines that are kept up to date; with NO_COLOR, or where it cannot show them, one line.
    Anywhere else a plain line is written now and then, for whoever reads the log of a long run.
    """

    def __init__(
        self, stream: IO[str], thresholds: Sequence[str] = (), log_period_ns: int | None = LOG_PERIOD_NS
    ) -> None:
        self._stream = stream
        self._log_period_ns = log_period_ns
        """How often a log gets a line; None: never."""
        self._thresholds = thresholds
        self._mode = mode_of(stream)
        self._progress = Progress("starting", 0)
        self._dashboard: Dashboard | None = None
        self._stopping = ""
        self._said_ns = 0
        self._live = Live(
            console=Console(file=stream, highlight=False),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        if self._mode == "lines":
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mode == "lines":
            self._live.update(Text(), refresh=True)
            self._live.stop()
        elif self._mode == "line":
            self._write(CLEAR)

    def on_start(self, plan: Plan, workers: int) -> None:
        """A run begins; one after the other may be watched."""
        self._stopping, self._said_ns = "", 0
        self._dashboard = Dashboard(plan, workers, self._thresholds) if self._mode == "lines" else None
        self._show(Progress("starting", plan.connections, warmup_ns=plan.warmup_ns, duration_ns=plan.duration_ns))

    def on_state(self, state: str) -> None:
        """The fleet has come to a state."""
        if self._dashboard:
            self._dashboard.on_state(state)
        self._show(replace(self._progress, state=state))

    def on_ramp(self, open_connections: int) -> None:
        """Connections open so far."""
        if self._dashboard:
            self._dashboard.on_ramp(open_connections)
        self._show(replace(self._progress, open_connections=open_connections))

    def on_interval(self, interval: Interval) -> None:
        """An interval is over; the ramp's come late and all at once."""
        if self._dashboard:
            self._dashboard.on_interval(interval)
        if interval.start_ns >= 0:
            open_connections = interval.gauges.get("open_connections", 0)
            self._show(replace(self._progress, open_connections=open_connections, latest=interval))

    def on_note(self, note: Note) -> None:
        """Something that a person should know while it goes on."""
        self.say(f"note: {printable(note.text)}")

    def on_stop(self, times: int) -> None:
        """A signal came."""
        self._stopping = DRAINING if times == 1 else ABORTING
        if self._dashboard:
            self._dashboard.stopping = self._stopping
        if self._mode == "log":
            self._write(f"{self._stopping}\n")
        else:
            self._show(self._progress)

    def say(self, text: str) -> None:
        """Prints a line that stays, above what is kept up to date."""
        if self._mode == "lines":
            self._live.console.print(Text(text))
        else:
            self._write(f"{CLEAR if self._mode == 'line' else ''}{text}\n")

    def _show(self, progress: Progress) -> None:
        self._progress = progress
        if self._mode == "line":
            # A line that fills the last column would wrap, and could not be cleared any more.
            width = shutil.get_terminal_size().columns - 1
            self._write(f"{CLEAR}{(self._stopping or progress_line(progress))[:width]}")
        elif self._mode == "log":
            self._log(progress)
        elif self._dashboard:
            width = self._live.console.width - 1
            self._live.update(Text("\n").join(self._dashboard.render(width)), refresh=True)

    def _log(self, progress: Progress) -> None:
        """A line whenever it has been quiet for long enough, and there is more of the run to come."""
        latest, duration_ns = progress.latest, progress.duration_ns
        if latest is None or self._log_period_ns is None or latest.end_ns - self._said_ns < self._log_period_ns:
            return
        if duration_ns is None or latest.end_ns < progress.warmup_ns + duration_ns:
            self._said_ns = latest.end_ns
            self._write(f"{progress_line(progress)}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def mode_of(stream: IO[str]) -> Literal["lines", "line", "log"]:
    """What a stream can show: lines that move, one line that is written over, or lines one after the other."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return "log"
    plain = os.environ.get("NO_COLOR") or "utf" not in (getattr(stream, "encoding", None) or "").lower()
    return "line" if plain else "lines"


def progress_line(progress: Progress) -> str:
    """The line: elapsed time, open connections, what the last interval brought."""
    asked = format_count(progress.connections)
    latest = progress.latest
    if latest is None:
        if not progress.open_connections and progress.state != "connecting":
            # Before the first report nobody has counted.
            return "starting" if progress.state == "idle" else progress.state
        return f"{progress.state}   {format_count(progress.open_connections)} of {asked} connections open"
    parts = [_elapsed(progress, latest), f"{format_count(progress.open_connections)} of {asked} open"]
    parts += _traffic(latest)
    if progress.state in {"draining", "closing"}:
        parts.insert(0, progress.state)
    return "   ".join(parts)


def _elapsed(progress: Progress, latest: Interval) -> str:
    elapsed = format_duration(round(latest.end_ns / 10**9) * 10**9)
    if progress.duration_ns is None:
        return elapsed
    total = format_duration(progress.warmup_ns + progress.duration_ns)
    warming = ", warming up" if latest.end_ns <= progress.warmup_ns else ""
    return f"{elapsed} of {total}{warming}"


def _traffic(interval: Interval) -> list[str]:
    """Rate, p99 and failures of an interval; nothing of what did not happen in it."""
    seconds = max(interval.end_ns - interval.start_ns, 1) / 10**9
    counters = interval.counters
    parts = []
    if sent := counters.get("sent", 0):
        parts.append(f"{format_rate(round(sent / seconds))} sent")
    elif received := counters.get("received", 0):
        parts.append(f"{format_rate(round(received / seconds))} received")
    if stats := interval_stats(interval, "response_time"):
        parts.append(f"p99 {format_latency(stats.p99)}")
    if failed := sum(failure.count for failure in interval.failures):
        parts.append(f"{format_count(failed)} failure{'s' if failed > 1 else ''}")
    return parts


class IntervalLines:
    """Prints each interval as one JSON line, as it happens: `--format ndjson`."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._read = True
        self._asides: frozenset[str] = frozenset()

    def on_start(self, plan: Plan, workers: int) -> None:
        """Nothing to tell yet."""
        del workers
        self._asides = aside_names(plan)

    def on_state(self, state: str) -> None:
        """States are not told."""

    def on_ramp(self, open_connections: int) -> None:
        """The ramp is told by its intervals."""

    def on_interval(self, interval: Interval) -> None:
        """An interval is over. That nobody reads any more is no reason to end the run."""
        if self._read:
            try:
                self._stream.write(line(interval, self._asides))
                self._stream.flush()
            except BrokenPipeError:
                self._read = False

    def on_note(self, note: Note) -> None:
        """Notes are in the summary."""

    def on_stop(self, times: int) -> None:
        """The last lines are on their way."""
