"""Did a run stay as it was? Each metric over windows of time: its trend, whether that is one, and what it comes to.

What was warming up is left out. Readings of the target's memory are compared only between restarts. From two days on
only the same hours of different days are compared, so that a daily cycle is no drift.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from wsload import __version__
from wsload.analysis.estimate import family
from wsload.analysis.metrics import LEVEL
from wsload.analysis.trend import MIN_POINTS, Floats, Ints, Trend, trend
from wsload.results import RunFile, Series, Window, aside_names
from wsload.results.watched import LIVES, readings

MAX_WINDOWS = 120
WARM_SHARE = 0.05
"""Of the run is left out at its beginning, where no warm-up was asked for."""
MIN_BEYOND = 5
"""Messages beyond a percentile in a typical window, or it is the tale of a few."""
END_SHARE = 0.1
"""Of the windows, at either end: `first` and `last` are their medians."""
_HOUR_NS, _DAY_H = 3600 * 10**9, 24.0
_GRAIN = 1e-3
"""Of a latency: histograms have three digits."""

Unit = Literal["ns", "per_s", "share", "bytes", "count", "cores", "other"]
Outcome = Literal["drifting", "steady", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Watch:
    """A metric: how it is read from a window (None: not there), and from what on its change matters over a run."""

    name: str
    unit: Unit
    read: Callable[[Window], float | None]
    share: float
    """Of its level."""
    least: float = 0.0
    """And no less than this."""
    resistant: bool = True
    lives: bool = False
    """Whether it begins anew with each process of the target."""


class Row(BaseModel):
    """A metric. Values are in `unit`, rates of change in `unit` per hour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(description="such as response.p99, target.rss_bytes or generator.rss_bytes")
    unit: Unit
    verdict: Outcome
    per_hour: float
    low: float = Field(description="of its confidence interval")
    high: float
    over_run: float = Field(description="what it comes to from the first to the last window")
    matters: float = Field(description="over the run; less is no drift")
    level: float = Field(description="where the line begins")
    first: float = Field(description="median of the first tenth of the windows")
    last: float = Field(description="of the last tenth")
    chance: float = Field(description="two-sided p-value of no trend, before the correction")
    windows: int


class Drift(BaseModel):
    """How a run changed while it went on. Intervals are of `level` each; verdicts hold for all rows together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    wsload_version: str
    file: str
    verdict: Outcome
    level: float
    correction: Literal["Benjamini-Hochberg"] = "Benjamini-Hochberg"
    begin_ns: int = Field(description="after the epoch: what lies before was warming up")
    end_ns: int
    window_ns: int
    restarts: int = Field(description="of the target, as far as it was watched")
    by_hours: bool = Field(description="whether only the same hours of different days were compared")
    rows: list[Row]
    skipped: list[str] = Field(description="what could not be judged, and why")

    @property
    def hours(self) -> float:
        """What was judged."""
        return (self.end_ns - self.begin_ns) / _HOUR_NS

    def to_json(self) -> str:
        """The document that `wsload drift --format json` prints; docs/schema/drift.schema.json describes it."""
        return self.model_dump_json(indent=2)


def drift_of(run: RunFile, tolerance: float | None = None) -> Drift:
    """The drift of an open run file. `tolerance`: the change over the run that matters, a share of a metric's level."""
    plan = run.header.plan
    begin_ns = plan.warmup_ns or round(run.end_ns * WARM_SHARE)
    end_ns = min(run.end_ns, plan.warmup_ns + plan.duration_ns) if plan.duration_ns is not None else run.end_ns
    series = Series(plan.interval_ns, MAX_WINDOWS, aside_names(plan))
    for interval in run.intervals():
        if interval.start_ns >= begin_ns and interval.end_ns <= end_ns and not interval.warmup:
            series.add(interval)
    return judge(series.windows, str(run.path), tolerance)


def judge(windows: Sequence[Window], file: str, tolerance: float | None = None) -> Drift:
    """The drift of windows in order of time."""
    # The last may be all but empty.
    typical = float(np.median([window.seconds for window in windows])) if windows else 0.0
    windows = [window for window in windows if window.seconds > typical / 2]
    times = np.array([(window.start_ns + window.end_ns) / 2 / _HOUR_NS for window in windows])
    span_h = float(times[-1] - times[0]) if len(times) else 0.0
    by_hours = span_h >= 2 * _DAY_H
    lives = _lives(windows)
    skipped: list[str] = []
    found: list[tuple[Watch, Trend, Floats, Floats]] = []
    for watch in _watches(windows):
        at, values, groups = _points(watch, windows, times, lives)
        hourly = by_hours and (groups is None or len(set(groups.tolist())) == 1)
        if hourly:
            groups = (at % _DAY_H).astype(np.int64)
        apart = _DAY_H / 2 if hourly else 0.0
        grain = _GRAIN * float(np.median(values)) if watch.unit == "ns" and len(values) else 0.0
        line = trend(at, values, groups, apart=apart, resistant=watch.resistant, grain=grain)
        if line is None:
            skipped.append(f"{watch.name}: {len(values)} windows are too few" if len(values) < MIN_POINTS
                           else f"{watch.name}: too little between two restarts")  # fmt: skip
        else:
            found.append((watch, line, at, values))
    # What never changed at all has not been put to a test.
    chances = [line.chance for _, line, _, _ in found if line.chance < 1]
    least = max((chance for chance, sure in zip(chances, family(chances), strict=True) if sure), default=-1.0)
    rows = [_row(*each, is_sure=each[1].chance <= least, tolerance=tolerance) for each in found]
    return Drift(
        wsload_version=__version__,
        file=file,
        verdict=_overall([row.verdict for row in rows]),
        level=LEVEL,
        begin_ns=windows[0].start_ns if windows else 0,
        end_ns=windows[-1].end_ns if windows else 0,
        window_ns=round(typical * 1e9),
        restarts=int(lives.max() - lives.min()) if len(lives) else 0,
        by_hours=by_hours,
        rows=rows,
        skipped=skipped,
    )


