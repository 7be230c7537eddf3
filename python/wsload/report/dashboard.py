"""How a run is doing, in a few lines: what a terminal shows while it goes on. Pure: intervals in, text out."""

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.text import Text

from wsload import __version__
from wsload.report.remedies import TITLES
from wsload.report.terminal import observed
from wsload.report.text import flow, latency_column, printable
from wsload.results import Fold, Header, Interval, Stats, Summary, aside_names, interval_stats
from wsload.results.header import this_host
from wsload.scenario import OpenLoad, Plan
from wsload.units import format_count, format_duration, format_latency, format_rate

LABEL_WIDTH = 12
HISTORY = 180
"""Intervals that the sparkline may go back."""
BARS = "▁▂▃▄▅▆▇█"
FIGURES = ("p50", "p99", "max")
METRICS = {
    "response_time": "response",
    "fan_out_each": "each has it",
    "push_gap": "push gap",
    "ping_time": "ping",
}


@dataclass(frozen=True, slots=True)
class _Now:
    """What the last interval brought."""

    interval: Interval
    stats: Stats | None

    def per_second(self, counter: str) -> float:
        return self.interval.counters.get(counter, 0) / max(self.interval.end_ns - self.interval.start_ns, 1) * 1e9


class Dashboard:
    """Takes what the fleet reports and says it; memory does not grow with the run."""

    def __init__(self, plan: Plan, workers: int, thresholds: Sequence[str] = ()) -> None:
        self._plan = plan
        header = Header(
            wsload_version=__version__,
            build_profile="",
            target="",
            plan=plan,
            scenario={"thresholds": list(thresholds)},
            workers=workers,
            host=this_host(),
            started_at=datetime.now(UTC),
        )
        self._fold = Fold(header)
        self._asides = aside_names(plan)
        self._state = "starting"
        self._open = 0
        self._now: _Now | None = None
        self._summary: Summary | None = None
        self._metric = ""
        self._p99: deque[float | None] = deque(maxlen=HISTORY)
        self.stopping = ""

    def on_state(self, state: str) -> None:
        """The fleet has come to a state."""
        self._state = state

    def on_ramp(self, open_connections: int) -> None:
        """Connections open so far."""
        self._open = open_connections

    def on_interval(self, interval: Interval) -> None:
        """An interval is over; those of the ramp, and late replies to the warm-up, are counted and not shown."""
        self._fold.add(interval)
        again = self._now is not None and interval.index == self._now.interval.index
        if interval.start_ns < 0 or (again and interval.warmup):
            return
        names = [self._metric] if self._metric else METRICS
        found = ((name, interval_stats(interval, name, self._asides)) for name in names)
        self._metric, stats = next(((name, one) for name, one in found if one), (self._metric, None))
        self._now = _Now(interval, stats)
        self._open = interval.gauges.get("open_connections", 0)
        if again:
            self._p99.pop()
        self._p99.append(stats.p99 if stats else None)
        self._summary = self._fold.summary("unfinished")

    def render(self, width: int) -> list[Text]:
        """The lines, none wider than asked."""
        lines = [self._head(width)]
        if self._now and self._summary:
            lines += self._lines("open", [self._connections()], width)
            lines += self._lines("rate", self._rate(self._now), width)
            lines += self._latency(self._now, self._summary, width)
            lines += self._failures(self._summary, width)
            lines += self._thresholds(self._summary, width)
            lines += self._verdict(self._summary, width)
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return lines

    def _head(self, width: int) -> Text:
        if self.stopping:
            return Text(f"  {self.stopping}", style="bold yellow")
        if self._now is None:
            state = "starting" if self._state == "idle" else self._state
            opened = f"{format_count(self._open)} of {format_count(self._plan.connections)} connections open"
            # Before the first report nobody has counted.
            return Text(f"  {state}   {opened}" if self._open or state == "connecting" else f"  {state}", style="bold")
        end_ns = self._now.interval.end_ns
        warming = self._state == "running" and end_ns <= self._plan.warmup_ns
        parts = ["warming up" if warming else self._state, self._elapsed(end_ns)]
        parts += filter(None, [self._left(end_ns), self._stage(end_ns)])
        return Text("  " + flow(parts, max(width - 2, 1), "   ", 0)[0], style="bold")

    def _elapsed(self, end_ns: int) -> str:
        elapsed = format_duration(round(end_ns / 1e9) * 10**9)
        if self._plan.duration_ns is None:
            return elapsed
        return f"{elapsed} of {format_duration(self._plan.warmup_ns + self._plan.duration_ns)}"

    def _left(self, end_ns: int) -> str:
        if self._plan.duration_ns is not None:
            left_ns = self._plan.warmup_ns + self._plan.duration_ns - end_ns
            return f"{format_duration(round(left_ns / 1e9) * 10**9)} left" if left_ns > 5 * 10**8 else ""
        if self._plan.iterations and self._summary:
            warmup = self._summary.warmup
            sent = self._summary.messages.sent + (warmup.sent if warmup else 0)
            return f"{format_count(sent)} of {format_count(self._plan.iterations)} messages"
        return ""

    def _stage(self, end_ns: int) -> str:
        load, at_ns = self._plan.load, 0
        stages = load.stages if isinstance(load, OpenLoad) else ()
        for number, stage in enumerate(stages, 1):
            at_ns += stage.duration_ns
            if end_ns <= at_ns:
                return f"stage {number} of {len(stages)}, to {format_rate(stage.target_per_s)}"
        return ""

    def _connections(self) -> str:
        opened = f"{format_count(self._open)} of {format_count(self._plan.connections)}"
        flight = self._now.interval.gauges.get("in_flight", 0) if self._now else 0
        return f"{opened}   {format_count(flight)} in flight" if self._metric == "response_time" or flight else opened

    def _rate(self, now: _Now) -> list[str]:
        """What was asked in this interval and what was reached."""
        cells = []
        if isinstance(self._plan.load, OpenLoad):
            cells.append(f"{format_rate(round(now.per_second('due')))} asked")
        for counter, word in (("sent", "sent"), ("answered", "answered"), ("pushes", "received")):
            if now.interval.counters.get(counter):
                cells += [f"{format_rate(round(now.per_second(counter)))} {word}"]
        return cells

    def _latency(self, now: _Now, summary: Summary, width: int) -> list[Text]:
        if not self._metric:
            return []
        overall: Stats | None = getattr(summary, self._metric)
        rows = [(name, stats) for name, stats in (("now", now.stats), ("overall", overall)) if stats]
        values = [stats.model_dump(by_alias=True) for _, stats in rows]
        columns = [latency_column([row[name] for row in values]) for name in FIGURES]
        lines: list[Text] = []
        for number, (name, stats) in enumerate(rows):
            cells = [
                f"{figure} {'≥' if figure in stats.at_least else ''}{column[number]}"
                for figure, column in zip(FIGURES, columns, strict=True)
            ]
            widths = [max(len(column[0]), len(column[-1])) + 5 for column in columns]
            text = "  ".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True)) + f"  {name}"
            lines.append(_labelled("" if lines else METRICS[self._metric], text))
        return lines + self._sparkline(width)

    def _sparkline(self, width: int) -> list[Text]:
        known = [value for value in self._p99 if value is not None]
        if len(known) < 2:
            return []
        words = f"  {format_latency(min(known))} to {format_latency(max(known))}"
        room = min(len(self._p99), max(width - 2 - LABEL_WIDTH - 22, 8))
        shown = list(self._p99)[-room:]
        seconds = format_duration(len(shown) * self._plan.interval_ns)
        line = _labelled("p99", bars(shown))
        return [line.append(f"{words}, last {seconds}", style="dim")]

    def _failures(self, summary: Summary, width: int) -> list[Text]:
        kinds: Counter[str] = Counter()
        for failure in summary.failures:
            kinds[failure.kind] += failure.count
        cells = [f"{format_count(count)} {TITLES.get(kind, kind)}" for kind, count in kinds.most_common()]
        return self._lines("failures", cells, width, "red") if cells else []

    def _thresholds(self, summary: Summary, width: int) -> list[Text]:
        """How many hold so far, and those that do not with what was observed."""
        broken = [one for one in summary.thresholds if not one.passed]
        if not summary.thresholds:
            return []
        count = len(summary.thresholds)
        cells = [f"{count - len(broken)} of {count} hold"]
        cells += [f"FAILED {printable(one.text)}: {observed(one)}" for one in broken]
        return self._lines("thresholds", cells, width, "red" if broken else "")

    def _verdict(self, summary: Summary, width: int) -> list[Text]:
        if summary.verdict.trusted:
            return self._lines("verdict", ["figures trusted so far"], width, "dim")
        reasons = [reason.text for reason in summary.verdict.reasons]
        return self._lines("suspect", reasons[0].split(), width, "yellow", " ")

    @staticmethod
    def _lines(label: str, cells: Sequence[str], width: int, style: str = "", joint: str = "   ") -> list[Text]:
        rows = flow(cells, max(width - 2 - LABEL_WIDTH, 1), joint, 0)
        return [_labelled("" if number else label, row, style) for number, row in enumerate(rows)]


def bars(values: Sequence[float | None]) -> str:
    """A sparkline on a logarithmic scale; a blank where nothing was measured."""
    logs = [None if value is None else math.log(max(value, 1)) for value in values]
    known = [value for value in logs if value is not None]
    low, span = min(known, default=0.0), (max(known, default=0.0) - min(known, default=0.0)) or 1.0
    return "".join(
        " " if value is None else BARS[min(int((value - low) / span * len(BARS)), len(BARS) - 1)] for value in logs
    )


def _labelled(label: str, text: str, style: str = "") -> Text:
    return Text(f"  {label:{LABEL_WIDTH}}", style="dim").append(text, style=style or "not dim")
