"""How figures went from label to label."""

import math
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from wsload.analysis.metrics import LEVEL, NAMES, Metric, Reading, metrics
from wsload.analysis.series import Series, read_series
from wsload.analysis.student import quantile as t_quantile


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunFigures(_Section):
    """One run: its value of each metric it has, by name."""

    file: str
    started_at: datetime
    values: dict[str, float]


class Average(_Section):
    """A metric over the runs of a label, with its interval when there are two or more."""

    value: float
    low: float | None
    high: float | None


class Entry(_Section):
    """A label with its runs, in order of time."""

    label: str
    target: str
    runs: list[RunFigures]
    averages: dict[str, Average]


class History(_Section):
    """Labels in the order of their first runs."""

    schema_version: Literal[1] = 1
    level: float = LEVEL
    units: dict[str, Literal["ns", "per_s", "share", "bytes"]] = Field(description="of each metric")
    entries: list[Entry]


def read_history(runs: dict[str, list[Path]], names: set[str] | None = None) -> History:
    """Reads the runs of all labels; `names` are the metrics to keep.

    Raises:
        RunFileError: one cannot be read.
    """
    wanted = metrics(set(NAMES) if names is None else names, [])
    entries = [_entry(label, [read_series(path) for path in paths], wanted) for label, paths in runs.items()]
    entries.sort(key=lambda entry: entry.runs[0].started_at)
    return History(units={metric.name: metric.unit for metric in wanted}, entries=entries)


def _entry(label: str, series: list[Series], wanted: list[Metric]) -> Entry:
    series.sort(key=lambda run: run.header.started_at)
    found = {metric: [metric.read(run) for run in series] for metric in wanted}
    runs = [
        RunFigures(
            file=str(run.path),
            started_at=run.header.started_at,
            values={
                metric.name: reading.value
                for metric, all_read in found.items()
                if (reading := all_read[place]) is not None
            },
        )
        for place, run in enumerate(series)
    ]
    averages = {}
    for metric, all_read in found.items():
        present = [reading for reading in all_read if reading is not None]
        if present:
            averages[metric.name] = _average(metric, present)
    return Entry(label=label, target=series[0].header.target, runs=runs, averages=averages)


def _average(metric: Metric, readings: list[Reading]) -> Average:
    def back(at: float) -> float:
        return math.exp(min(at, 700.0)) if metric.scale == "ratio" else at

    count = len(readings)
    mean = sum(one.at for one in readings) / count
    if count < 2:
        return Average(value=back(mean), low=None, high=None)
    variance = sum((one.at - mean) ** 2 for one in readings) / (count - 1)
    error = math.sqrt(max(variance, readings[0].least) / count)
    spread = t_quantile((1 + LEVEL) / 2, count - 1) * error
    return Average(value=back(mean), low=back(mean - spread), high=back(mean + spread))
