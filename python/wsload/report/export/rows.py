"""What the formats that tell intervals have in common."""

from collections.abc import Sequence

from wsload.results import Interval
from wsload.results.fold import UNCERTAIN
from wsload.results.interval import CENSORED
from wsload.scenario import Threshold

Thresholds = Sequence[Threshold] | None
"""What takes the place of a run's own thresholds."""
HIDDEN = {*CENSORED.values(), *UNCERTAIN}
"""Histograms that are part of another's statistics."""


def phase(interval: Interval) -> str:
    """Where in the run an interval lies: connections opening, warm-up, or what counts."""
    if interval.start_ns < 0:
        return "ramp"
    return "warmup" if interval.warmup else "measured"


def metrics(interval: Interval) -> list[str]:
    """The latencies that were measured in an interval."""
    return sorted({metric for metric, _ in interval.histograms} - HIDDEN)


def failed(interval: Interval) -> int:
    """Failures of all kinds."""
    return sum(failure.count for failure in interval.failures)
