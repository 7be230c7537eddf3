"""A run as arrays over time: what resampling and long-run variances need, in memory that does not grow with the run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsload.errors import RunFileError
from wsload.results import Fold, Header, Interval, RunFile
from wsload.results.steps import merged, steps
from wsload.results.verdict import Reason
from wsload.results.watched import memory_bytes
from wsload.scenario import Plan

MAX_BLOCKS = 240
"""Time blocks of a run at most; a longer run has longer blocks."""
LATENCIES = {"response": ("response_time", "response_censored"), "service": ("service_time", "service_censored")}
WHOLE = {"connect": "connect", "iteration": "iteration_time"}
"""Latencies that have no message names, and that nothing is lost of."""
COUNTERS = (
    "due",
    "sent",
    "answered",
    "unanswered",
    "unsent",
    "received",
    "connects_started",
    "connects_failed",
    "connections_lost",
)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Distribution:
    """One latency over a run: `counts[block, step]` of the values in `steps_ns`, ascending.

    `lost` counts, of each step, those that never got a reply and stand there with their age.
    """

    steps_ns: Counts
    counts: Counts
    lost: Counts

    @property
    def total(self) -> Counts:
        """Over all blocks."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Series:
    """A finished or unfinished run, cut into blocks of equal length.

    `latencies` maps (response, service, iteration or connect; message name, empty for all that count in totals) to
    distributions; those of connects cover the ramp as well. `maxima_ns` holds the greatest response time of each full
    interval.
    """

    path: Path
    header: Header
    outcome: str
    reasons: tuple[Reason, ...]
    seconds: Floats
    counters: dict[str, Floats]
    ramp: dict[str, int]
    """Counters of connection attempts before the measured part."""
    latencies: dict[tuple[str, str], Distribution]
    maxima_ns: dict[str, Floats]
    memory_bytes: Floats = field(default_factory=lambda: np.empty(0))
    """Of the target at the ends of blocks, where it was watched; else 0."""

    @property
    def name(self) -> str:
        """The file's name, to tell runs apart."""
        return self.path.name


def read_series(path: Path) -> Series:
    """Reads a run file.

    Raises:
        RunFileError: it cannot be read.
    """
    try:
        return _read(path)
    except ValueError:
        raise RunFileError(f"{path}: holds a damaged histogram", "It cannot be compared; make the run again.") from None


def _read(path: Path) -> Series:
    with RunFile.open(path) as run:
        fold, blocks = Fold(run.header), _Blocks(run.header.plan)
        for interval in run.intervals():
            fold.add(interval)
            blocks.add(interval)
        for note in run.notes():
            fold.note(note)
        return Series(
            path=path,
            header=run.header,
            outcome=run.outcome or "unfinished",
            reasons=tuple(fold.verdict().reasons),
            seconds=np.array([block.seconds for block in blocks.blocks]),
            counters={
                name: np.array([block.counters.get(name, 0) for block in blocks.blocks], dtype=np.float64)
                for name in COUNTERS
            },
            ramp=blocks.ramp.counters,
            latencies=blocks.distributions(),
            maxima_ns={name: np.array(values, dtype=np.float64) for name, values in blocks.maxima_ns.items()},
            memory_bytes=np.array([block.memory_bytes for block in blocks.blocks]),
        )


class _Block:
    """Consecutive intervals, merged."""

    def __init__(self) -> None:
        self.intervals = 0
        self.seconds = 0.0
        self.counters: dict[str, int] = {}
        self.memory_bytes = 0.0
        """Of the target, as it was read last; 0: it was not."""
        self._encoded: dict[tuple[str, str], list[bytes]] = {}

    def add(self, counters: dict[str, int], encoded: dict[tuple[str, str], bytes], seconds: float) -> None:
        self.intervals += 1
        self.seconds += seconds
        for name, count in counters.items():
            self.counters[name] = self.counters.get(name, 0) + count
        for key, one in encoded.items():
            self._encoded.setdefault(key, []).append(one)

    def join(self, other: "_Block") -> None:
        """Takes what a later block holds."""
        intervals = self.intervals + other.intervals
        self.add(other.counters, other.histograms(), other.seconds)
        self.memory_bytes = other.memory_bytes or self.memory_bytes
        self.intervals = intervals

    def histograms(self) -> dict[tuple[str, str], bytes]:
        """The merged histograms, by metric and message name."""
        for parts in self._encoded.values():
            if len(parts) > 1:
                parts[:] = [merged(parts)]
        return {key: parts[0] for key, parts in self._encoded.items()}


