"""Thresholds held against intervals whose sums are known."""

from pathlib import Path
from typing import Any

import pytest

from samples import SECOND, encode, make_header, make_interval
from wsload.errors import RunFileError
from wsload.results import Failure, Fold, RunFileWriter, read_summary
from wsload.results.thresholds import ThresholdResult
from wsload.scenario import parse_thresholds

MS = 10**6


def judge(text: str, *intervals: Any) -> ThresholdResult:
    fold = Fold(make_header(), parse_thresholds([text]))
    for interval in intervals:
        fold.add(interval)
    (result,) = fold.thresholds()
    assert fold.summary("completed").thresholds == [result]
    return result


COUNTERS = {
    "due": 110,
    "sent": 100,
    "answered": 80,
    "unanswered": 20,
    "unsent": 10,
    "received": 90,
    "pushes": 10,
    "connects_opened": 12,
    "reconnects": 2,
    "connects_failed": 4,
    "connections_lost": 3,
    "matching_lost": 1,
    "connections_closed": 8,
    "aside_sent": 13,
    "aside_answered": 9,
    "aside_unanswered": 1,
    "fan_out_expected": 1000,
    "fan_out_delivered": 990,
    "fan_out_reordered": 6,
}
SAMPLE = make_interval(
    counters=COUNTERS,
    close_codes={1000: 5, 1006: 2},
    failures=(Failure("refused", "", 3, 0, ""), Failure("refused", "other", 1, 0, ""), Failure("tls", "", 1, 0, "")),
    histograms={
        ("response_time", "say"): encode(*[1 * MS] * 90),
        ("response_time", "login"): encode(*[100 * MS] * 10),
        ("connect", ""): encode(2 * MS, 4 * MS),
        ("iteration_time", ""): encode(7 * MS),
    },
)


@pytest.mark.parametrize(
    ("name", "observed"),
    [
        ("due", 110),
        ("sent", 100),
        ("rate", 100),
        ("sent.rate", 100),
        ("answered", 80),
        ("answered.rate", 80),
        ("received.rate", 90),
        ("pushes", 10),
        ("pushes.rate", 10),
        ("unanswered", 20),
        ("unanswered.rate", 0.2),
        ("failed", 20),
        ("failed.rate", 0.2),
        ("unsent", 10),
        ("unsent.rate", 10 / 110),
        ("late", 0),
        ("connections.opened", 10),
        ("connections.failed", 4),
        ("connections.failed.rate", 0.25),
        ("connections.lost", 3),
        ("connections.expired", 0),
        ("connections.matching_lost", 1),
        ("connections.closed", 8),
        ("reconnects", 2),
        ("asides.sent", 13),
        ("asides.answered", 9),
        ("asides.unanswered", 1),
        ("asides.unanswered.rate", 0.1),
        ("reach", 0.99),
        ("reordered", 6),
        ("failures", 5),
        ("failures[refused]", 4),
        ("failures[dns]", 0),
        ("close[1006]", 2),
        ("close[1001]", 0),
    ],
)
def test_a_number_is_that_of_the_counters(name: str, observed: float) -> None:
    unit = "%" if isinstance(observed, float) else "/s" if name == "rate" or name.endswith("rate") else ""
    value = f"{observed * 100}%" if unit == "%" else f"{observed}{unit}"
    if name != "unsent.rate":
        equal = judge(f"{name} == {value}", SAMPLE)
        assert (equal.passed, equal.observed, equal.reason) == (True, observed, "")
    other = judge(f"{name} > {'99%' if unit == '%' else f'{observed + 1}{unit}'}", SAMPLE)
    assert (other.name, other.passed, other.observed) == (name, False, observed)


@pytest.mark.parametrize(
    ("name", "observed_ns"),
    [
        ("response.p50", 1 * MS),
        ("response.p90", 1 * MS),
        ("response.p90.1", 100 * MS),
        ("response.max", 100 * MS),
        ("response.min", 1 * MS),
        ("response.mean", 10.9 * MS),
        ("response[say].max", 1 * MS),
        ("response[login].min", 100 * MS),
        ("connect.max", 4 * MS),
        ("iteration.p50", 7 * MS),
    ],
)
def test_a_statistic_is_that_of_the_histogram(name: str, observed_ns: float) -> None:
    result = judge(f"{name} < 1s", SAMPLE)
    assert result.passed
    assert result.observed == pytest.approx(observed_ns, rel=2e-3)
    assert not judge(f"{name} < 1us", SAMPLE).passed


def test_counts_of_distributions() -> None:
    assert judge("response.count == 100", SAMPLE).passed
    assert judge("response[login].count == 10", SAMPLE).passed
    assert judge("response[nobody].count == 0", SAMPLE).passed


@pytest.mark.parametrize(
    "text",
    [
        "connect_tls.p99 < 1s",
        "connect_tls.p99 > 0s",
        "ping.max != 1s",
        "response.p50 < 1s",
        "rate >= 0",
        "unanswered == 0",
        "unanswered.rate < 1%",
        "failed == 0",
        "asides.unanswered == 0",
        "reach <= 100%",
    ],
)
def test_what_was_not_measured_has_not_passed(text: str) -> None:
    nothing = make_interval(counters={}, gauges={}, failures=(), histograms={})
    result = judge(text, nothing)
    assert (result.passed, result.observed, result.reason) == (False, None, "nothing was measured")


