import math

import pytest

from wsload.analysis.student import cdf, quantile

# Percentage points of Student's t, from the tables of Abramowitz and Stegun (26.10).
TABLE = [
    (0.975, 1, 12.706),
    (0.975, 2, 4.303),
    (0.975, 5, 2.571),
    (0.975, 10, 2.228),
    (0.975, 30, 2.042),
    (0.995, 3, 5.841),
    (0.9, 7, 1.415),
    (0.95, 120, 1.658),
]


@pytest.mark.parametrize(("probability", "df", "value"), TABLE)
def test_quantiles_are_those_of_the_tables(probability: float, df: int, value: float) -> None:
    assert quantile(probability, df) == pytest.approx(value, abs=6e-4)
    assert quantile(1 - probability, df) == pytest.approx(-value, abs=6e-4)


@pytest.mark.parametrize("df", [1, 2.5, 8, 1e6])
@pytest.mark.parametrize("t", [-40.0, -1.5, 0.0, 0.3, 7.0])
def test_the_distribution_is_the_inverse_of_its_quantiles(t: float, df: float) -> None:
    probability = cdf(t, df)
    assert 0 <= probability <= 1
    if 1e-6 < probability < 1 - 1e-6:
        assert quantile(probability, df) == pytest.approx(t, abs=1e-6)


def test_with_one_degree_of_freedom_it_is_cauchys() -> None:
    for t in (-3.0, 0.5, 10.0):
        assert cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi)


def test_the_ends_are_reached() -> None:
    assert (cdf(-math.inf, 3), cdf(math.inf, 3)) == (0.0, 1.0)
