"""The verdict: each reason for itself, and what is no reason."""

from dataclasses import replace
from typing import Any

import pytest

from samples import encode
from wsload import _core
from wsload.results.verdict import Facts, judge

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
    return [reason.kind for reason in judge(facts(**changes)).reasons]


def test_a_clean_run_is_trusted() -> None:
    verdict = judge(facts())
    assert verdict.trusted
    assert verdict.reasons == []


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
    verdict = judge(facts(**changes))
    assert not verdict.trusted
    (reason,) = verdict.reasons
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
