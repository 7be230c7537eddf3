"""Intervals joined: nothing that was counted is lost, and a summary of the joined is that of the whole."""

from dataclasses import replace

from samples import SECOND, encode, make_header, make_interval
from wsload.results import Failure, Fold, Interval
from wsload.results.join import doubts_of, join
from wsload.results.verdict import Reason

LAG = Reason(kind="send_lag", text="late", remedy="", evidence={})


def course() -> list[Interval]:
    """Ten seconds; four are suspect, and one has a failure of its own and a metric that the others lack."""
    found = [make_interval(number, suspicions=(LAG,) if number % 3 == 1 or number == 9 else ()) for number in range(10)]
    odd = Failure("reset", "", 2, 4 * SECOND + 7, "reset by peer")
    histograms = {**found[4].histograms, ("connect", ""): encode(5_000)}
    found[4] = replace(found[4], failures=(*found[4].failures, odd), histograms=histograms)
    return [
        replace(one, close_codes={1006: 1}, negotiated={("tls", "1.3"): 2}, gauges=one.gauges | {"stolen_ns": 5})
        for one in found
    ]


def test_one_stands_for_all_of_them() -> None:
    joined = join(course())
    assert (joined.index, joined.start_ns, joined.end_ns) == (9, 0, 10 * SECOND)
    assert joined.counters == {name: 10 * value for name, value in make_interval().counters.items()}
    assert joined.gauges["open_connections"] == 10
    assert (joined.gauges["rss_bytes"], joined.gauges["running_ns"], joined.gauges["stolen_ns"]) == (1_009, 10**10, 50)
    assert (joined.close_codes, joined.negotiated) == ({1006: 10}, {("tls", "1.3"): 20})
    assert joined.failures == (
        Failure("unanswered", "reply time-out", 10, 5, "example 0"),
        Failure("reset", "", 2, 4 * SECOND + 7, "reset by peer"),
    )
    assert joined.suspicions == (LAG,)
    doubts = doubts_of(joined)
    assert (doubts.intervals, doubts.suspect, doubts.kinds, doubts.first_ns) == (10, 4, {"send_lag": 4}, SECOND)
    assert set(joined.histograms) == {("response_time", "message"), ("connect", "")}


def summary(intervals: list[Interval]) -> dict[str, object]:
    fold = Fold(make_header())
    for one in intervals:
        fold.add(one)
    return fold.summary("completed").model_dump()


def test_in_whatever_pieces_the_summary_is_the_same() -> None:
    whole = course()
    pieces = [join(whole[:3]), whole[3], join([join(whole[4:6]), whole[6], join(whole[7:])])]
    assert summary(pieces) == summary(whole) == summary([join(whole)])


def test_an_interval_that_was_not_joined_counts_once() -> None:
    plain, suspect = doubts_of(make_interval(3)), doubts_of(make_interval(3, suspicions=(LAG,)))
    assert (plain.intervals, plain.suspect, plain.first_ns) == (1, 0, None)
    assert (suspect.intervals, suspect.suspect, suspect.first_ns) == (1, 1, 3 * SECOND)
