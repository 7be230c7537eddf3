"""The line that says how a run is doing, while it runs."""

import sys
import time
from typing import IO

from wsload.results import Interval, interval_stats
from wsload.scenario import Plan
from wsload.units import format_count, format_duration, format_latency, format_rate

CLEAR = "\r\x1b[2K"
REDRAW_S = 0.2


class LiveLine:
    """Keeps one line of a terminal up to date, and clears it away at the end."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._plan: Plan | None = None
        self._state = "starting"
        self._open = 0
        self._latest: Interval | None = None
        self._stopping = ""
        self._drawn_at = 0.0

    def on_start(self, plan: Plan, workers: int) -> None:
        """The run begins."""
        self._plan = plan
        self._draw(f"starting {workers} worker{'s' if workers > 1 else ''}")

    def on_state(self, state: str) -> None:
        """The fleet has come to a state."""
        self._state = state
        self._draw(self.line(), at_once=True)

    def on_ramp(self, open_connections: int) -> None:
        """Connections open so far."""
        self._open = open_connections
        self._draw(self.line())

    def on_interval(self, interval: Interval) -> None:
        """An interval is over."""
        if interval.start_ns < 0:
            return
        self._latest = interval
        self._open = interval.gauges.get("open_connections", 0)
        self._draw(self.line())

    def on_stop(self, times: int) -> None:
        """A signal came."""
        first = "stopping: awaiting replies and closing (Ctrl-C again to stop at once)"
        self._stopping = first if times == 1 else "stopping at once"
        self._draw(self.line(), at_once=True)

    def close(self) -> None:
        """Clears the line."""
        self._stream.write(CLEAR)
        self._stream.flush()

    def line(self) -> str:
        """What the line says now."""
        if self._stopping or self._plan is None:
            return self._stopping
        connections = f"{format_count(self._open)} of {format_count(self._plan.connections)} connections"
        if self._latest is None or self._state in {"idle", "connecting"}:
            return f"{self._state}  {connections}"
        return f"{self._state}  {self._elapsed()}  {connections}  {traffic(self._latest)}".rstrip()

    def _elapsed(self) -> str:
        assert self._plan is not None  # noqa: S101 - line() has checked
        assert self._latest is not None  # noqa: S101
        seconds = round(self._latest.end_ns / 1e9)
        if self._plan.duration_ns is None:
            return f"{seconds} s"
        total_ns = self._plan.duration_ns + self._plan.warmup_ns
        warming = " warm-up" if self._latest.end_ns <= self._plan.warmup_ns else ""
        return f"{seconds} s of {format_duration(total_ns)}{warming}"

    def _draw(self, text: str, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._drawn_at >= REDRAW_S:
            self._drawn_at = now
            self._stream.write(f"{CLEAR}{text}")
            self._stream.flush()


def traffic(interval: Interval) -> str:
    """Rate, latency and failures of an interval."""
    seconds = max(interval.end_ns - interval.start_ns, 1) / 1e9
    counters = interval.counters
    parts = [f"{format_rate(counters.get('sent', 0) / seconds)} sent"] if counters.get("sent") else []
    if not parts and counters.get("received"):
        parts.append(f"{format_rate(counters['received'] / seconds)} received")
    if stats := interval_stats(interval, "response_time"):
        parts.append(f"p99 {format_latency(stats.p99)}")
    if failed := sum(failure.count for failure in interval.failures):
        parts.append(f"{format_count(failed)} failures")
    return "  ".join(parts)
