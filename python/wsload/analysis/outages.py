"""When connections dropped together, how many, why, and when all were back."""

from collections import Counter
from dataclasses import dataclass, field

from wsload.results import Interval

KEPT = 64
"""Outages that are remembered, those of most connections; the others are counted."""
_OF_ATTEMPTS = frozenset({"dns", "refused", "unreachable", "connect_timeout", "tls", "proxy_rejected"})
_OF_ATTEMPTS |= {"upgrade_rejected", "bad_accept"}
_FOLLOWING = frozenset({"connection ended"})
"""What a lost connection brings with it."""


@dataclass(slots=True)
class Outage:
    """From the first connection that dropped until as many were open as before; times after the epoch."""

    start_ns: int
    last_ns: int
    """End of the last interval in which one dropped."""
    level: int
    """Connections that were open before."""
    lost: int = 0
    least_open: int = 0
    """The fewest that were open at the end of an interval."""
    back_ns: int | None = None
    """End of the interval at which as many were open again; None: that never came."""
    failed_attempts: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Kind and detail of what ended the connections."""


class Outages:
    """Finds the outages of a run. Memory does not grow with it."""

    def __init__(self) -> None:
        self._open: Outage | None = None
        self._kept: list[Outage] = []
        self._level = 0
        self.unkept = 0
        """Outages that are not remembered, each of fewer connections than those that are."""
        self.unkept_lost = 0

    def add(self, interval: Interval) -> None:
        """Adds the next interval, each half of one that has two."""
        # A connection that was given up because its reply did not come is as good as cut.
        lost = interval.counters.get("connections_lost", 0) + interval.counters.get("matching_lost", 0)
        if lost:
            self._lose(interval, lost)
        if not interval.gauges:
            return
        level = interval.gauges.get("open_connections", 0)
        if self._open is None:
            self._level = level
            return
        self._open.failed_attempts += interval.counters.get("connects_failed", 0)
        self._open.least_open = min(self._open.least_open, level)
        if level >= self._open.level:
            self._open.back_ns = interval.end_ns
            self._keep(self._open)
            self._open, self._level = None, level

    def found(self) -> list[Outage]:
        """Those that are remembered, in order of time; the last one may go on."""
        return sorted([*self._kept, *([self._open] if self._open else [])], key=lambda one: one.start_ns)

    def _lose(self, interval: Interval, lost: int) -> None:
        ended = [one for one in interval.failures if one.kind not in _OF_ATTEMPTS and one.detail not in _FOLLOWING]
        if self._open is None:
            start_ns = min((one.first_ns for one in ended), default=interval.start_ns)
            # A failure of an interval that was joined from several may be older than what is told of it.
            start_ns = max(start_ns, interval.start_ns)
            self._open = Outage(start_ns, interval.end_ns, self._level, least_open=self._level)
        self._open.lost += lost
        self._open.last_ns = interval.end_ns
        self._open.reasons.update({(one.kind, one.detail): one.count for one in ended})

    def _keep(self, outage: Outage) -> None:
        self._kept.append(outage)
        if len(self._kept) > KEPT:
            least = min(self._kept, key=lambda one: (one.lost, one.start_ns))
            self._kept.remove(least)
            self.unkept += 1
            self.unkept_lost += least.lost
