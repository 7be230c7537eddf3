import math

import pytest

from wsload.analysis.estimate import Estimate, estimate, family, runs_to_settle, verdict, worst_of
from wsload.analysis.metrics import Reading


def readings(*logs: float) -> list[Reading]:
    return [Reading(math.exp(one), one) for one in logs]


def test_two_sides_of_runs_have_welchs_interval() -> None:
    found = estimate(readings(1.0, 1.2, 1.1), readings(1.5, 1.9, 1.7), paired=False)
    assert found is not None
    # Variances 0.01 and 0.04, three each: se = sqrt(0.05 / 3), df = 0.05² / (0.01²/2 + 0.04²/2).
    assert found.difference == pytest.approx(0.6)
    assert found.below == pytest.approx(math.sqrt(0.05 / 3))
    assert found.df == pytest.approx(0.0025 / 0.00085)
    assert found.basis == "runs"


def test_rounds_share_their_drift() -> None:
    base, new = readings(1.0, 2.0, 3.0, 4.0), readings(1.1, 2.1, 3.1, 4.1)
    paired, apart = estimate(base, new, paired=True), estimate(base, new, paired=False)
    assert paired
    assert apart
    assert paired.basis == "rounds"
    assert paired.below < apart.below / 100


def test_a_single_run_is_taken_to_scatter_as_the_other_side_does() -> None:
    found = estimate(readings(1.0, 1.2, 1.1), readings(1.5), paired=False)
    assert found is not None
    assert found.below == pytest.approx(math.sqrt(0.01 * (1 / 3 + 1)))
    assert found.df == 2


def test_single_runs_have_the_error_of_their_time_blocks() -> None:
    base, new = Reading(1.0, 0.0, below=0.3, above=0.1, df=5), Reading(1.0, 0.5, below=0.2, above=0.4, df=7)
    found = estimate([base], [new], paired=False)
    assert found is not None
    assert found.below == pytest.approx(math.hypot(0.2, 0.1))
    assert found.above == pytest.approx(math.hypot(0.4, 0.3))
    assert (found.df, found.basis) == (5, "blocks")


def test_without_runs_or_blocks_there_is_no_error_to_tell() -> None:
    assert estimate(readings(1.0), readings(2.0), paired=False) is None


def test_equal_figures_are_not_believed_to_the_last_digit() -> None:
    side = [Reading(1.0, 0.0, least=1e-6) for _ in range(3)]
    found = estimate(side, side, paired=False)
    assert found is not None
    low, high = found.interval()
    assert low == pytest.approx(-high)
    assert 1e-3 < high < 2e-3


CASES = {
    "far above the tolerance": (0.20, 0.01, "regressed"),
    "above it, but not for certain": (0.06, 0.01, "inconclusive"),
    "within it for certain": (0.01, 0.01, "unchanged"),
    "perhaps within it": (0.03, 0.02, "inconclusive"),
    "far below": (-0.20, 0.01, "improved"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_verdict_is_where_the_interval_lies(name: str) -> None:
    difference, error, expected = CASES[name]
    found = Estimate(difference, error, error, 1e6, "runs", error)
    (chance,) = [2 * min(worst_of(found, 0.05, higher_is_worse=True))]
    (changed,) = family([chance])
    assert verdict(found, 0.05, changed=changed, higher_is_worse=True) == expected
    mirrored = {"regressed": "improved", "improved": "regressed"}.get(expected, expected)
    assert verdict(found, 0.05, changed=changed, higher_is_worse=False) == mirrored


def test_the_family_is_that_of_benjamini_and_hochberg() -> None:
    # The example of their paper of 1995, section 3: of these 15, four are rejected at 5 %.
    chances = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    chances += [0.7590, 1.0]
    assert family(chances) == [True] * 4 + [False] * 11
    assert family(list(reversed(chances))) == [False] * 11 + [True] * 4
    assert family([]) == []


def test_a_change_that_would_do_alone_may_not_do_among_many() -> None:
    assert family([0.03]) == [True]
    assert family([0.03, *[0.9] * 9]) == [False] * 10


def test_fewer_runs_settle_what_lies_further_from_the_tolerance() -> None:
    near = runs_to_settle(Estimate(0.06, 0.02, 0.02, 4, "runs", 0.02), 0.05)
    far = runs_to_settle(Estimate(0.09, 0.02, 0.02, 4, "runs", 0.02), 0.05)
    assert near
    assert far
    assert far < near
    # With n runs a side: (t(0.975) + t(0.8)) · 0.02 / sqrt(n) ≤ 0.04: 0.043 for n = 3, 0.034 for n = 4.
    assert far == 4
    assert runs_to_settle(Estimate(0.0501, 0.02, 0.02, 4, "runs", 0.02), 0.05) is None
