"""Slopes and their errors, by hand, against numpy, and where the truth is known."""

import math
from itertools import combinations
from statistics import median

import numpy as np
import pytest

from wsload.analysis.trend import MIN_POINTS, trend


def series(random: np.random.Generator, length: int, kept: float) -> np.ndarray:
    values = np.zeros(length + 200)
    for at in range(1, length + 200):
        values[at] = kept * values[at - 1] + random.normal()
    return values[200:] * math.sqrt(1 - kept**2)


def test_the_slope_is_the_median_of_those_of_all_pairs() -> None:
    times = np.array([0, 1, 2, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 18, 19, 20], float)
    values = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3], float)
    line = trend(times, values)
    assert line is not None
    pairs = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(zip(times, values, strict=True), 2)]
    assert line.slope == pytest.approx(median(pairs))
    assert line.start == pytest.approx(median(y - line.slope * x for x, y in zip(times, values, strict=True)))


def test_a_straight_line_has_no_error_but_its_grain() -> None:
    times = np.arange(40.0)
    line = trend(times, 5 + 2 * times)
    assert line is not None
    assert (line.slope, line.start) == (2.0, 5.0)
    assert line.error == pytest.approx(0, abs=1e-9)
    # The deviation of what is told to whole numbers is 1/sqrt(12), the sum of squares of 0..39 around their mean 5330.
    coarse = trend(times, 5 + 2 * times, grain=1.0)
    assert coarse is not None
    assert coarse.error == pytest.approx(math.sqrt(1 / 12 / 5330))


def test_what_does_not_move_does_not_drift() -> None:
    line = trend(np.arange(20.0), np.full(20, 7.0))
    assert line is not None
    assert (line.slope, line.error, line.chance) == (0.0, 0.0, 1.0)


def test_too_little_tells_nothing() -> None:
    few = np.arange(float(MIN_POINTS - 1))
    assert trend(few, few) is None
    times = np.arange(20.0)
    assert trend(times, times, np.arange(20)) is None, "every point is a group of its own"


def test_a_few_wild_windows_do_not_make_a_trend_but_a_sum_heeds_them() -> None:
    random = np.random.default_rng(4)
    times = np.arange(60.0)
    values = random.normal(size=60)
    values[55:59] += 1000
    resistant, squares = trend(times, values), trend(times, values, resistant=False)
    assert resistant is not None
    assert squares is not None
    assert abs(resistant.slope) < 0.05
    assert squares.slope == pytest.approx(float(np.polyfit(times, values, 1)[0]))
    assert squares.slope > 3


def test_levels_of_groups_are_no_trend() -> None:
    random = np.random.default_rng(5)
    times = np.arange(90.0)
    groups = np.arange(90) // 30
    # Each process leaks 2 per unit of time and begins at 10 again.
    values = 10 + 2 * (times % 30) + random.normal(size=90)
    line = trend(times, values, groups)
    assert line is not None
    low, high = line.interval(0.95)
    assert low < 2 < high
    assert high - low < 0.4
    assert line.chance < 1e-4
    apart = trend(times, values)
    assert apart is not None
    assert apart.chance > 0.05, "taken for one series, it goes up and down"


def test_a_daily_cycle_is_no_trend_where_the_same_hours_are_compared() -> None:
    random = np.random.default_rng(6)
    times = np.arange(120) / 120 * 72
    hours = (times % 24).astype(int)
    values = 10 * np.sin(2 * np.pi * times / 24) + 0.1 * random.normal(size=120)
    line = trend(times, values, hours, apart=12)
    assert line is not None
    assert line.chance > 0.05
    rising = trend(times, values + times / 24, hours, apart=12)
    assert rising is not None
    assert rising.slope == pytest.approx(1 / 24, rel=0.1)
    assert rising.chance < 0.001


@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_intervals_hold_the_truth_and_alarms_are_rare(kept: float) -> None:
    random = np.random.default_rng(7)
    times = np.arange(80.0)
    held = alarms = 0
    for _ in range(300):
        noise = series(random, 80, kept)
        steady, rising = trend(times, noise), trend(times, noise + 0.03 * times)
        assert steady is not None
        assert rising is not None
        alarms += steady.chance < 0.05
        low, high = rising.interval(0.95)
        held += low <= 0.03 <= high
    # 5 % and 95 % of 300, and three standard errors of that.
    assert alarms <= 15 + 12
    assert held >= 285 - 12
