"""Thresholds judged: what was observed, and whether it is as it should be.

Counts and distributions are those of the summary: messages and latencies of the measured part; connections, messages
beside the iterations, failures and close codes of the whole run.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from wsload import _core
from wsload.results.interval import CENSORED
from wsload.scenario import Threshold
from wsload.scenario.metrics import METRICS, Unit
from wsload.units import format_count


class ThresholdResult(BaseModel):
    """What became of one threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="what was looked at, such as response[say].p99")
    text: str = Field(description="the threshold as it was written")
    passed: bool
    observed: float | None = Field(description="in `unit`; null: nothing was measured")
    unit: Unit = Field(description="ns, count, share (0 to 1) or per_s")
    at_least: bool = Field(
        False, description="observed is a lower bound, for replies never came; judged as if they took forever"
    )
    reason: str = Field("", description="what else there is to say about the observation")


@dataclass(frozen=True, slots=True)
class Sums:
    """What has been added up so far; `histograms` by metric and message name, which is empty for the total."""

    measured: Mapping[str, int]
    whole: Mapping[str, int]
    running_ns: int
    close_codes: Mapping[int, int]
    failures: Mapping[str, int]
    message_names: Collection[str]
    histograms: Mapping[tuple[str, str], _core.Histogram]


def wanted(thresholds: Iterable[Threshold], totals: Collection[str]) -> dict[tuple[str, str], _core.Histogram]:
    """Empty histograms, by metric and message name, that thresholds look at and that are not among the totals."""
    found = {}
    for threshold in thresholds:
        metric = METRICS[threshold.metric].histogram
        for kept in (metric, CENSORED.get(metric)):
            if kept and (threshold.selector or kept not in totals):
                found[kept, threshold.selector] = _core.Histogram()
    return found


@dataclass(frozen=True, slots=True)
class _Observation:
    """`value` may be infinite, `shown` never is."""

    value: float | None
    shown: float | None
    reason: str = ""


_WHOLE = {
    "connections.failed": "connects_failed",
    "connections.lost": "connections_lost",
    "connections.expired": "connections_expired",
    "connections.matching_lost": "matching_lost",
    "connections.closed": "connections_closed",
    "reconnects": "reconnects",
    "recover_attempts": "recover_attempts",
    "asides.sent": "aside_sent",
    "asides.answered": "aside_answered",
    "asides.unanswered": "aside_unanswered",
}
_MEASURED = {"rate": "sent", "iterations": "iterations_ended", "reordered": "fan_out_reordered"}
"""Metrics of the measured part whose counter has another name."""
_NOTHING = _Observation(None, None, "nothing was measured")


def judge_threshold(threshold: Threshold, sums: Sums) -> ThresholdResult:
    """Holds a threshold against what has been added up; one that nothing was measured for has not passed."""
    seen = _distribution(threshold, sums) if METRICS[threshold.metric].histogram else _number(threshold, sums)
    return ThresholdResult(
        name=threshold.name,
        text=threshold.text,
        passed=seen.value is not None and threshold.holds(seen.value),
        observed=seen.shown,
        unit=threshold.unit,
        at_least=seen.value == math.inf,
        reason=seen.reason,
    )


def _distribution(threshold: Threshold, sums: Sums) -> _Observation:
    metric = METRICS[threshold.metric].histogram
    answered = sums.histograms[metric, threshold.selector]
    censored = sums.histograms[CENSORED[metric], threshold.selector] if metric in CENSORED else _core.Histogram()
    missing = censored.count
    if threshold.statistic == "count":
        return _exactly(answered.count)
    if not answered.count + missing:
        return _nothing(threshold.selector, sums.message_names)
    quantile = threshold.quantile
    if quantile is not None:
        rank = max(math.ceil(math.nextafter(quantile * (answered.count + missing), 0)), 1)
        if rank <= answered.count:
            # The last step of a histogram is wider than its greatest value.
            return _exactly(min(answered.value_at_quantile(rank / answered.count), answered.max))
    elif threshold.statistic == "min" and answered.count:
        return _exactly(answered.min)
    elif not missing:
        return _exactly(answered.max if threshold.statistic == "max" else answered.mean)
    return _unbounded(threshold, answered, censored)


def _nothing(name: str, known: Collection[str]) -> _Observation:
    if name and known and name not in known:
        return _Observation(None, None, f"no message is called {name}, there is {', '.join(sorted(known))}")
    return _NOTHING


def _unbounded(threshold: Threshold, answered: _core.Histogram, censored: _core.Histogram) -> _Observation:
    """A statistic that replies decide which never came: shown is what it is at least."""
    both = _core.Histogram()
    both.add(answered.encode())
    both.add(censored.encode())
    quantile, count = threshold.quantile, censored.count
    if quantile is not None:
        shown: float = min(both.value_at_quantile(quantile), both.max)
    else:
        shown = {"min": both.min, "mean": both.mean}.get(threshold.statistic, both.max)
    return _Observation(math.inf, shown, f"{format_count(count)} repl{'y' if count == 1 else 'ies'} never came")


def _number(threshold: Threshold, sums: Sums) -> _Observation:
    metric = threshold.metric
    if threshold.unit == "share":
        return _share(*_parts(metric, sums))
    count = _count(threshold, sums)
    if threshold.unit == "per_s":
        return _exactly(count / (sums.running_ns / 1e9)) if sums.running_ns else _NOTHING
    if metric in {"unanswered", "asides.unanswered", "failed"} and not _parts(metric, sums)[1]:
        # None of nothing is no success.
        return _NOTHING
    return _exactly(count)


def _count(threshold: Threshold, sums: Sums) -> int:
    metric = threshold.metric
    match metric:
        case "failures":
            failures = sums.failures
            return failures.get(threshold.selector, 0) if threshold.selector else sum(failures.values())
        case "close":
            return sums.close_codes.get(int(threshold.selector), 0)
        case "connections.opened":
            return sums.whole.get("connects_opened", 0) - sums.whole.get("reconnects", 0)
        case "failed":
            return _parts(metric, sums)[0]
    if metric in _WHOLE:
        return sums.whole.get(_WHOLE[metric], 0)
    return sums.measured.get(_MEASURED.get(metric, metric), 0)


def _parts(metric: str, sums: Sums) -> tuple[int, int]:
    """Of how many how many are meant by a share."""

    def measured(name: str) -> int:
        return sums.measured.get(name, 0)

    match metric:
        case "unsent":
            return measured("unsent"), measured("due")
        case "reach":
            return measured("fan_out_delivered"), measured("fan_out_expected")
        case "asides.unanswered":
            lost = sums.whole.get("aside_unanswered", 0)
            return lost, lost + sums.whole.get("aside_answered", 0)
        case "connections.failed":
            failed = sums.whole.get("connects_failed", 0)
            return failed, failed + sums.whole.get("connects_opened", 0)
        case "failed" if measured("iterations_ended"):
            return measured("iterations_failed"), measured("iterations_ended")
    # Without a scenario an iteration is a message and its reply.
    return measured("unanswered"), measured("answered") + measured("unanswered")


def _share(part: int, total: int) -> _Observation:
    return _exactly(part / total) if total else _NOTHING


def _exactly(value: float) -> _Observation:
    return _Observation(value, value)
