"""Student's t distribution: the few runs of a comparison are too few for the normal one."""

import math
from functools import lru_cache

MAX_TERMS = 500
TOLERANCE = 1e-14


def cdf(t: float, df: float) -> float:
    """The probability of a value up to `t` with `df` > 0 degrees of freedom (Abramowitz and Stegun 26.7.1)."""
    if math.isinf(t):
        return 0.0 if t < 0 else 1.0
    tail = 0.5 * _incomplete_beta(df / 2, 0.5, df / (df + t * t))
    return 1 - tail if t > 0 else tail


@lru_cache(maxsize=4096)
def quantile(probability: float, df: float) -> float:
    """The value up to which `probability` (0 to 1, exclusive) lies."""
    if probability < 0.5:
        return -quantile(1 - probability, df)
    low, high = 0.0, 1.0
    while cdf(high, df) < probability:
        low, high = high, high * 2
    for _ in range(100):
        middle = (low + high) / 2
        if cdf(middle, df) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) where that converges fast."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction's denominator, by Lentz's method."""
    value, c, d = 1.0, 1.0, 0.0
    for term in range(1, MAX_TERMS):
        m = term // 2
        if term % 2:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away_from_zero(1 + numerator * d)
        c = _away_from_zero(1 + numerator / c)
        value *= c * d
        if abs(c * d - 1) < TOLERANCE:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300
