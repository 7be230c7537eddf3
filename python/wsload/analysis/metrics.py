"""What is compared: each metric's value in one run, and how far it may be off by the run's own unrest.

Messages of one moment are alike, so the unrest of a figure is never taken from single messages: a figure is a sum over
time blocks, and the variance of such a sum is estimated from its slowest waves (equal-weighted cosine transform;
Lazarus, Lewis, Stock and Watson, Journal of Business and Economic Statistics 36, 2018), which holds where neighbouring
blocks are alike. Percentiles get theirs from that of the share below them (Woodruff, JASA 47, 1952): no density is
estimated, and the interval ends at values that were measured.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from wsload.analysis.series import Counts, Distribution, Floats, Series
from wsload.analysis.student import quantile as t_quantile

LEVEL = 0.95
MIN_BLOCKS = 8
"""Fewer time blocks say nothing about a run's unrest."""
MIN_BEYOND = 10
"""A percentile needs so many messages beyond it, or it is the tale of a few."""
MAX_UNEVEN = 1.0
"""Square of the coefficient of variation over time of the messages beyond a percentile."""
COSINES = 0.4
"""Waves of T blocks: 0.4 T^(2/3), the authors' choice."""
STEP_VARIANCE = 1e-3**2 / 12
"""Of the logarithm of a value that is known to a thousandth."""

Worse = Literal["higher", "lower"]
Scale = Literal["ratio", "difference"]
Silence = Literal["short", "moments"]
"""Too few time blocks; or what makes the figure comes from a few moments, of which another run has others."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric in one run. `at` is the value on the scale on which it is compared: its logarithm for ratios.

    `below` and `above` are the standard errors towards either side that the run's time blocks show, with `df` degrees
    of freedom; None where the run is too short for them. `least` is the variance below which none is believed.
    """

    value: float
    at: float
    below: float | None = None
    above: float | None = None
    df: float = 0.0
    least: float = 0.0
    silent: Silence | None = None
    """Why the time blocks show no error."""
    at_least: bool = False
    """The value is a lower bound: replies that never came might have raised it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Something to compare; `read` gives None where a run says nothing about it."""

    name: str
    message: str
    unit: Literal["ns", "per_s", "share", "bytes"]
    worse: Worse
    scale: Scale
    read: Callable[[Series], Reading | None]

    @property
    def full_name(self) -> str:
        """`response.p99`, or `response.p99[login]` for one message name."""
        return f"{self.name}[{self.message}]" if self.message else self.name


PERCENTILES = {
    "response": {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999},
    "service": {"p50": 0.5, "p99": 0.99},
    "iteration": {"p50": 0.5, "p99": 0.99},
    "connect": {"p50": 0.5, "p99": 0.99},
}
BY_MESSAGE = ("p50", "p99")
"""Of the response time, for each message name when there are several."""
NAMES = (
    *(f"{latency}.{name}" for latency, found in PERCENTILES.items() for name in found),
    "response.max",
    "rate",
    "failures",
    "memory",
)


def metrics(names: set[str], messages: list[str]) -> list[Metric]:
    """The metrics of these names, in the order in which they are shown."""
    found = []
    for latency, quantiles in PERCENTILES.items():
        for name, p in quantiles.items():
            found.append(_latency(f"{latency}.{name}", "", partial(_percentile_of, latency, "", p)))
        if latency == "response":
            found.append(_latency("response.max", "", partial(_maximum, "")))
    found.append(Metric("rate", "", "per_s", "lower", "ratio", _rate))
    found.append(Metric("failures", "", "share", "higher", "difference", _failures))
    found.append(Metric("memory", "", "bytes", "higher", "ratio", _memory))
    for message in messages:
        for name in BY_MESSAGE:
            p = PERCENTILES["response"][name]
            found.append(_latency(f"response.{name}", message, partial(_percentile_of, "response", message, p)))
    return [metric for metric in found if metric.name in names]


def percentile(distribution: Distribution, p: float) -> Reading | None:
    """A percentile of a run; None when too few messages lie beyond it."""
    total = distribution.total
    count = int(total.sum())
    if count * min(p, 1 - p) < MIN_BEYOND:
        return None
    upto = np.cumsum(total)
    place = _place(upto, p)
    value = float(distribution.steps_ns[place])
    # With the lost ones at infinity, would it be greater?
    answered = np.cumsum(total - distribution.lost)
    at_least = bool(distribution.lost.any()) and (
        answered[-1] < p * count or distribution.steps_ns[_place(answered, p * count / answered[-1])] > value
    )
    reading = Reading(value, math.log(max(value, 1)), least=STEP_VARIANCE, at_least=at_least)
    sizes = distribution.counts.sum(axis=1)
    used = sizes > 0
    if used.sum() < MIN_BLOCKS:
        return replace(reading, silent="short")
    if _comes_from_moments(distribution.counts[used, place + 1 :].sum(axis=1)):
        return replace(reading, silent="moments")
    # The share below the value that was read, not below `p`: a step holds many messages.
    share = upto[place] / count
    below = distribution.counts[used, : place + 1].sum(axis=1)
    deviation, df = long_run_deviation(below - share * sizes[used])
    t = t_quantile((1 + LEVEL) / 2, df)
    # On the logarithm of the tail, so that no bound passes 0 or 1.
    tail = max(1 - p, 1e-12)
    spread = t * deviation / count / tail
    low = distribution.steps_ns[_place(upto, max(1 - tail * math.exp(min(spread, 50)), 0.0))]
    high = distribution.steps_ns[_place(upto, 1 - tail * math.exp(-min(spread, 50)))]
    return replace(
        reading,
        below=(reading.at - math.log(max(float(low), 1))) / t,
        above=(math.log(max(float(high), 1)) - reading.at) / t,
        df=df,
    )


