"""One interval of a run, merged over all workers: what the run file stores and everything else reads."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from wsload.results.event import Event
from wsload.results.verdict import Reason

if TYPE_CHECKING:
    from wsload import _core

CENSORED = {"response_time": "response_censored", "service_time": "service_censored"}
"""Where the ages of messages are that never got a reply."""


BY_CLOCK = ("connect", "ping", "recover")
"""Beginnings of the metrics that belong to no message: during the warm-up they count like those after it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Failures of one kind and detail; `first_ns` is relative to the run's epoch, `example` may hold any text."""

    kind: str
    detail: str
    count: int
    first_ns: int
    example: str


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened from `start_ns` to `end_ns`, relative to the epoch; the connect ramp lies before 0.

    `negotiated` counts new connections by (aspect, value). `histograms` maps (metric, message name) to whole V2-deflate
    HDR histograms. `warmup` marks the counts of messages that were intended during the warm-up; the same `index` may
    exist with and without it. `suspicions` are the reasons not to trust this interval's figures, `events` what the
    timeline keeps of it.
    """

    index: int
    warmup: bool
    start_ns: int
    end_ns: int
    counters: dict[str, int]
    gauges: dict[str, int]
    close_codes: dict[int, int]
    failures: tuple[Failure, ...]
    negotiated: dict[tuple[str, str], int]
    histograms: dict[tuple[str, str], bytes]
    suspicions: tuple[Reason, ...] = ()
    events: tuple[Event, ...] = ()

    @classmethod
    def from_core(cls, merged: "_core.Interval", epoch_ns: int) -> Self:
        """Takes what the engine merged; `epoch_ns` is the epoch on the monotonic clock."""
        return cls(
            index=merged.index,
            warmup=merged.warmup,
            start_ns=merged.start_ns - epoch_ns,
            end_ns=merged.end_ns - epoch_ns,
            counters=merged.counters,
            gauges=merged.gauges,
            close_codes=merged.close_codes,
            failures=tuple(
                Failure(kind, detail, count, first_ns - epoch_ns, example)
                for kind, detail, count, first_ns, example in merged.failures
            ),
            negotiated={(aspect, value): count for aspect, value, count in merged.negotiated},
            histograms={(metric, message): encoded for metric, message, encoded in merged.histograms},
            events=tuple(Event._make((row[0] - epoch_ns, *row[1:])) for row in merged.events),
        )
