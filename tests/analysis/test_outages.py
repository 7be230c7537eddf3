"""Outages: when they begin and end, why, and that they take no more memory the longer a run is."""

from samples import SECOND, make_interval
from wsload.analysis.outages import KEPT, Outages
from wsload.results import Failure, Interval

CLOSED = "unexpected_close"


def second(number: int, level: int, lost: int = 0, failed: int = 0, detail: str = "1006") -> Interval:
    failures = []
    if lost:
        failures.append(Failure(CLOSED, detail, lost, number * SECOND + 300_000_000, "it ended"))
        failures.append(Failure("unanswered", "connection ended", lost, number * SECOND + 300_000_001, "it ended"))
    if failed:
        failures.append(Failure("refused", "", failed, number * SECOND + 100_000_000, "nobody there"))
    counters = {"connections_lost": lost, "connects_failed": failed}
    gauges = {"open_connections": level}
    return make_interval(number, counters=counters, gauges=gauges, failures=tuple(failures))


def outages(*seconds: Interval) -> Outages:
    found = Outages()
    for one in seconds:
        found.add(one)
    return found


def test_a_quiet_run_has_none() -> None:
    assert outages(second(0, 10), second(1, 10)).found() == []


def test_one_lasts_from_the_first_that_drops_until_as_many_are_open_again() -> None:
    found = outages(second(0, 10), second(1, 4, lost=6, failed=2), second(2, 8, lost=1, failed=3), second(3, 10))
    (one,) = found.found()
    assert (one.start_ns, one.last_ns, one.back_ns) == (1_300_000_000, 3 * SECOND, 4 * SECOND)
    assert (one.level, one.least_open, one.lost, one.failed_attempts) == (10, 4, 7, 5)
    assert one.reasons == {(CLOSED, "1006"): 7}


def test_one_that_is_over_within_a_second_is_told_as_well() -> None:
    (one,) = outages(second(0, 10), second(1, 10, lost=2), second(2, 10)).found()
    assert (one.lost, one.least_open, one.back_ns) == (2, 10, 2 * SECOND)


def test_the_last_one_may_not_be_over() -> None:
    first, last = outages(second(0, 10), second(1, 10, lost=1), second(2, 3, lost=7), second(3, 9)).found()
    assert (first.back_ns, last.back_ns, last.lost) == (2 * SECOND, None, 7)


def test_the_smallest_of_very_many_are_counted_only() -> None:
    many = outages(second(0, 1000), *(second(1 + n, 1000, lost=1 + n) for n in range(KEPT + 3)))
    assert len(many.found()) == KEPT
    assert min(one.lost for one in many.found()) == 4
    assert (many.unkept, many.unkept_lost) == (3, 1 + 2 + 3)
