"""Adding intervals up."""

import json
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from samples import SECOND, encode, make_header, make_interval
from wsload import _core
from wsload.api import Result
from wsload.errors import ExitCode
from wsload.results import Failure, Fold, Note, Stats, Summary, interval_stats
from wsload.scenario import parse_thresholds
from wsload.scenario.program import Name, Program

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "summary.schema.json"


def test_intervals_add_up_and_failures_keep_their_first_example() -> None:
    fold = Fold(make_header())
    fold.add(make_interval(1))
    fold.add(make_interval(0))
    summary = fold.summary("completed")
    assert (summary.messages.sent, summary.messages.answered, summary.messages.unanswered) == (200, 198, 2)
    assert summary.duration_ns == 2 * SECOND
    assert (summary.rate.reached_per_s, summary.rate.bytes_out_per_s) == (100.0, 3_800.0)
    (failure,) = summary.failures
    assert (failure.count, failure.first_ns, failure.example) == (2, 5, "example 0")
    assert summary.generator.rss_bytes_max == 1_001


def test_the_warm_up_is_kept_apart_and_the_ramp_counts_only_connections() -> None:
    fold = Fold(make_header(warmup_ns=SECOND))
    opened = {"connects_started": 1, "connects_opened": 1}
    counters = opened | {"sent": 5}
    ramp = make_interval(0, start_ns=-SECOND, end_ns=0, counters=counters, gauges={}, failures=(), histograms={})
    fold.add(ramp)
    fold.add(make_interval(1, warmup=True, start_ns=0, end_ns=SECOND))
    fold.add(make_interval(2, start_ns=SECOND, end_ns=2 * SECOND))
    summary = fold.summary("completed")
    assert (summary.messages.sent, summary.connections.opened, summary.duration_ns) == (100, 1, SECOND)
    assert summary.warmup is not None
    assert summary.warmup.sent == 100
    assert summary.response_time is not None
    assert summary.response_time.count == 2


def test_exchanges_outside_the_totals_are_known_by_name_only() -> None:
    names = (Name(name="login", total=False), Name(name="say", total=True))
    program = Program(names=names, messages=(), users=())
    header = make_header()
    header = header.model_copy(update={"plan": header.plan.model_copy(update={"program": program})})
    fold = Fold(header, parse_thresholds(["response[login].count == 4", "response.count == 1"]))
    # Logins of connections that are opened during the warm-up count as those of the ramp do.
    fold.add(make_interval(0, warmup=True, histograms={("response_time", "login"): encode(9)}))
    both = {("response_time", "login"): encode(1, 2, 3), ("response_time", "say"): encode(4)}
    fold.add(make_interval(1, histograms=both))
    summary = fold.summary("completed")
    assert summary.response_time is not None
    assert (summary.response_time.count, summary.response_time.max) == (1, 4)
    assert [threshold.passed for threshold in summary.thresholds] == [True, True]
    result = Result(summary, ExitCode.OK, None, None)
    assert [one.response_time.count for one in result.by_name.values() if one.response_time] == [4, 1]
    assert result.by_name["say"].in_total


def test_connections_count_slots_and_not_attempts() -> None:
    fold = Fold(make_header(connections=5))
    counters = {"connects_opened": 7, "reconnects": 3, "connects_failed": 2, "connections_lost": 3, "matching_lost": 1}
    fold.add(make_interval(0, counters=counters))
    connections = fold.summary("completed").connections
    assert (connections.asked, connections.opened, connections.reconnects) == (5, 4, 3)
    assert (connections.attempts_failed, connections.lost, connections.matching_lost) == (2, 3, 1)


def test_percentiles_are_those_of_the_reference_implementation() -> None:
    # A thousand values: every percentile below falls on a whole rank, where implementations cannot round apart.
    values = [37 * number * number for number in range(1, 1001)]
    histogram, reference = _core.Histogram(), HdrHistogram(1, 3_600_000_000_000, 3)
    histogram.add(encode(*values))
    for value in values:
        reference.record_value(value)
    for percentile in (1, 10, 50, 75, 90, 99, 99.9, 100):
        ours = histogram.value_at_quantile(percentile / 100)
        assert ours == reference.get_value_at_percentile(percentile), percentile
    assert histogram.mean == pytest.approx(reference.get_mean_value(), rel=1e-9)


@given(st.lists(st.integers(min_value=1, max_value=10**12), min_size=1, max_size=50))
def test_no_percentile_exceeds_the_maximum_and_they_rise(values: list[int]) -> None:
    histogram = _core.Histogram()
    histogram.add(encode(*values))
    stats = Stats.of(histogram)
    assert stats is not None
    row = [stats.min, stats.p50, stats.p75, stats.p90, stats.p95, stats.p99, stats.p99_9, stats.p99_99, stats.max]
    assert row == sorted(row)
    assert stats.count == len(values)
    assert stats.max == pytest.approx(max(values), rel=1e-3, abs=1)


def test_nothing_measured_is_none() -> None:
    fold = Fold(make_header())
    summary = fold.summary("unfinished")
    assert summary.response_time is None
    assert summary.rate.reached_per_s == 0.0
    assert interval_stats(make_interval(0, histograms={}), "response_time") is None


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({}, False),
        ({"connects_opened": 1, "sent": 5, "answered": 1}, True),
        ({"connects_opened": 1, "sent": 5, "unanswered": 5}, False),
        ({"connects_opened": 1}, True),
        ({"connects_failed": 3}, False),
    ],
)
def test_whether_a_run_measured_anything(counters: dict[str, int], *, expected: bool) -> None:
    fold = Fold(make_header())
    fold.add(make_interval(0, counters=counters))
    assert fold.has_result() is expected


def test_a_lost_worker_is_counted() -> None:
    fold = Fold(make_header())
    fold.note(Note(5, "worker_lost", "worker 2"))
    fold.note(Note(6, "file_lost", "disk"))
    summary = fold.summary("completed")
    assert (summary.generator.workers_lost, len(summary.notes)) == (1, 2)


def test_failures_come_most_frequent_first() -> None:
    failures = (Failure("reset", "", 1, 9, "r"), Failure("refused", "", 5, 3, "x"))
    fold = Fold(make_header())
    fold.add(make_interval(0, failures=failures))
    assert [failure.kind for failure in fold.summary("completed").failures] == ["refused", "reset"]


def test_the_schema_in_the_docs_is_that_of_the_model() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == Summary.model_json_schema(
        by_alias=True, mode="serialization"
    )


def test_the_fields_of_the_summary_are_counters_of_the_engine() -> None:
    from wsload.results.summary import Generator, Messages

    own = {"workers", "workers_lost", "rss_bytes_max", "longest_silence_ns"}
    fields = set(Messages.model_fields) | set(Generator.model_fields)
    assert fields - own <= set(_core.COUNTERS)
