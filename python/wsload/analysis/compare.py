"""Two sides of runs, compared: metric by metric, with one verdict over all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from wsload import __version__
from wsload.analysis.alike import differences
from wsload.analysis.estimate import (
    Estimate,
    Outcome,
    estimate,
    family,
    runs_to_settle,
    verdict,
    worst_of,
)
from wsload.analysis.metrics import LEVEL, MIN_BLOCKS, NAMES, Metric, Reading, Scale, Silence, metrics, percentile
from wsload.analysis.model import Comparison, CurvePoint, Row, RunInfo, Side, Skipped
from wsload.analysis.series import Series
from wsload.analysis.student import quantile as t_quantile
from wsload.results import labels

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999)
DEFAULT_TOLERANCE = 0.05
MAX_LOG = 700.0
FAILURES_TOLERANCE = 0.001
"""A tenth of a percentage point: shares are compared by their difference."""


SILENCES: dict[Silence, str] = {
    "short": f"with one run a side, there have to be {MIN_BLOCKS} s of it at least",
    "moments": "with one run a side, nothing can be said: a few moments make the figure",
}


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What counts as no change: a share of the base's value, of failures a share of all messages."""

    general: float = DEFAULT_TOLERANCE
    special: dict[str, float] = field(default_factory=dict)
    """By metric (`response.p99`) or group (`response`); the longest name that fits holds."""

    def of(self, metric: Metric) -> float:
        """The tolerance of a metric."""
        for name in (metric.name, metric.name.partition(".")[0]):
            if name in self.special:
                return self.special[name]
        return FAILURES_TOLERANCE if metric.scale == "difference" else self.general


@dataclass(frozen=True, slots=True)
class _Case:
    """A metric with what its runs read and the estimate that comes of it."""

    metric: Metric
    base: list[Reading]
    new: list[Reading]
    found: Estimate
    tolerance: float
    """On the metric's scale."""
    chance: float


def compare(
    base: Sequence[Series],
    new: Sequence[Series],
    *,
    named: tuple[str, str],
    tolerances: Tolerances | None = None,
    names: set[str] | None = None,
) -> Comparison:
    """Compares the runs of two sides, one of each at least, whatever they have in common.

    `named` is what the sides are called, `names` the metrics to compare (all, if None).
    """
    base, new, paired = _in_rounds(base, new)
    wanted = metrics(set(NAMES) if names is None else names, _messages([*base, *new]))
    rows, skipped = compare_metrics(wanted, base, new, tolerances or Tolerances(), paired=paired)
    return Comparison(
        wsload_version=__version__,
        verdict=_overall([row.verdict for row in rows]),
        level=LEVEL,
        compared=len(rows),
        paired=paired,
        base=_side(named[0], base),
        new=_side(named[1], new),
        rows=rows,
        skipped=skipped,
        curve=_curve(base, new, paired=paired),
        differences=differences([*base, *new]),
        warnings=_warnings(base, new, paired=paired),
    )


def compare_metrics(
    wanted: Sequence[Metric], base: Sequence[Series], new: Sequence[Series], tolerances: Tolerances, *, paired: bool
) -> tuple[list[Row], list[Skipped]]:
    """Each metric's row, with verdicts that hold for all together, and those of which nothing can be said.

    `paired`: the runs at one place of either side are of one round.
    """
    cases, skipped = [], []
    for metric in wanted:
        case = _case(metric, base, new, tolerances, paired=paired)
        if isinstance(case, str):
            if case:
                skipped.append(Skipped(metric=metric.full_name, why=case))
        else:
            cases.append(case)
    changed = family([case.chance for case in cases])
    return [_row(case, is_changed) for case, is_changed in zip(cases, changed, strict=True)], skipped


def _in_rounds(base: Sequence[Series], new: Sequence[Series]) -> tuple[list[Series], list[Series], bool]:
    """The sides in the order of their rounds, and whether each round has one run of both."""
    rounds = [{run.header.labels.get(labels.ROUND, ""): run for run in side} for side in (base, new)]
    made_together = {run.header.labels.get(labels.COMPARISON) for run in (*base, *new)}
    if (
        len(made_together) != 1
        or None in made_together
        or rounds[0].keys() != rounds[1].keys()
        or not len(rounds[0]) == len(base) == len(new) > 1
    ):
        return list(base), list(new), False
    order = sorted(rounds[0], key=lambda one: (len(one), one))
    return [rounds[0][one] for one in order], [rounds[1][one] for one in order], True


def _messages(runs: Sequence[Series]) -> list[str]:
    """Names of the messages that all runs have."""
    found = [{message for latency, message in run.latencies if latency == "response" and message} for run in runs]
    return sorted(set.intersection(*found))


def _case(
    metric: Metric, base: Sequence[Series], new: Sequence[Series], tolerances: Tolerances, *, paired: bool
) -> _Case | str:
    """The case, or why there is none; empty where no run has anything of the kind."""
    read = [[metric.read(run) for run in side] for side in (base, new)]
    present = [[one for one in side if one is not None] for side in read]
    if not any(present):
        return "" if metric.name.partition(".")[0] != "response" or metric.message else "too few messages"
    if any(len(some) < len(side) for some, side in zip(present, read, strict=True)):
        return "not watched in some of the runs" if metric.name == "memory" else "too few messages in some of the runs"
    found = estimate(present[0], present[1], paired=paired)
    if found is None:
        return next(SILENCES[one.silent] for side in present for one in side if one.silent)
    tolerance = tolerances.of(metric)
    on_scale = math.log1p(tolerance) if metric.scale == "ratio" else tolerance
    chance = min(2 * min(worst_of(found, on_scale, higher_is_worse=metric.worse == "higher")), 1.0)
    return _Case(metric, present[0], present[1], found, on_scale, chance)


