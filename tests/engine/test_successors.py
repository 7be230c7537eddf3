"""Which lost workers get a successor, and where it falls in."""

from typing import Any

import pytest

from engine.support import SECOND, make_plan
from samples import make_interval
from wsload.engine.successors import MOST, Successors
from wsload.results import Event

EPOCH_NS = 1_000 * SECOND
LAST = (60, EPOCH_NS + 50 * SECOND)
NOW_NS = EPOCH_NS + 50 * SECOND + 300_000_000


def test_a_successor_falls_in_at_a_boundary_and_does_what_is_left() -> None:
    plan = make_plan(duration_ns=100 * SECOND, rate_per_s=50.0)
    entry = Successors(plan, 2).entry(1, LAST, NOW_NS, EPOCH_NS)
    assert entry is not None
    # 1.5 s to start: the second boundary after the last one; two intervals more to connect.
    assert (entry.first_index, entry.at_ns) == (63, LAST[1] + 2 * SECOND)
    assert entry.epoch_ns == LAST[1] + 4 * SECOND
    assert (entry.plan.duration_ns, entry.plan.warmup_ns) == (46 * SECOND, 0)


def test_the_warm_up_is_over_for_it() -> None:
    plan = make_plan(duration_ns=100 * SECOND, warmup_ns=10 * SECOND, rate_per_s=50.0)
    entry = Successors(plan, 2).entry(1, LAST, NOW_NS, EPOCH_NS)
    assert entry is not None
    assert (entry.plan.duration_ns, entry.plan.warmup_ns) == (56 * SECOND, 0)


@pytest.mark.parametrize(
    "load",
    [
        {"duration_ns": None, "iterations": 1000},
        {"duration_ns": 100 * SECOND, "connections": 4, "rate_per_s": 5.0, "publishers": 1},
        {"duration_ns": 54 * SECOND},
        {"duration_ns": 100 * SECOND, "warmup_ns": 50 * SECOND},
    ],
    ids=["a number of messages", "fan-out", "near the end", "warming up"],
)
def test_some_have_none(load: dict[str, Any]) -> None:
    assert Successors(make_plan(**load), 2).entry(1, LAST, NOW_NS, EPOCH_NS) is None


def test_one_that_dies_again_and_again_is_lost_for_good() -> None:
    successors = Successors(make_plan(duration_ns=100_000 * SECOND), 2)
    entries = [successors.entry(0, LAST, NOW_NS + n * SECOND, EPOCH_NS) for n in range(MOST)]
    assert [entry is not None for entry in entries] == [True, True, False]
    # Not so the other one, nor the same after a while.
    assert successors.entry(1, LAST, NOW_NS, EPOCH_NS) is not None
    assert successors.entry(0, LAST, NOW_NS + 3600 * SECOND, EPOCH_NS) is not None


def test_attempts_are_numbered_on_and_those_of_others_are_not() -> None:
    successors = Successors(make_plan(duration_ns=100 * SECOND), 2)

    def attempts(index: int, *given: tuple[int, int]) -> list[int]:
        events = tuple(Event(5, c, a, 0, "sent", "text", None, 2, None, None, None, 0, 1, b"") for c, a in given)
        return [event.attempt for event in successors.place(make_interval(index, events=events)).events]

    assert attempts(59, (0, 1), (1, 3), (3, 4)) == [1, 3, 4]
    entry = successors.entry(1, LAST, NOW_NS, EPOCH_NS)
    assert entry is not None
    # What the lost one had handed up before comes as it is.
    assert attempts(entry.first_index - 1, (1, 4)) == [4]
    assert attempts(entry.first_index, (0, 2), (1, 1), (3, 2)) == [2, 5, 6]
