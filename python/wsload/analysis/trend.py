"""Does a series go up or down? The slope of Theil (1950) and Sen (JASA 63, 1968), and an error that knows of memory.

The slope is the median of those of all pairs of points, so a few wild ones do not make it. Neighbours in time are
alike: the error is taken from the slowest waves that the residuals still hold when the trend is out of them
(equal-weighted cosine estimator; Lazarus, Lewis, Stock and Watson, 2018), the cosines being orthogonal to the trend.
Blocks drawn again, the textbook's way, find too little of that error: docs/statistics.md has both on the same
series.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsload.analysis.student import cdf, quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
WAVES = 4
"""Degrees of freedom of the error. Fewer hold more of a long memory, and cost power."""
MIN_WAVES = 3
MIN_POINTS = 16
_LEFT = 0.25
"""Of a wave's power, or it is not used: the rest of it is trend or groups."""
_CLIP = 3.5 * 1.4826
"""Median absolute deviations (3.5 sigma, were it normal) at which residuals are cut: the slope heeds no more either."""
_SEN = 1.05
"""Variance of this slope over that of least squares where these are best."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A slope, its standard error and its degrees of freedom, per unit of time; `start` is the line where it begins."""

    slope: float
    error: float
    df: float
    start: float

    def interval(self, level: float) -> tuple[float, float]:
        """The confidence interval of the slope."""
        reach = quantile((1 + level) / 2, self.df) * self.error
        return self.slope - reach, self.slope + reach

    @property
    def chance(self) -> float:
        """How likely a slope at least as steep is where there is none (two-sided)."""
        if not self.error:
            return 1.0 if not self.slope else 0.0
        return 2 * (1 - cdf(abs(self.slope) / self.error, self.df))


def trend(
    times: Floats, values: Floats, groups: Ints | None = None, *, apart: float = 0.0, resistant: bool = True,
    grain: float = 0.0,
) -> Trend | None:  # fmt: skip
    """The trend of values over ascending times; None where there is too little to tell it from.

    `groups`: points of different ones are never compared, each has its own level. `apart`: nor are points that are
    closer in time. `resistant` false: least squares, for sums of rare events, most of whose points are alike. `grain`:
    how finely values are told; no error is believed to be less than that.
    """
    if len(values) < MIN_POINTS:
        return None
    members = np.unique(np.zeros(len(values), np.int64) if groups is None else groups, return_inverse=True)[1]
    steepness = _without_levels(times, members)
    power = float(steepness @ steepness)
    if power <= 1e-9 * float(((times - times.mean()) ** 2).sum()):
        return None
    slope = _sen(times, values, members, apart) if resistant else float(steepness @ values) / power
    if slope is None:
        return None
    residuals = _residuals(values - slope * times, members, resistant=resistant)
    start = float(np.median(values - slope * (times - times[0])))
    waves = _waves(len(values), members, steepness / math.sqrt(power))
    if len(waves) < MIN_WAVES:
        return None
    variance = max(float(np.mean((waves @ residuals) ** 2)) * (_SEN if resistant else 1.0), grain**2 / 12)
    return Trend(slope, math.sqrt(variance / power), float(len(waves)), start)


def _sen(times: Floats, values: Floats, members: Ints, apart: float) -> float | None:
    first, second = np.triu_indices(len(values), 1)
    distance = times[second] - times[first]
    used = (members[first] == members[second]) & (distance > apart)
    if not used.any():
        return None
    return float(np.median((values[second] - values[first])[used] / distance[used]))


def _without_levels(values: Floats, members: Ints) -> Floats:
    """Without each group's mean."""
    return values - (np.bincount(members, values) / np.bincount(members))[members]


def _residuals(values: Floats, members: Ints, *, resistant: bool) -> Floats:
    if not resistant:
        return _without_levels(values, members)
    groups = int(members.max()) + 1
    levels = np.array([np.median(values[members == group]) for group in range(groups)])
    residuals = values - levels[members]
    # Every level that is estimated has taken a point's deviation along.
    shown = math.sqrt((len(values) - groups) / len(values))
    reach = _CLIP * float(np.median(np.abs(residuals))) / max(shown**2, 0.1)
    return _without_levels(np.clip(residuals, -reach, reach) if reach else residuals, members)


def _waves(length: int, members: Ints, steepness: Floats) -> Floats:
    """The slowest cosines without trend and levels, of length 1 and orthogonal to each other, one in a row."""
    found: list[Floats] = []
    place = (np.arange(length) + 0.5) / length
    for number in range(1, min(8 * WAVES, length)):
        wave = np.cos(math.pi * number * place) * math.sqrt(2 / length)
        wave = _without_levels(wave, members)
        for other in (steepness, *found):
            wave = wave - other * float(other @ wave)
        left = float(wave @ wave)
        if left >= _LEFT:
            found.append(wave / math.sqrt(left))
            if len(found) == WAVES:
                break
    return np.array(found).reshape(-1, length)
