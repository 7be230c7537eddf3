"""From readings of two sides to a difference with its error, and from that to a verdict.

With several runs a side the runs themselves tell how far a figure scatters, time blocks and all: the unit that is
independent is the run, and Student's t pays for their small number. With one run a side only its time blocks are
there. `docs/statistics.md` has the simulations behind each choice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wsload.analysis.metrics import LEVEL, Reading
from wsload.analysis.student import cdf, quantile

POWER = 0.8
CERTAIN_DF = 1e6
"""Of an error that is not estimated but known to be no less."""
MAX_RUNS = 100
Basis = Literal["rounds", "runs", "blocks"]
Outcome = Literal["regressed", "improved", "unchanged", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """New minus base on the metric's scale, standard errors towards either side, and where they are from."""

    difference: float
    below: float
    above: float
    df: float
    basis: Basis
    per_run: float
    """Standard deviation that one more pair of runs would have."""

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The confidence interval of the difference."""
        t = quantile((1 + level) / 2, self.df)
        return self.difference - t * self.below, self.difference + t * self.above

    def chance_above(self, bound: float) -> float:
        """How likely a difference at least as high is when the true one is `bound`."""
        return 1 - _cdf(self.difference - bound, self.below, self.df)

    def chance_below(self, bound: float) -> float:
        """How likely a difference at least as low is when the true one is `bound`."""
        return _cdf(self.difference - bound, self.above, self.df)


def estimate(base: Sequence[Reading], new: Sequence[Reading], *, paired: bool) -> Estimate | None:
    """The difference of two sides; None when there is nothing to tell its error from.

    `paired`: the readings at one place are of one round, whose drift they share.
    """
    difference = _mean(new) - _mean(base)
    least = _mean_least(base) / len(base) + _mean_least(new) / len(new)
    if paired and len(base) > 1:
        differences = np.array([n.at - b.at for b, n in zip(base, new, strict=True)])
        variance = float(differences.var(ddof=1))
        return _estimate(difference, variance / len(base), least, len(base) - 1, "rounds", variance)
    if len(base) == 1 and len(new) == 1:
        return _from_blocks(base[0], new[0], difference, least)
    return _from_runs(base, new, difference, least)


def _from_runs(base: Sequence[Reading], new: Sequence[Reading], difference: float, least: float) -> Estimate:
    """Welch's interval; a side of one run is taken to scatter as the other does."""
    variances = [float(np.var([one.at for one in side], ddof=1)) if len(side) > 1 else None for side in (base, new)]
    parts = []
    for mine, other, side in zip(variances, reversed(variances), (base, new), strict=True):
        variance = mine if mine is not None else other or 0.0
        parts.append((variance / len(side), len(side) - 1))
    total = sum(part for part, _ in parts)
    if None in variances or total == 0:
        df = float(max(len(base), len(new)) - 1)
    else:
        # Welch and Satterthwaite.
        df = total**2 / sum(part**2 / freedom for part, freedom in parts if part)
    known = [variance for variance in variances if variance is not None]
    return _estimate(difference, total, least, df, "runs", 2 * sum(known) / len(known))


def _estimate(difference: float, variance: float, least: float, df: float, basis: Basis, per_run: float) -> Estimate:
    error, known = math.sqrt(max(variance, least)), variance < least
    return Estimate(
        difference, error, error, CERTAIN_DF if known else df, basis, max(math.sqrt(per_run), math.sqrt(least))
    )


def _from_blocks(base: Reading, new: Reading, difference: float, least: float) -> Estimate | None:
    """Towards either side what the two readings can be off in opposite directions (Zou and Donner, 2008)."""
    if base.below is None or base.above is None or new.below is None or new.above is None:
        return None
    down, up = new.below**2 + base.above**2, new.above**2 + base.below**2
    df = CERTAIN_DF if max(down, up) < least else min(base.df, new.df)
    below, above = math.sqrt(max(down, least)), math.sqrt(max(up, least))
    return Estimate(difference, below, above, df, "blocks", max(below, above))


def worst_of(found: Estimate, tolerance: float, *, higher_is_worse: bool) -> tuple[float, float]:
    """Two probabilities if nothing had changed by more than the tolerance: of so much worse, of so much better."""
    up, down = found.chance_above(tolerance), found.chance_below(-tolerance)
    return (up, down) if higher_is_worse else (down, up)


def family(chances: Sequence[float], alpha: float = 1 - LEVEL) -> list[bool]:
    """Which of several two-sided probabilities count as a change (Benjamini and Hochberg, 1995).

    When nothing has changed, any is taken for a change with probability `alpha` at most, all of them together; of the
    changes that are told, that share at most is none.
    """
    order = sorted(range(len(chances)), key=lambda at: chances[at])
    passed = [place for place, at in enumerate(order, 1) if chances[at] <= alpha * place / len(chances)]
    kept = set(order[: max(passed, default=0)])
    return [at in kept for at in range(len(chances))]


def verdict(found: Estimate, tolerance: float, *, changed: bool, higher_is_worse: bool) -> Outcome:
    """Worse or better by more than the tolerance for certain, within it for certain, or none of the three."""
    if changed:
        worse = (found.difference > 0) == higher_is_worse
        return "regressed" if worse else "improved"
    low, high = found.interval()
    return "unchanged" if -tolerance <= low and high <= tolerance else "inconclusive"


def runs_to_settle(found: Estimate, tolerance: float) -> int | None:
    """Runs a side with which such a difference would be told, 4 times in 5; None when hundreds would not do."""
    distance = abs(abs(found.difference) - tolerance)
    for runs in range(2, MAX_RUNS + 1):
        df = runs - 1 if found.basis == "rounds" else 2 * (runs - 1)
        needed = quantile((1 + LEVEL) / 2, df) + quantile(POWER, df)
        if needed * found.per_run / math.sqrt(runs) <= distance:
            return runs
    return None


def _mean(side: Sequence[Reading]) -> float:
    return sum(one.at for one in side) / len(side)


def _mean_least(side: Sequence[Reading]) -> float:
    return sum(one.least for one in side) / len(side)


def _cdf(distance: float, error: float, df: float) -> float:
    return cdf(distance / error, df) if error else float(distance > 0)
