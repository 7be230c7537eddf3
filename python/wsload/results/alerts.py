"""Alerts judged while a run goes on: a window at a time, from what happened in it alone."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from wsload.results.interval import Interval
from wsload.results.thresholds import Sums, ThresholdResult, judge_threshold, wanted
from wsload.scenario import Alert

MIN_SHARE = 0.5
"""Of a window must have been running, or it is not judged: the last is cut off."""


@dataclass(frozen=True, slots=True)
class Event:
    """An alert that is broken, is still, or holds again; what was observed is of the window from `begin_ns`."""

    kind: Literal["breach", "still", "recovered"]
    alert: Alert
    result: ThresholdResult
    begin_ns: int
    end_ns: int
    since_ns: int
    """Where the first window began in which it did not hold."""


class AlertWindows:
    """Windows of one alert, one after the other. Memory does not grow with the run."""

    def __init__(self, alert: Alert, asides: Collection[str] = ()) -> None:
        self._alert = alert
        self._asides = asides
        self._begin_ns = 0
        self._since_ns: int | None = None
        self._clear()

    def add(self, interval: Interval) -> Iterator[Event]:
        """Adds an interval of the measured part, in order; what the windows that are over with it come to."""
        if interval.warmup or interval.start_ns < 0:
            return
        begin_ns = interval.start_ns - interval.start_ns % self._alert.window_ns
        if begin_ns > self._begin_ns:
            yield from self._judged()
            self._begin_ns = begin_ns
            self._clear()
        self._take(interval)

    def _judged(self) -> Iterator[Event]:
        if self._running_ns < MIN_SHARE * self._alert.window_ns:
            return
        counts = self._counters
        result = judge_threshold(
            self._alert.threshold,
            Sums(counts, counts, self._running_ns, self._close_codes, self._failures, (), self._histograms),
        )
        if result.observed is None and not result.at_least:
            # Nothing happened that it could be held against: neither a breach nor the end of one.
            return
        was = self._since_ns
        if result.passed:
            self._since_ns = None
            if was is not None:
                yield self._event("recovered", result, was)
            return
        self._since_ns = self._begin_ns if was is None else was
        yield self._event("breach" if was is None else "still", result, self._since_ns)

    def _event(self, kind: Literal["breach", "still", "recovered"], result: ThresholdResult, since_ns: int) -> Event:
        return Event(kind, self._alert, result, self._begin_ns, self._begin_ns + self._alert.window_ns, since_ns)

    def _clear(self) -> None:
        self._counters: Counter[str] = Counter()
        self._close_codes: Counter[int] = Counter()
        self._failures: Counter[str] = Counter()
        self._running_ns = 0
        self._histograms = wanted([self._alert.threshold], ())

    def _take(self, interval: Interval) -> None:
        self._counters.update(interval.counters)
        self._close_codes.update(interval.close_codes)
        for failure in interval.failures:
            self._failures[failure.kind] += failure.count
        self._running_ns += interval.gauges.get("running_ns", 0)
        for (metric, message), encoded in interval.histograms.items():
            named = (metric, message) in self._histograms
            if named:
                self._histograms[metric, message].add(encoded)
            if message and message not in self._asides and (metric, "") in self._histograms:
                self._histograms[metric, ""].add(encoded)


def events(windows: Iterable[AlertWindows], interval: Interval) -> list[Event]:
    """What an interval means for several alerts."""
    return [event for one in windows for event in one.add(interval)]
