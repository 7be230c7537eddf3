"""The verdict: each reason for itself, and what is no reason."""

from dataclasses import replace
from typing import Any

import pytest

from samples import SECOND, encode, make_header, make_interval
from wsload import _core
from wsload.results import Fold, Interval
from wsload.results.verdict import Facts, judge, judge_interval

MS = 1_000_000


def histogram(*values_ns: int) -> _core.Histogram:
    made = _core.Histogram()
    if values_ns:
        made.add(encode(*values_ns))
    return made


def facts(**changes: Any) -> Facts:
    """A clean open run of 100 messages."""
    empty = _core.Histogram()
    clean = Facts(
        is_open=True,
        due=100,
        sent=100,
        received=100,
        unsent_while_open=0,
        back_pressure=0,
        stamps_missing=0,
        stolen_ns=0,
        cpu_capacity_ns=10**10,
        local_limits=0,
        workers_lost=0,
        response_time=histogram(*[2 * MS] * 100),
        response_uncertain=empty,
        response_earliest=empty,
        send_lag=histogram(*[50_000] * 100),
        receive_lag=histogram(*[50_000] * 100),
    )
    return replace(clean, **changes)


def kinds(**changes: Any) -> list[str]:
    return [reason.kind for reason in judge(facts(**changes))]


def test_a_clean_run_is_trusted() -> None:
    assert judge(facts()) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"unsent_while_open": 5}, "rate"),
        ({"send_lag": histogram(*[50_000] * 90, *[1_500_000] * 10)}, "send_lag"),
        ({"stamps_missing": 5, "receive_lag": histogram(*[3 * MS] * 100)}, "receive_lag"),
        ({"stolen_ns": 500 * MS}, "stolen"),
        ({"local_limits": 1}, "local_limit"),
        ({"workers_lost": 1}, "worker_lost"),
    ],
)
def test_each_reason_is_found_by_itself_and_says_what_to_do(changes: dict[str, Any], kind: str) -> None:
    (reason,) = judge(facts(**changes))
    assert (reason.kind, bool(reason.text), bool(reason.remedy), bool(reason.evidence)) == (kind, True, True, True)


def test_shared_stamps_matter_only_when_they_can_move_a_printed_figure() -> None:
    response = histogram(*[2 * MS] * 100)
    # Half of the replies may have come 1 ms earlier than their stamp: p50 lies between 1 and 2 ms.
    half = {"response_uncertain": histogram(*[2 * MS] * 60), "response_earliest": histogram(*[MS] * 60)}
    assert kinds(response_time=response, **half) == ["stamp_uncertainty"]
    few = {"response_uncertain": histogram(*[2 * MS] * 40), "response_earliest": histogram(*[MS] * 40)}
    assert kinds(response_time=response, **few) == []
    slightly = {"response_uncertain": histogram(*[2 * MS] * 60), "response_earliest": histogram(*[1_950_000] * 60)}
    assert kinds(response_time=response, **slightly) == []


def test_what_a_server_does_is_no_reason() -> None:
    # It does not read: messages wait for it, late and unsent.
    assert kinds(unsent_while_open=50, back_pressure=9) == []
    # It is slow, and a lag of ours hides in its second.
    slow = {"response_time": histogram(*[1_000 * MS] * 100), "send_lag": histogram(*[20 * MS] * 100)}
    assert kinds(**slow) == []
    # Lags that no printed figure shows.
    assert kinds(response_time=histogram(*[60_000] * 100)) == []


def test_a_closed_loop_has_no_schedule_to_be_late_for() -> None:
    assert kinds(is_open=False, send_lag=histogram(*[9 * MS] * 100)) == []


def late_interval(index: int = 0, **fields: Any) -> Interval:
    """One second of an open run in which the generator was held up."""
    histograms = {
        ("response_time", "message"): encode(*[9 * MS] * 100),
        ("send_lag", "message"): encode(*[8 * MS] * 100),
    }
    return make_interval(index, histograms=histograms, failures=(), **fields)


def test_an_interval_is_judged_by_itself() -> None:
    header = make_header(rate_per_s=100)
    (reason,) = judge_interval(late_interval(), header.plan, header.host.cpus)
    assert reason.kind == "send_lag"
    assert judge_interval(make_interval(), header.plan, header.host.cpus) == ()
    # What is not measured is not judged.
    assert judge_interval(late_interval(warmup=True), header.plan, 2) == ()
    assert judge_interval(late_interval(start_ns=-1), header.plan, 2) == ()
    # A message due at the very end may go out in the next interval.
    one_late = make_interval(counters={"due": 100, "sent": 90}, failures=())
    assert judge_interval(one_late, header.plan, 2) == ()


def test_a_stolen_second_makes_that_interval_suspect() -> None:
    header = make_header(rate_per_s=100)
    stolen = make_interval(gauges={"stolen_ns": 300 * MS, "running_ns": SECOND})
    assert [reason.kind for reason in judge_interval(stolen, header.plan, 2)] == ["stolen"]


def test_a_trusted_run_says_which_of_its_intervals_are_suspect() -> None:
    header = make_header(rate_per_s=100)
    fold = Fold(header)
    prompt = {("response_time", "message"): encode(*[2 * MS] * 100), ("send_lag", "message"): encode(*[MS // 10] * 100)}
    for index in range(200):
        healthy = make_interval(index, failures=(), histograms=prompt)
        interval = late_interval(index) if index == 150 else healthy
        fold.add(replace(interval, suspicions=judge_interval(interval, header.plan, 2)))
    verdict = fold.verdict()
    assert (verdict.trusted, verdict.intervals, verdict.suspect_intervals) == (True, 200, 1)
    assert (verdict.suspect_kinds, verdict.first_suspect_ns) == ({"send_lag": 1}, 150 * SECOND)