def _row(case: _Case, is_changed: bool) -> Row:
    metric, found = case.metric, case.found
    higher = metric.worse == "higher"
    outcome = verdict(found, case.tolerance, changed=is_changed, higher_is_worse=higher)
    low, high = (_back(end, metric.scale) for end in found.interval())
    return Row(
        metric=metric.name,
        message=metric.message,
        unit=metric.unit,
        worse=metric.worse,
        scale=metric.scale,
        base=_average(case.base, metric),
        new=_average(case.new, metric),
        base_runs=[one.value for one in case.base],
        new_runs=[one.value for one in case.new],
        change=_back(found.difference, metric.scale),
        low=low,
        high=high,
        tolerance=math.expm1(case.tolerance) if metric.scale == "ratio" else case.tolerance,
        verdict=outcome,
        alone=not is_changed and case.chance <= 1 - LEVEL,
        chance=case.chance,
        basis=found.basis,
        runs_to_settle=runs_to_settle(found, case.tolerance) if outcome == "inconclusive" else None,
        at_least=any(one.at_least for one in (*case.base, *case.new)),
    )


def _back(value: float, scale: Scale) -> float:
    """From the scale of a metric to what is printed."""
    # With two runs a side an interval may span hundreds of orders of magnitude: JSON has no infinity.
    return math.exp(min(max(value, -MAX_LOG), MAX_LOG)) if scale == "ratio" else value


def _average(readings: Sequence[Reading], metric: Metric) -> float:
    return _back(sum(one.at for one in readings) / len(readings), metric.scale)


def _overall(verdicts: list[Outcome]) -> Outcome:
    """The one that a release hangs on: a regression anywhere, then a doubt anywhere."""
    order: tuple[Outcome, ...] = ("regressed", "inconclusive", "improved", "unchanged")
    return next((one for one in order if one in verdicts), "inconclusive")


def _side(named: str, runs: Sequence[Series]) -> Side:
    infos = [
        RunInfo(
            file=str(run.path),
            started_at=run.header.started_at.isoformat(),
            target=run.header.target,
            labels=run.header.labels,
        )
        for run in runs
    ]
    return Side(named=named, runs=infos)


def _curve(base: Sequence[Series], new: Sequence[Series], *, paired: bool) -> list[CurvePoint]:
    points = []
    for p in QUANTILES:
        sides = [[_response(run, p) for run in side] for side in (base, new)]
        present = [[one for one in side if one is not None] for side in sides]
        if any(len(some) < len(side) for some, side in zip(present, sides, strict=True)):
            continue
        found = estimate(present[0], present[1], paired=paired)
        (base_at, base_low, base_high), (new_at, new_low, new_high) = (_band(side) for side in present)
        low, high = (_back(end, "ratio") for end in found.interval()) if found else (None, None)
        points.append(
            CurvePoint(
                quantile=p,
                base=base_at,
                base_low=base_low,
                base_high=base_high,
                new=new_at,
                new_low=new_low,
                new_high=new_high,
                ratio=new_at / base_at,
                ratio_low=low,
                ratio_high=high,
            )
        )
    return points


def _response(run: Series, p: float) -> Reading | None:
    distribution = run.latencies.get(("response", ""))
    return None if distribution is None else percentile(distribution, p)


def _band(side: Sequence[Reading]) -> tuple[float, float | None, float | None]:
    """The average of a side and its interval: over its runs, or over the time blocks of a single one."""
    at = sum(one.at for one in side) / len(side)
    if len(side) == 1:
        one = side[0]
        if one.below is None or one.above is None:
            return math.exp(at), None, None
        t = t_quantile((1 + LEVEL) / 2, one.df)
        return math.exp(at), _back(at - t * one.below, "ratio"), _back(at + t * one.above, "ratio")
    variance = sum((one.at - at) ** 2 for one in side) / (len(side) - 1)
    spread = t_quantile((1 + LEVEL) / 2, len(side) - 1) * math.sqrt(variance / len(side))
    return math.exp(at), _back(at - spread, "ratio"), _back(at + spread, "ratio")


def _warnings(base: Sequence[Series], new: Sequence[Series], *, paired: bool) -> list[str]:
    found = []
    if len(base) == len(new) == 1:
        found.append(
            "one run a side: the intervals know how a run scatters over time, and nothing of how one run differs"
            " from the next (memory layout, placement on cores, neighbours). Make several runs a side."
        )
    elif 1 in {len(base), len(new)}:
        side = "base" if len(base) == 1 else "new side"
        found.append(f"one run on the {side}: it is taken to scatter from run to run as the other side does.")
    elif min(len(base), len(new)) < 4:
        found.append("fewer than 4 runs a side: the intervals are wide because so few runs say little.")
    if not paired and len(base) + len(new) > 2:
        starts = [[run.header.started_at for run in side] for side in (base, new)]
        if max(starts[0]) < min(starts[1]) or max(starts[1]) < min(starts[0]):
            found.append(
                "all runs of one side were made before those of the other: what else changed in between looks like"
                " the release. `wsload compare --run` alternates."
            )
    return found