def _row(watch: Watch, line: Trend, times: Floats, values: Floats, *, is_sure: bool, tolerance: float | None) -> Row:
    low, high = line.interval(LEVEL)
    span = float(times[-1] - times[0])
    share = watch.share if tolerance is None else tolerance
    matters = max(share * abs(line.start), watch.least)
    change = line.slope * span
    outcome: Outcome = "cannot tell"
    if is_sure and abs(change) >= matters:
        outcome = "drifting"
    elif -matters <= low * span and high * span <= matters:
        outcome = "steady"
    ends = max(round(len(values) * END_SHARE), 1)
    return Row(
        metric=watch.name,
        unit=watch.unit,
        verdict=outcome,
        per_hour=line.slope,
        low=low,
        high=high,
        over_run=change,
        matters=matters,
        level=line.start,
        first=float(np.median(values[:ends])),
        last=float(np.median(values[-ends:])),
        chance=line.chance,
        windows=len(values),
    )


def _overall(outcomes: Sequence[Outcome]) -> Outcome:
    if "drifting" in outcomes:
        return "drifting"
    return "cannot tell" if "cannot tell" in outcomes or not outcomes else "steady"


def _points(watch: Watch, windows: Sequence[Window], times: Floats, lives: Ints) -> tuple[Floats, Floats, Ints | None]:
    """Where a metric was read, and what; by life, without the window in which one began."""
    read = [watch.read(window) for window in windows]
    there = np.array([value is not None for value in read], bool)
    if watch.lives and len(lives):
        there &= np.concatenate(([True], lives[1:] == lives[:-1]))
    values = np.array([0.0 if value is None else value for value in read])
    return times[there], values[there], lives[there] if watch.lives else None


def _lives(windows: Sequence[Window]) -> Ints:
    """Which process of the target a window is of; one that was not to be seen belongs to the last."""
    found, last = [], 1
    for window in windows:
        last = window.gauges.get(LIVES, last)
        found.append(last)
    return np.array(found, np.int64)


def _watches(windows: Sequence[Window]) -> Iterator[Watch]:
    counts = [window.latency("response_time").count for window in windows]
    typical = float(np.median(counts)) if counts else 0.0
    for name, quantile in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        if typical * (1 - quantile) >= MIN_BEYOND:
            yield Watch(f"response.{name}", "ns", partial(_percentile, quantile), 0.02)
    counter = next((one for one in ("answered", "received", "sent") if any(w.counters[one] for w in windows)), None)
    if counter:
        yield Watch("rate", "per_s", partial(_rate, counter), 0.01)
    if any(_failed(window) for window in windows):
        yield Watch("failures", "share", _failure_share, 0.0, 0.001, resistant=False)
    if any(window.counters["reconnects"] for window in windows):
        yield Watch("reconnects", "per_s", partial(_rate, "reconnects"), 0.1, 1 / 3600, resistant=False)
    yield from _readings(windows)


_LEASTS: dict[str, tuple[Unit, float, float]] = {
    "rss_bytes": ("bytes", 0.01, 1e6),
    "fds": ("count", 0.01, 2.0),
    "threads": ("count", 0.01, 1.0),
    "processes": ("count", 0.01, 1.0),
    "cpu_cores": ("cores", 0.05, 0.01),
}


def _readings(windows: Sequence[Window]) -> Iterator[Watch]:
    """What was watched, where it varies at all or is memory."""
    names = {name for window in windows for name in _read(window)}
    for source, name in sorted(names, key=lambda one: (one[0] != "target", one[1])):
        unit, share, least = _LEASTS.get(name, ("bytes" if name.endswith("_bytes") else "other", 0.01, 0.0))
        metric = Watch(f"{source}.{name}", unit, partial(_reading, (source, name)), share, least)
        yield Watch(metric.name, unit, metric.read, share, least, lives=source == "target")


def _read(window: Window) -> dict[tuple[str, str], float]:
    return {(source, name): value for (source, name), value in
            readings(window.gauges, window.counters, window.seconds).items()}  # fmt: skip


def _reading(key: tuple[str, str], window: Window) -> float | None:
    return _read(window).get(key)


def _percentile(quantile: float, window: Window) -> float | None:
    times = window.latency("response_time")
    return float(times.quantiles_ns((quantile,))[0]) if times.count else None


def _rate(counter: str, window: Window) -> float | None:
    return window.per_second(counter)


def _failed(window: Window) -> int:
    counters = window.counters
    return counters["unanswered"] + counters["unsent"] + counters["connects_failed"]


def _failure_share(window: Window) -> float | None:
    """Of the messages and connection attempts that failed."""
    tried = max(window.counters["due"], window.counters["sent"]) + window.counters["connects_started"]
    return _failed(window) / tried if tried else None
