"""Several intervals as one: sums are added, whole histograms merged, no count is lost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from wsload import _core
from wsload.results.interval import Failure, Interval
from wsload.results.verdict import Reason

JOINED = "joined_intervals"
"""Gauge: how many intervals one was joined from; absent in one that was not."""
SUSPECT = "joined_suspect"
"""Gauge: how many of them were suspect by themselves; with a kind behind a dot, how many for that reason."""
FIRST = "joined_first_suspect_ns"
"""Gauge: when the first of these began."""
_SUMMED = frozenset({"running_ns", "stolen_ns"})
_GREATEST = frozenset({"oldest_in_flight_ns", "silence_ns"})


def join(intervals: Sequence[Interval]) -> Interval:
    """One interval over all of these, which follow each other and are of one kind (warm-up or not).

    It has the number of the last one, and its gauges but for those that add up.
    """
    first, last = intervals[0], intervals[-1]
    return Interval(
        index=last.index,
        warmup=last.warmup,
        start_ns=first.start_ns,
        end_ns=last.end_ns,
        counters=dict(sum((Counter(one.counters) for one in intervals), Counter())),
        gauges=_gauges(intervals),
        close_codes=dict(sum((Counter(one.close_codes) for one in intervals), Counter())),
        failures=_failures(intervals),
        negotiated=dict(sum((Counter(one.negotiated) for one in intervals), Counter())),
        histograms=_histograms(intervals),
        suspicions=_suspicions(intervals),
        events=tuple(event for one in intervals for event in one.events),
    )


@dataclass(frozen=True, slots=True)
class Doubts:
    """How many intervals one stands for, and which of these were suspect by themselves."""

    intervals: int
    suspect: int
    kinds: Counter[str]
    first_ns: int | None


def doubts_of(interval: Interval) -> Doubts:
    """The doubts about an interval, joined or not."""
    gauges = interval.gauges
    if JOINED in gauges:
        kinds = {name.removeprefix(f"{SUSPECT}."): n for name, n in gauges.items() if name.startswith(f"{SUSPECT}.")}
        return Doubts(gauges[JOINED], gauges.get(SUSPECT, 0), Counter(kinds), gauges.get(FIRST))
    kinds = dict.fromkeys((reason.kind for reason in interval.suspicions), 1)
    return Doubts(1, int(bool(kinds)), Counter(kinds), interval.start_ns if kinds else None)


def _gauges(intervals: Sequence[Interval]) -> dict[str, int]:
    gauges = dict(intervals[-1].gauges)
    for name in _SUMMED:
        if values := [one.gauges[name] for one in intervals if name in one.gauges]:
            gauges[name] = sum(values)
    for name in _GREATEST:
        if values := [one.gauges[name] for one in intervals if name in one.gauges]:
            gauges[name] = max(values)
    doubts = [doubts_of(one) for one in intervals]
    kinds = sum((one.kinds for one in doubts), Counter[str]())
    gauges |= {JOINED: sum(one.intervals for one in doubts), SUSPECT: sum(one.suspect for one in doubts)}
    gauges |= {f"{SUSPECT}.{kind}": count for kind, count in kinds.items()}
    first = [one.first_ns for one in doubts if one.first_ns is not None]
    # A gauge of 0 is as good as none: the first nanosecond will do.
    return gauges | ({FIRST: min(first) or 1} if first else {})


def _failures(intervals: Sequence[Interval]) -> tuple[Failure, ...]:
    found: dict[tuple[str, str], Failure] = {}
    for failure in (failure for one in intervals for failure in one.failures):
        key = failure.kind, failure.detail
        known = found.get(key, failure)
        count = failure.count + (known.count if key in found else 0)
        earliest = min(known, failure, key=lambda each: each.first_ns)
        found[key] = Failure(*key, count, earliest.first_ns, earliest.example)
    return tuple(found.values())


def _histograms(intervals: Sequence[Interval]) -> dict[tuple[str, str], bytes]:
    parts: dict[tuple[str, str], list[bytes]] = {}
    for one in intervals:
        for key, encoded in one.histograms.items():
            parts.setdefault(key, []).append(encoded)
    return {key: _sum(encoded) for key, encoded in parts.items()}


def _sum(parts: Sequence[bytes]) -> bytes:
    if len(parts) == 1:
        return parts[0]
    histogram = _core.Histogram()
    for part in parts:
        histogram.add(part)
    return histogram.encode()


def _suspicions(intervals: Sequence[Interval]) -> tuple[Reason, ...]:
    """The first of each kind."""
    found: dict[str, Reason] = {}
    for reason in (reason for one in intervals for reason in one.suspicions):
        found.setdefault(reason.kind, reason)
    return tuple(found.values())