def test_a_name_that_no_message_has_is_told_with_those_there_are() -> None:
    result = judge("response[sya].p99 < 1s", SAMPLE)
    assert (result.passed, result.observed) == (False, None)
    assert result.reason == "no message is called sya, there is login, say"


CENSORED = make_interval(
    counters={"answered": 99, "unanswered": 1},
    failures=(),
    histograms={
        ("response_time", "say"): encode(*[1 * MS] * 98, 2 * MS),
        ("response_censored", "say"): encode(3 * MS),
        ("service_time", "say"): encode(*[1 * MS] * 99),
        ("service_censored", "other"): encode(3 * MS),
    },
)


@pytest.mark.parametrize("metric", ["response", "response[say]"])
def test_replies_that_never_came_count_as_if_they_took_forever(metric: str) -> None:
    held = judge(f"{metric}.p99 < 50ms", CENSORED)
    assert (held.passed, held.at_least, held.reason) == (True, False, "")
    assert held.observed == pytest.approx(2 * MS, rel=1e-3)
    for statistic in ("p99.1", "p99.9", "max", "mean"):
        unbounded = judge(f"{metric}.{statistic} < 1h", CENSORED)
        assert (unbounded.passed, unbounded.at_least) == (False, True)
        assert unbounded.reason == "1 reply never came"
        assert unbounded.observed is not None
        assert unbounded.observed <= 3.01 * MS
        assert judge(f"{metric}.{statistic} > 1h", CENSORED).passed
    assert judge(f"{metric}.min < 1.1ms", CENSORED).passed
    # p50 of all is printed as a number, and so it is judged.
    assert judge(f"{metric}.p50 <= 1.1ms", CENSORED).passed


def test_messages_of_other_names_are_no_concern_of_a_named_threshold() -> None:
    assert judge("service[say].max < 2ms", CENSORED).passed
    assert not judge("service.max < 2ms", CENSORED).passed


def test_nothing_but_missing_replies_is_no_success() -> None:
    lost = make_interval(counters={"unanswered": 1}, histograms={("response_censored", "say"): encode(MS)})
    for statistic in ("min", "p50", "mean"):
        result = judge(f"response.{statistic} < 1h", lost)
        assert (result.passed, result.at_least) == (False, True)


def test_iterations_of_a_scenario_are_what_fails() -> None:
    scenario = make_interval(counters={**COUNTERS, "iterations_ended": 50, "iterations_failed": 1})
    assert judge("failed == 1", scenario).passed
    assert judge("failed.rate == 2%", scenario).passed
    assert judge("iterations.rate == 50/s", scenario).passed


def test_the_warm_up_is_not_judged() -> None:
    slow = {("response_time", "say"): encode(SECOND)}
    warmup = make_interval(0, warmup=True, counters={"sent": 7, "unanswered": 1}, failures=(), histograms=slow)
    fast = make_interval(1, histograms={("response_time", "say"): encode(MS)}, counters={"sent": 5, "answered": 5})
    for text in ("response.max < 2ms", "response[say].max < 2ms", "sent == 5", "unanswered == 0"):
        assert judge(text, warmup, fast).passed, text


def test_a_threshold_ends_the_run_when_its_grace_is_over_and_not_before() -> None:
    fold = Fold(
        make_header(), parse_thresholds(["sent > 0", "response.p50 < 1us abort after 2s", "ping.max < 1s abort"])
    )
    fold.add(make_interval(0))
    assert fold.broken() is None
    fold.add(make_interval(1))
    broken = fold.broken()
    assert broken is not None
    assert (broken.text, broken.passed) == ("response.p50 < 1us abort after 2s", False)


def test_a_threshold_that_holds_never_ends_the_run() -> None:
    fold = Fold(make_header(), parse_thresholds(["response.p50 < 1s abort"]))
    fold.add(make_interval(0))
    assert fold.broken() is None


def test_a_run_whose_time_is_over_is_not_cut_short() -> None:
    fold = Fold(make_header(duration_ns=2 * SECOND), parse_thresholds(["response.p50 < 1us abort"]))
    fold.add(make_interval(0))
    assert fold.broken() is not None
    fold.add(make_interval(1))
    assert fold.broken() is None
    assert [result.passed for result in fold.thresholds()] == [False]


def written(path: Path, *thresholds: str) -> Path:
    header = make_header()
    header = header.model_copy(update={"scenario": {**header.scenario, "thresholds": list(thresholds)}})
    writer = RunFileWriter.create(path, header)
    writer.append([SAMPLE])
    writer.finish("completed", "")
    return path


def test_a_file_is_judged_by_its_own_thresholds_or_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wsload", "sent == 100", "sent == 1")
    assert [(one.text, one.passed) for one in read_summary(path).thresholds] == [
        ("sent == 100", True),
        ("sent == 1", False),
    ]
    anew = read_summary(path, parse_thresholds(["response[say].max < 2ms"]))
    assert [(one.text, one.passed) for one in anew.thresholds] == [("response[say].max < 2ms", True)]


def test_a_threshold_of_a_later_version_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wsload", "jitter.p99 < 1ms")
    with pytest.raises(RunFileError, match="no metric is called 'jitter'"):
        read_summary(path)
    assert read_summary(path, []).thresholds == []
