"""Thresholds as they are written, and what people are told who got one wrong."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload import _core
from wsload.errors import UsageError
from wsload.scenario import Scenario, parse_threshold, parse_thresholds
from wsload.scenario.metrics import METRICS
from wsload.scenario.thresholds import ThresholdError

MS = 10**6
PAGE = Path(__file__).parents[2] / "docs" / "thresholds.md"


@pytest.mark.parametrize(
    ("text", "name", "comparison", "value", "unit"),
    [
        ("response.p99 < 50ms", "response.p99", "<", 50 * MS, "ns"),
        ("response[say].p99.9 < 200ms", "response[say].p99.9", "<", 200 * MS, "ns"),
        ("response[ say hello ].p50<1us", "response[say hello].p50", "<", 1_000, "ns"),
        ("service.max <= 1s", "service.max", "<=", 1_000 * MS, "ns"),
        ("connect.p95 < 1s", "connect.p95", "<", 1_000 * MS, "ns"),
        ("connect_tls.mean < 1m30s", "connect_tls.mean", "<", 90_000 * MS, "ns"),
        ("send_lag.p99.99 < 1ms", "send_lag.p99.99", "<", MS, "ns"),
        ("response.count >= 10k", "response.count", ">=", 10_000, "count"),
        ("unanswered == 0", "unanswered", "==", 0, "count"),
        ("unanswered.rate < 0.1%", "unanswered.rate", "<", 0.001, "share"),
        ("failed.rate == 0", "failed.rate", "==", 0, "share"),
        ("failures == 0", "failures", "==", 0, "count"),
        ("failures[refused] != 1", "failures[refused]", "!=", 1, "count"),
        ("close[1006] == 0", "close[1006]", "==", 0, "count"),
        ("rate >= 19.5k/s", "rate", ">=", 19_500, "per_s"),
        ("answered.rate > 600/m", "answered.rate", ">", 10, "per_s"),
        ("connections.failed == 0", "connections.failed", "==", 0, "count"),
        ("connections.failed.rate <= 2.5 %", "connections.failed.rate", "<=", 0.025, "share"),
        ("reconnects < 5", "reconnects", "<", 5, "count"),
        ("pushes > 0", "pushes", ">", 0, "count"),
        ("reach >= 99%", "reach", ">=", 0.99, "share"),
    ],
)
def test_what_can_be_asked(text: str, name: str, comparison: str, value: float, unit: str) -> None:
    threshold = parse_threshold(text)
    assert (threshold.name, threshold.comparison, threshold.value, threshold.unit) == (name, comparison, value, unit)
    assert threshold.abort_after_ns is None


@pytest.mark.parametrize(
    ("text", "abort_after_ns"),
    [
        ("response.p99 < 50ms abort", 0),
        ("response.p99 < 50ms  abort  after  10s ", 10_000 * MS),
        ("unanswered==0 abort after 1m30s", 90_000 * MS),
    ],
)
def test_a_threshold_may_end_the_run(text: str, abort_after_ns: int) -> None:
    threshold = parse_threshold(text)
    assert threshold.abort_after_ns == abort_after_ns
    assert threshold.text == " ".join(text.split())


def test_percentiles_are_quantiles_without_a_rounding_error() -> None:
    quantiles = [parse_threshold(f"response.p{number} < 1s").quantile for number in ("50", "99", "99.9", "99.99")]
    assert quantiles == [0.5, 0.99, 0.999, 0.9999]
    assert parse_threshold("response.max < 1s").quantile is None


def test_each_comparison_is_what_it_says() -> None:
    held = {
        comparison: [parse_threshold(f"unanswered {comparison} 5").holds(count) for count in (4, 5, 6)]
        for comparison in ("<", "<=", ">", ">=", "==", "!=")
    }
    assert held == {
        "<": [True, False, False],
        "<=": [True, True, False],
        ">": [False, False, True],
        ">=": [False, True, True],
        "==": [False, True, False],
        "!=": [True, False, True],
    }


ALL = "Metrics are " + ", ".join(METRICS) + "."
RESPONSE = "Write response.p99 (any percentile above 0 and below 100), .min, .mean, .max, .count."
KINDS = "Kinds are " + ", ".join(_core.FAILURE_KINDS) + "."
BAD = [
    ("", 1, "no metric is named", "Write METRIC OPERATOR VALUE, such as response.p99 < 50ms."),
    ("< 50ms", 1, "no metric is named", "Write METRIC OPERATOR VALUE, such as response.p99 < 50ms."),
    ("respons.p99 < 50ms", 1, "no metric is called 'respons'", f"The nearest is response. {ALL}"),
    ("  Latency.p99 < 50ms", 3, "no metric is called 'Latency'", f"The nearest is response. {ALL}"),
    ("p99 < 50ms", 1, "no metric is called 'p99'", f"The nearest is response. {ALL}"),
    ("connections == 0", 1, "no metric is called 'connections'", f"The nearest is connections.failed. {ALL}"),
    ("zzz == 0", 1, "no metric is called 'zzz'", ALL),
    ("response < 5ms", 9, "response needs a statistic", RESPONSE),
    ("response. < 5ms", 10, "response needs a statistic", RESPONSE),
    ("response.p999 < 5ms", 10, "response has no 'p999'", f"The nearest is p99. {RESPONSE}"),
    ("response.p100 < 5ms", 10, "response has no 'p100'", f"The nearest is max. {RESPONSE}"),
    ("response.p0 < 5ms", 10, "response has no 'p0'", f"The nearest is p90. {RESPONSE}"),
    ("response.median < 5ms", 10, "response has no 'median'", f"The nearest is mean. {RESPONSE}"),
    ("response[say].rate < 5ms", 15, "response has no 'rate'", RESPONSE),
    ("response[say < 5ms", 19, "']' is missing", "Write response[NAME]."),
    ("response[].p99 < 5ms", 10, "the brackets are empty", "Name a message, such as response[say].p99."),
    ("response[say]p99 < 5ms", 14, "'p99' follows the ']'", RESPONSE),
    ("response.p99[say] < 5ms", 13, "the name belongs before .p99", "Write response[NAME].p99."),
    ("late.rate < 1%", 6, "late has no 'rate'", "Write late."),
    ("sent.rates < 1/s", 6, "sent has no 'rates'", "The nearest is rate. Write sent or sent.rate."),
    ("rate[say] > 1/s", 5, "rate takes no name in brackets",
     "One is taken by response, service, send_lag, receive_lag, failures, close."),
    ("failures[refusd] == 0", 10, "'refusd' is no kind of failure", f"The nearest is refused. {KINDS}"),
    ("close == 0", 6, "close needs a code in brackets", "Write close[1006] == 0."),
    ("close[gone] == 0", 7, "'gone' is no close code", "Codes are 1000 to 4999, such as close[1006]."),
    ("close[5000] == 0", 7, "'5000' is no close code", "Codes are 1000 to 4999, such as close[1006]."),
    ("unanswered", 11, "the operator is missing",
     "Operators are <, <=, >, >=, == and !=. Such as unanswered == 0."),
    ("response.p99 = 5ms", 14, "'=' is no operator", "Write ==."),
    ("response.p99 below 5ms", 14, "'below' is no operator", "Operators are <, <=, >, >=, == and !=."),
    ("response.p99 <", 15, "the value is missing", "Write a time with its unit, such as 50ms."),
    ("response.p99 < 50", 16, "'50' is not a duration", "Write a time with its unit, such as 50ms."),
    ("response.p99 < 50%", 16, "'50%' is not a duration", "Write a time with its unit, such as 50ms."),
    ("unanswered < 0.1%", 14, "'0.1%' is not a whole number", "Write a whole number, such as 0 or 10k."),
    ("unanswered.rate < 0.1", 19, "'0.1' is not a share", "Write a share in percent, such as 0.1%."),
    ("reach >= 101%", 10, "'101%' is not a share", "Write a share in percent, such as 0.1%."),
    ("rate > 5ms", 8, "'5ms' is not a rate", "Write a rate, such as 20k/s."),
    (f"rate > {'9' * 30}", 8, "the value is beyond anything that can be observed", "Write a rate, such as 20k/s."),
    (f"response.p99 < {'9' * 400}.5h", 16, "the value is beyond anything that can be observed",
     "Write a time with its unit, such as 50ms."),
    ("response.p99 < 5ms stop", 16, "'5ms stop' is not a duration", "Write a time with its unit, such as 50ms."),
    ("response.p99 < 5ms abort 10s", 26, "after 'abort' comes 'after' and a time", "Write abort, or abort after 10s."),
    ("response.p99 < 5ms abort after", 26, "after 'abort' comes 'after' and a time",
     "Write abort, or abort after 10s."),
    ("response.p99 < 5ms abort after 10", 32, "'10' is not a duration",
     "Write a number with its unit, such as 30s, 250ms or 1h30m."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "character", "what", "remedy"), BAD, ids=[text[:40] for text, *_ in BAD])
def test_a_mistake_is_told_with_its_place_and_a_way_out(text: str, character: int, what: str, remedy: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(text)
    assert (caught.value.what, caught.value.remedy) == (f"{text!r}, character {character}: {what}", remedy)


@given(st.text(alphabet="response[].p9 <=>!abortfk5ms%0/", max_size=30) | st.text(max_size=20))
def test_any_text_is_a_threshold_or_a_mistake(text: str) -> None:
    try:
        threshold = parse_threshold(text)
    except ThresholdError:
        return
    assert parse_threshold(threshold.text) == threshold


def test_a_scenario_names_the_flag() -> None:
    with pytest.raises(UsageError, match=r"^--threshold: 'respons.p99 < 1s', character 1: "):
        Scenario(target="ws://h/", thresholds=("unanswered == 0", "respons.p99 < 1s"))
    with pytest.raises(UsageError, match=re.escape("thresholds: 'failures == 0' is given twice")):
        parse_thresholds(["failures == 0", "failures  ==  0"], "thresholds")


def test_the_page_lists_every_metric() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.]+)(?:\[[A-Z]+\])?` \| (.*) \|$", page, re.MULTILINE))
    assert {name: about.rpartition(" | ")[2] for name, about in rows.items()} == {
        name: metric.about for name, metric in METRICS.items()
    }
