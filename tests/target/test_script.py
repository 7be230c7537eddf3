"""The script of the server with faults: its truth, worked out another way."""

import math
from statistics import NormalDist, fmean, median

import pytest

from wsload.errors import UsageError
from wsload.target import Script, describe, explain, parse_delay, parse_share, parse_stall

MS = 1_000_000
SECOND = 1_000 * MS


def test_a_stall_by_hand() -> None:
    # 10 messages a second for 4 s; the server stands still from 1.8 to 2 s and from 3.8 to 4 s.
    truth = explain(Script(stall_ns=200 * MS, period_ns=2 * SECOND), 10.0, 4 * SECOND, 1)
    # Those of 1.8, 1.9, 3.8 and 3.9 s wait 200, 100, 200 and 100 ms: 36 of 40 do not.
    assert truth == {
        "messages": 40,
        "answered": 40,
        "unanswered_share": 0.0,
        "response_time_ns": {"p50": 0, "p90": 0, "p99": 200 * MS, "p99.9": 200 * MS, "max": 200 * MS},
    }


def test_replies_in_order_wait_for_the_one_before() -> None:
    script = Script(delay=("uniform", 0.0, 50.0 * MS), seed=5)
    delays = [script.delay_ns(0, number) for number in range(200)]
    last, expected = 0, []
    for number, delay_ns in enumerate(delays):
        due_ns = number * 10 * MS
        last = max(last, due_ns + delay_ns)
        expected.append(last - due_ns)
    truth = explain(script, 100.0, 2 * SECOND, 1)
    assert truth["response_time_ns"]["max"] == max(expected)
    assert truth["response_time_ns"]["p50"] == sorted(expected)[99]
    overtaking = explain(Script(delay=("uniform", 0.0, 50.0 * MS), seed=5, in_order=False), 100.0, 2 * SECOND, 1)
    assert overtaking["response_time_ns"]["p50"] == sorted(delays)[99]


def test_dropped_replies_hold_nobody_up() -> None:
    script = Script(delay=("exp", 20.0 * MS, 0.0), drop_share=0.1, seed=2)
    truth = explain(script, 100.0, 20 * SECOND, 4)
    dropped = sum(script.drops(index % 4, index // 4) for index in range(2_000))
    assert truth["answered"] == 2_000 - dropped
    assert truth["unanswered_share"] == pytest.approx(dropped / 2_000)
    assert 150 <= dropped <= 250


@pytest.mark.parametrize(
    ("law", "mean_ms", "median_ms"),
    [
        (("fixed", 5.0 * MS, 0.0), 5.0, 5.0),
        (("uniform", 1.0 * MS, 5.0 * MS), 3.0, 3.0),
        (("exp", 2.0 * MS, 0.0), 2.0, 2.0 * math.log(2)),
        (("lognormal", 5.0 * MS, 0.5), 5.0 * math.exp(0.125), 5.0),
    ],
)
def test_laws_have_their_mean_and_median(law: tuple[str, float, float], mean_ms: float, median_ms: float) -> None:
    script = Script(delay=law)
    drawn = [script.delay_ns(number % 7, number) / MS for number in range(20_000)]
    assert fmean(drawn) == pytest.approx(mean_ms, rel=0.04)
    assert median(drawn) == pytest.approx(median_ms, rel=0.04)
    assert script.delay_ns(3, 9) == Script(delay=law).delay_ns(3, 9)
    assert NormalDist().inv_cdf(0.5) == 0.0


def test_a_share_of_the_replies_is_delayed() -> None:
    script = Script(delay=("fixed", 10.0 * MS, 0.0), delay_share=0.1)
    delayed = sum(script.delay_ns(0, number) > 0 for number in range(10_000))
    assert 900 <= delayed <= 1_100


def test_what_is_written_is_read() -> None:
    assert parse_stall("200ms/2s") == (200 * MS, 2 * SECOND)
    assert parse_delay("10ms") == ("fixed", 10.0 * MS, 0.0)
    assert parse_delay("uniform:1ms,5ms") == ("uniform", 1.0 * MS, 5.0 * MS)
    assert parse_delay("exp:2ms") == ("exp", 2.0 * MS, 0.0)
    assert parse_delay("lognormal:5ms,0.5") == ("lognormal", 5.0 * MS, 0.5)
    assert (parse_share("--x", "1%"), parse_share("--x", "0.5")) == (0.01, 0.5)
    lines = describe(Script(stall_ns=MS, period_ns=SECOND, delay=("exp", 2.0 * MS, 0.0), drop_share=0.01))
    assert len(lines) == 3


@pytest.mark.parametrize("text", ["200ms", "2s/200ms", "x/2s", "0/1s", "1s/1s"])
def test_a_stall_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="--stall"):
        parse_stall(text)


NO_LAWS = ["x", "uniform:5ms,1ms", "uniform:1ms", "lognormal:5ms,-1", "gamma:1ms", "lognormal:5ms,x"]


@pytest.mark.parametrize("text", NO_LAWS)
def test_a_law_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="--delay"):
        parse_delay(text)


@pytest.mark.parametrize("text", ["x", "101%", "-1%", "2"])
def test_a_share_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="--drop-replies"):
        parse_share("--drop-replies", text)
