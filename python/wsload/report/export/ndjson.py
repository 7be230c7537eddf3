"""JSON lines: an object per interval, live or from a file. docs/schema/interval.schema.json describes it."""

from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from wsload.report.export.rows import Thresholds, metrics, phase
from wsload.results import Interval, RunFile, Stats, aside_names, interval_stats
from wsload.results.summary import Agreement, FailureSummary
from wsload.results.verdict import Reason


class IntervalRecord(BaseModel):
    """What happened in one interval. Every `_ns` is integer nanoseconds, instants count from the run's epoch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    index: int
    phase: Literal["ramp", "warmup", "measured"] = Field(
        description="an interval may come twice: messages of the warm-up are apart"
    )
    start_ns: int
    end_ns: int
    counters: dict[str, int] = Field(description="sums of the interval; what is absent is 0")
    gauges: dict[str, int] = Field(description="how things stood at its end; what is absent is 0")
    close_codes: dict[int, int]
    negotiated: list[Agreement]
    failures: list[FailureSummary]
    suspicions: list[Reason] = Field(description="why this interval's figures are not to be trusted")
    latencies: dict[str, Stats] = Field(description="by metric, over all message names but those beside the iterations")


def record(interval: Interval, asides: Collection[str] = ()) -> IntervalRecord:
    """An interval as the object that is printed."""
    found = {metric: interval_stats(interval, metric, asides) for metric in metrics(interval)}
    return IntervalRecord.model_validate(
        {
            "index": interval.index,
            "phase": phase(interval),
            "start_ns": interval.start_ns,
            "end_ns": interval.end_ns,
            "counters": {name: value for name, value in interval.counters.items() if value},
            "gauges": {name: value for name, value in interval.gauges.items() if value},
            "close_codes": interval.close_codes,
            "negotiated": [
                Agreement(aspect=aspect, value=value, count=count)
                for (aspect, value), count in interval.negotiated.items()
            ],
            "failures": [
                FailureSummary(kind=f.kind, detail=f.detail, count=f.count, first_ns=f.first_ns, example=f.example)
                for f in interval.failures
            ],
            "suspicions": interval.suspicions,
            "latencies": {metric: stats for metric, stats in found.items() if stats},
        }
    )


def line(interval: Interval, asides: Collection[str] = ()) -> str:
    """One line, its end included."""
    return record(interval, asides).model_dump_json(by_alias=True) + "\n"


def render(run: RunFile, _: Thresholds = None) -> Iterator[str]:
    """All intervals of a file, in order."""
    asides = aside_names(run.header.plan)
    return (line(interval, asides) for interval in run.intervals())