def _comes_from_moments(beyond: Counts) -> bool:
    """Whether the messages beyond a percentile are so uneven over time that a few bursts make the figure."""
    batches = 2 * _waves(len(beyond))
    sums = np.add.reduceat(beyond, np.linspace(0, len(beyond), batches, endpoint=False).astype(int))
    return bool(sums.var() > MAX_UNEVEN * sums.mean() ** 2)


def long_run_deviation(series: Floats) -> tuple[float, float]:
    """Standard deviation of the sum of a series of zero mean whose neighbours may be alike, and degrees of freedom."""
    length = len(series)
    waves = _waves(length)
    times = (np.arange(length) + 0.5) / length
    cosines = np.cos(np.pi * np.outer(np.arange(1, waves + 1), times)) * math.sqrt(2)
    return math.sqrt(float(np.mean((cosines @ series) ** 2))), float(waves)


def _waves(length: int) -> int:
    return max(2, round(COSINES * math.pow(length, 2 / 3)))


def _place(upto: Counts, p: float) -> int:
    """Index of the step at a quantile, as HdrHistogram takes it: the one that holds the message of rank ceil(p n)."""
    rank = max(math.ceil(math.nextafter(p * float(upto[-1]), 0)), 1)
    place = int(np.searchsorted(upto, rank))
    return min(place, len(upto) - 1)


def _latency(name: str, message: str, read: Callable[[Series], Reading | None]) -> Metric:
    return Metric(name, message, "ns", "higher", "ratio", read)


def _percentile_of(latency: str, message: str, p: float, series: Series) -> Reading | None:
    distribution = series.latencies.get((latency, message))
    return None if distribution is None else percentile(distribution, p)


def _maximum(message: str, series: Series) -> Reading | None:
    """The greatest value of an interval, on (geometric) average: one outlier does not make it."""
    maxima = series.maxima_ns.get(message)
    if maxima is None or not len(maxima):
        return None
    logs = np.log(maxima)
    at = float(logs.mean())
    return _linear(math.exp(at), at, logs - at, len(logs), least=STEP_VARIANCE)


def _rate(series: Series) -> Reading | None:
    """Messages that did what they were for, per second: answered, else received, else sent."""
    seconds = float(series.seconds.sum())
    for counter in ("answered", "received", "sent"):
        counts = series.counters[counter]
        if counts.any() and seconds:
            rate = float(counts.sum()) / seconds
            deviations = (counts - rate * series.seconds) / rate
            # What is scheduled does not vary; half a message at either end does.
            least = 1 / (float(counts.sum()) ** 2)
            return _linear(rate, math.log(rate), deviations, seconds, least)
    return None


def _failures(series: Series) -> Reading | None:
    """The share of messages and connection attempts that failed."""
    counters = series.counters
    failed = counters["unanswered"] + counters["unsent"] + counters["connects_failed"]
    # A loop that is closed has no more due than sent, an idle one neither: whatever was tried.
    tried = np.maximum(counters["due"], counters["sent"]) + counters["connects_started"]
    lost = float(failed.sum()) + series.ramp.get("connects_failed", 0)
    total = float(tried.sum()) + series.ramp.get("connects_started", 0)
    if not total:
        return None
    share = lost / total
    # None seen is not none there.
    guess = (lost + 1) / (total + 2)
    return _linear(share, share, failed - share * tried, total, least=guess * (1 - guess) / total)


def _memory(series: Series) -> Reading | None:
    """The target's resident memory, on (geometric) average over the run."""
    read = series.memory_bytes[series.memory_bytes > 0]
    if not len(read):
        return None
    logs = np.log(read)
    at = float(logs.mean())
    return _linear(math.exp(at), at, logs - at, len(logs), least=STEP_VARIANCE)


def _linear(value: float, at: float, deviations: Floats, weight: float, least: float) -> Reading:
    """A figure that is a sum over blocks by `weight`."""
    if len(deviations) < MIN_BLOCKS:
        return Reading(value, at, least=least, silent="short")
    deviation, df = long_run_deviation(deviations)
    error = deviation / weight
    return Reading(value, at, below=error, above=error, df=df, least=least)
