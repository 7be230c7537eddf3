"""A run over time, in a bounded number of windows: what charts are drawn from.

Windows begin as intervals and double in width whenever there would be too many, so that ten days weigh no more than ten
minutes. Distributions are merged whole, never averaged.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from wsload.results.distribution import Distribution
from wsload.results.fold import UNCERTAIN
from wsload.results.interval import BY_CLOCK, CENSORED, Interval

MAX_WINDOWS = 480
_PENDING = 16
"""Parts of a distribution that wait to be summed: one sum of many is cheaper than many sums."""
_WHOLE = {censored: metric for metric, censored in CENSORED.items()}


class _Pile:
    """A distribution that is being added to."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[Distribution] = []

    def add(self, part: Distribution) -> None:
        self._parts.append(part)
        if len(self._parts) >= _PENDING:
            self._parts = [Distribution.sum(self._parts)]

    def total(self) -> Distribution:
        if len(self._parts) != 1:
            self._parts = [Distribution.sum(self._parts)]
        return self._parts[0]


@dataclass(slots=True)
class Window:
    """What happened in a stretch of time, warm-up included. Latencies hold the ages of what was never answered."""

    start_ns: int
    end_ns: int
    counters: Counter[str] = field(default_factory=Counter)
    gauges: dict[str, int] = field(default_factory=dict)
    """Those of its last interval."""
    failures: Counter[str] = field(default_factory=Counter)
    """By kind."""
    suspect: bool = False
    """Whether an interval in it is suspect by itself."""
    _piles: dict[str, _Pile] = field(default_factory=lambda: defaultdict(_Pile))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return max(self.end_ns - self.start_ns, 1) / 1e9

    def per_second(self, counter: str) -> float:
        """A counter as a rate."""
        return self.counters[counter] / self.seconds

    def latency(self, metric: str) -> Distribution:
        """One metric over all message names; empty where nothing was measured."""
        return self._piles[metric].total() if metric in self._piles else Distribution.empty()

    def add(self, interval: Interval, parts: Iterable[tuple[str, Distribution]]) -> None:
        """Adds an interval whose histograms have been decoded."""
        self.start_ns, later = min(self.start_ns, interval.start_ns), interval.end_ns >= self.end_ns
        self.end_ns = max(self.end_ns, interval.end_ns)
        self.counters.update(interval.counters)
        if later and not (interval.warmup and self.gauges.get("open_connections")):
            self.gauges = interval.gauges
        self.suspect |= bool(interval.suspicions)
        for failure in interval.failures:
            self.failures[failure.kind] += failure.count
        for metric, part in parts:
            self._piles[metric].add(part)

    def take(self, interval: Interval, asides: Collection[str] = ()) -> None:
        """Adds an interval as it is stored, but for what `asides` names."""
        parts = decoded(interval)
        self.add(interval, [(metric, part) for (metric, message), part in parts if message not in asides])

    def join(self, other: "Window") -> None:
        """Adds the window that follows."""
        self.end_ns = max(self.end_ns, other.end_ns)
        self.counters.update(other.counters)
        self.gauges = other.gauges
        self.failures.update(other.failures)
        self.suspect |= other.suspect
        for metric in other._piles:
            self._piles[metric].add(other.latency(metric))


class Series:
    """A run over time, and the distributions of its measured part by metric and message name.

    `asides` are names of messages that are in no total.
    """

    def __init__(self, interval_ns: int, max_windows: int = MAX_WINDOWS, asides: Collection[str] = ()) -> None:
        self._asides = asides
        self.width_ns = max(interval_ns, 1)
        self._max_windows = max_windows
        self._windows: dict[int, Window] = {}
        self._measured: dict[tuple[str, str], _Pile] = defaultdict(_Pile)

    def add(self, interval: Interval) -> None:
        """Adds an interval, each (index, warmup) once."""
        parts = []
        for (metric, message), part in decoded(interval):
            if message not in self._asides:
                parts.append((metric, part))
            if not interval.warmup or metric.startswith(BY_CLOCK):
                self._measured[metric, message].add(part)
        self._window(interval).add(interval, parts)
        while len(self._windows) > self._max_windows:
            self._widen()

    @property
    def windows(self) -> list[Window]:
        """All windows in order of time; the connect ramp lies before 0."""
        return [self._windows[place] for place in sorted(self._windows)]

    def measured(self, metric: str, message: str | None = None) -> Distribution:
        """A metric over the measured part, of one message name or of all that are in the total."""
        if message is None:
            names = [name for found, name in self._measured if found == metric and name not in self._asides]
        else:
            names = [message] if (metric, message) in self._measured else []
        return Distribution.sum(self._measured[metric, name].total() for name in names)

    def metrics(self) -> list[str]:
        """The metrics that were measured."""
        return sorted({metric for metric, _ in self._measured})

    def messages(self, metric: str) -> list[str]:
        """The message names of a metric."""
        return sorted({name for found, name in self._measured if found == metric})

    def _window(self, interval: Interval) -> Window:
        # Intervals are cut at the epoch: the middle says where one belongs.
        place = (interval.start_ns + interval.end_ns) // 2 // self.width_ns
        if place not in self._windows:
            self._windows[place] = Window(interval.start_ns, interval.start_ns)
        return self._windows[place]

    def _widen(self) -> None:
        self.width_ns *= 2
        before, self._windows = self._windows, {}
        for place in sorted(before):
            known = self._windows.get(place // 2)
            if known is None:
                self._windows[place // 2] = before[place]
            else:
                known.join(before[place])


def decoded(interval: Interval) -> Iterator[tuple[tuple[str, str], Distribution]]:
    """The histograms of an interval by metric and message; what was never answered counts with its age."""
    for (metric, message), encoded in interval.histograms.items():
        if metric not in UNCERTAIN:
            yield (_WHOLE.get(metric, metric), message), Distribution.decode(encoded)