class _Blocks:
    """Collects blocks; when there are too many, neighbours are merged and later ones are twice as long."""

    def __init__(self, plan: Plan) -> None:
        self._interval_ns = plan.interval_ns
        self._asides = {name.name for name in plan.program.names if not name.total} if plan.program else set[str]()
        """Messages beside a scenario's iterations: they are in no total."""
        self._length = 1
        self.ramp = _Block()
        self.blocks: list[_Block] = []
        self.maxima_ns: dict[str, list[int]] = {}

    def add(self, interval: Interval) -> None:
        if interval.warmup or interval.start_ns < 0:
            # Connects of the ramp and the warm-up are part of the run; nothing else of it is.
            ramp = {key: one for key, one in interval.histograms.items() if key[0] == "connect"}
            counters = {name: n for name, n in interval.counters.items() if name.startswith("connects_")}
            self.ramp.add(counters, ramp, 0.0)
            return
        if not self.blocks or self.blocks[-1].intervals >= self._length:
            if len(self.blocks) == MAX_BLOCKS:
                self._halve()
            self.blocks.append(_Block())
        seconds = interval.gauges.get("running_ns", 0) / 1e9
        kept = {key: one for key, one in interval.histograms.items() if _is_kept(key[0])}
        self.blocks[-1].add(interval.counters, kept, seconds)
        if seconds:
            # When the schedule is over connections close, and what they took is given back.
            self.blocks[-1].memory_bytes = memory_bytes(interval.gauges) or self.blocks[-1].memory_bytes
        if interval.end_ns - interval.start_ns >= self._interval_ns / 2:
            self._add_maxima(kept)

    def distributions(self) -> dict[tuple[str, str], Distribution]:
        """Each latency over the blocks: per message name where there are several, and over all."""
        found = [block.histograms() for block in self.blocks]
        names = sorted({message for block in found for metric, message in block if metric not in WHOLE.values()})
        result = {}
        for latency, (answered, lost) in LATENCIES.items():
            for name in ["", *names] if len(names) > 1 else [""]:
                chosen = [one for one in names if one not in self._asides] if name == "" else [name]
                result[latency, name] = _distribution(
                    [[block.get((answered, one)) for one in chosen] for block in found],
                    [[block.get((lost, one)) for one in chosen] for block in found],
                )
        for latency, metric in WHOLE.items():
            # Most connections open in the ramp: it is a block of its own.
            blocks = [self.ramp.histograms(), *found] if metric == "connect" else found
            result[latency, ""] = _distribution([[block.get((metric, ""))] for block in blocks], [])
        return {key: distribution for key, distribution in result.items() if distribution.counts.size}

    def _halve(self) -> None:
        for first, second in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            first.join(second)
        self.blocks = self.blocks[::2]
        self._length *= 2

    def _add_maxima(self, kept: dict[tuple[str, str], bytes]) -> None:
        greatest: dict[str, int] = {}
        for (metric, message), encoded in kept.items():
            if metric in LATENCIES["response"]:
                top = int(steps(encoded)[0].max(initial=0))
                for name in (message,) if message in self._asides else ("", message):
                    greatest[name] = max(greatest.get(name, 0), top)
        for name, top in greatest.items():
            if top:
                self.maxima_ns.setdefault(name, []).append(top)


def _is_kept(metric: str) -> bool:
    return metric in WHOLE.values() or any(metric in pair for pair in LATENCIES.values())


def _distribution(answered: list[list[bytes | None]], lost: list[list[bytes | None]]) -> Distribution:
    """Blocks of encoded histograms on one axis of steps."""
    rows = [(at, *steps(one), False) for at, one in _present(answered)]
    rows += [(at, *steps(one), True) for at, one in _present(lost)]
    axis = np.unique(np.concatenate([values for _, values, _, _ in rows])) if rows else np.empty(0, dtype=np.int64)
    counts = np.zeros((len(answered), len(axis)), dtype=np.int64)
    never = np.zeros(len(axis), dtype=np.int64)
    for at, values, found, is_lost in rows:
        # `add.at`: the clipped last step may fall on the one before it.
        columns = np.searchsorted(axis, values)
        np.add.at(counts[at], columns, found)
        if is_lost:
            np.add.at(never, columns, found)
    return Distribution(axis, counts, never)


def _present(blocks: list[list[bytes | None]]) -> Iterator[tuple[int, bytes]]:
    return ((at, one) for at, parts in enumerate(blocks) for one in parts if one is not None)
