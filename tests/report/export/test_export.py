"""Every format, read back by something that is not ours."""

import csv
import io
import json
import os
import stat
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from prometheus_client.parser import text_string_to_metric_families

from report.export_samples import HOSTILE, write_run
from samples import SECOND, encode, make_interval
from wsload.errors import RunFileError, UsageError, WsloadError
from wsload.report import export
from wsload.report.export import junit, markdown
from wsload.report.export.csv import COLUMNS
from wsload.report.export.ndjson import IntervalRecord
from wsload.report.text import printable
from wsload.results import Failure, read_summary
from wsload.scenario import parse_thresholds

ROOT = Path(__file__).parents[3]
EVERY = sorted(export.FORMATS)


def text(path: Path, format_name: str) -> str:
    return "".join(export.render(path, format_name))


def test_csv_has_a_row_for_each_interval(tmp_path: Path) -> None:
    path = write_run(tmp_path, make_interval(0, warmup=True), make_interval(1))
    rows = list(csv.DictReader(io.StringIO(text(path, "csv"), newline="")))
    assert [row["phase"] for row in rows] == ["warmup", "measured"]
    assert rows[1]["start_ns"] == str(SECOND)
    assert (rows[1]["sent"], rows[1]["answered"], rows[1]["failures"]) == ("100", "99", "1")
    assert rows[1]["response_time_p50_ns"] == "2000"
    assert rows[1]["connect_p50_ns"] == "", "what was not measured is empty"


def test_json_lines_follow_their_schema(tmp_path: Path) -> None:
    path = write_run(tmp_path, make_interval(0), make_interval(1, close_codes={1001: 2}))
    published = json.loads((ROOT / "docs/schema/interval.schema.json").read_text(encoding="utf-8"))
    assert published == IntervalRecord.model_json_schema(mode="serialization")
    lines = [json.loads(line) for line in text(path, "ndjson").splitlines()]
    for line in lines:
        jsonschema.validate(line, published, cls=jsonschema.Draft202012Validator)
    assert lines[1]["close_codes"] == {"1001": 2}
    assert lines[1]["latencies"]["response_time"]["max"] == 2_000


def test_a_message_without_reply_counts_in_an_intervals_percentiles(tmp_path: Path) -> None:
    histograms = {("response_time", "m"): encode(1_000), ("response_censored", "m"): encode(9_000_000)}
    path = write_run(tmp_path, make_interval(0, histograms=histograms))
    (line,) = map(json.loads, text(path, "ndjson").splitlines())
    assert line["latencies"]["response_time"]["p99"] > 8_900_000
    assert line["latencies"]["response_time"]["at_least"] == [
        "p75",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "p99.99",
        "mean",
        "max",
    ]
    assert list(line["latencies"]) == ["response_time"]


def read_log(path: Path, tag: str) -> tuple[HdrHistogram, int]:
    """All that a log holds under a tag, and in how many lines; the reader takes no other tags."""
    head = [line for line in path.read_text().splitlines() if line.startswith(("#", '"'))]
    mine = [
        line.removeprefix(f"Tag={tag},") for line in path.read_text().splitlines() if line.startswith(f"Tag={tag},")
    ]
    untagged = path.with_suffix(".untagged")
    untagged.write_text("\n".join([*head, *mine]) + "\n")
    whole = HdrHistogram(1, 3600 * SECOND, 3)
    reader, lines = HistogramLogReader(str(untagged), HdrHistogram(1, 3600 * SECOND, 3)), 0
    while reader.add_next_interval_histogram(whole):
        lines += 1
    reader.close()
    return whole, lines


def test_another_implementation_reads_the_log(tmp_path: Path) -> None:
    two = {("response_time", "a, b"): encode(5_000), ("response_time", "c"): encode(7_000, 9_000)}
    path = write_run(tmp_path, make_interval(0), make_interval(1, histograms=two), make_interval(2, warmup=True))
    log = tmp_path / "a.hlog"
    export.write(export.render(path, "hlog"), log)
    whole, lines = read_log(log, "response_time")
    assert (lines, whole.get_total_count()) == (2, 5)
    assert whole.get_max_value() == pytest.approx(9_000, rel=0.001)
    assert read_log(log, "response_time:a_b")[0].get_total_count() == 1
    assert read_log(log, "warmup_response_time")[0].get_total_count() == 2
    second = next(line for line in log.read_text().splitlines() if line.startswith("Tag=response_time,1."))
    assert second.split(",")[:4] == ["Tag=response_time", "1.000", "1.000", "0.009"]


def families(path: Path) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text(path, "prometheus"))}


def test_prometheus_is_parsed_and_its_histogram_is_cumulative(tmp_path: Path) -> None:
    values = {("response_time", HOSTILE): encode(8_000, 20_000, 20_000, 3 * SECOND)}
    path = write_run(
        tmp_path, make_interval(0, warmup=True), make_interval(1, histograms=values, close_codes={1006: 3})
    )
    found = families(path)
    assert found["wsload_messages_sent"].samples[0].value == 100, "the warm-up is no part of it"
    assert found["wsload_failures"].samples[0].labels == {"kind": "unanswered"}
    assert found["wsload_close_codes"].samples[0].value == 3
    response = found["wsload_response_time_seconds"]
    assert response.type == "histogram"
    assert {sample.labels["message"] for sample in response.samples} == {printable(HOSTILE)}
    buckets = {s.labels["le"]: s.value for s in response.samples if s.name.endswith("_bucket")}
    assert (buckets["1e-05"], buckets["2.5e-05"], buckets["2.5"], buckets["5"], buckets["+Inf"]) == (1, 3, 3, 4, 4)
    (total,) = [s.value for s in response.samples if s.name.endswith("_sum")]
    assert total == pytest.approx(3.000048, rel=0.001)


def test_junit_has_a_case_for_the_run(tmp_path: Path) -> None:
    counters = {"connects_opened": 1, "sent": 5, "answered": 3}
    failures = (Failure("reset", "", 2, 5, HOSTILE),)
    path = write_run(tmp_path, make_interval(0, counters=counters, failures=failures))
    root = ET.fromstring(text(path, "junit"))
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("name")) == (
        "1",
        "0",
        "wsload ws://127.0.0.1:9000/echo",
    )
    said = suite.findtext("testcase/system-out", "")
    assert said.startswith("2 × ")
    assert "<script>" in said
    assert "\\u{1b}" in said, "XML cannot hold it, a log should not"


def test_junit_has_a_case_for_each_threshold() -> None:
    from report.summaries import summary

    held = {"name": "rate", "text": "rate > 1/s", "passed": True, "observed": 5.0, "unit": "per_s"}
    broken = {"name": "sent", "text": "sent < 9", "passed": False, "observed": 12.0, "unit": "count"}
    assert junit.threshold_cases(summary(thresholds=[held, broken])) == [
        junit.Case("rate > 1/s", True, "5/s"),
        junit.Case("sent < 9", False, "12"),
    ]


def test_junit_cases_that_fail_say_why() -> None:
    from report.summaries import summary

    cases = [junit.Case("p99 < 5 ms", False, "p99 was 7 ms\nof 12"), junit.Case('"odd" & <name>', True, "")]
    root = ET.fromstring(junit.document(summary(), cases))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    failed, passed = root.iter("testcase")
    failure = failed.find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("p99 was 7 ms", "p99 was 7 ms\nof 12")
    assert (passed.get("name"), list(passed)) == ('"odd" & <name>', [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcome": "failed", "outcome_reason": "every worker was lost"}, "failed: every worker was lost"),
        ({"outcome": "unfinished", "finished": False}, "unfinished"),
        ({"connections": {"opened": 0}}, "no connection opened"),
        ({"messages": {"answered": 0}}, "replies were awaited and none came"),
        ({"messages": {"answered": 0}, "matching": "none"}, ""),
        ({}, ""),
    ],
)
def test_a_run_that_came_to_nothing_is_a_failed_case(changes: dict[str, Any], reason: str) -> None:
    from report.summaries import summary

    case = junit.run_case(summary(**changes))
    assert (case.passed, case.text) == (not reason, reason)


def test_markdown_holds_no_markup_of_strangers(tmp_path: Path) -> None:
    path = write_run(tmp_path, make_interval(0, failures=(Failure("reset", "a|b", 2, 5, HOSTILE),)))
    page = text(path, "markdown")
    assert "<script>" not in page
    assert "\x1b" not in page
    assert page.startswith("## ⚠️ wsload ws&#58;//127.0.0.1")
    row = next(line for line in page.splitlines() if line.startswith("| 2 |"))
    assert row.count("|") == 5
    assert markdown.escaped("[a](b) @me **x** `y` #1\n") == (
        "&#91;a&#93;&#40;b&#41; &#64;me &#42;&#42;x&#42;&#42; &#96;y&#96; &#35;1&#92;u&#123;a&#125;"
    )


def test_markdown_of_a_clean_run() -> None:
    from report.summaries import summary

    page = markdown.page(summary())
    assert page.splitlines()[2] == "**completed · figures trusted · 0 failures**"
    assert "| response time | 0.05 ms | 0.09 ms | 0.21 ms | 1.10 ms | 3.00 ms |" in page


@pytest.mark.parametrize("name", EVERY)
def test_a_file_without_an_interval_has_every_format(tmp_path: Path, name: str) -> None:
    path = write_run(tmp_path, finished=False)
    assert text(path, name).startswith(",".join(COLUMNS) if name == "csv" else "")


@pytest.mark.parametrize("name", EVERY)
def test_a_file_of_an_earlier_version_has_every_format(name: str) -> None:
    assert text(ROOT / "tests/results/fixtures/v1.wsload", name)


def test_the_json_is_that_of_the_report(tmp_path: Path) -> None:
    path = write_run(tmp_path, make_interval(0))
    assert text(path, "json") == read_summary(path).to_json() + "\n"


def test_files_are_written_whole_and_for_nobody_else(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("before")
    with pytest.raises(RunFileError):
        export.write(export.render(tmp_path / "none.wsload", "csv"), target)
    assert target.read_text() == "before"
    old = os.umask(0)
    try:
        export.write(["a", "b"], target)
    finally:
        os.umask(old)
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("ab", 0o600)
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(WsloadError, match=r"--export: .*cannot be written"):
        export.write(["a"], tmp_path / "none" / "a.csv")


@pytest.mark.parametrize(("name", "what"), [("a.txt", "the ending says no format"), ("no/a.csv", "there is no folder")])
def test_names_are_checked_before_anything_is_written(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        export.format_of(tmp_path / name)


def test_thresholds_are_cases_rows_and_samples(tmp_path: Path) -> None:
    counters = {"connects_opened": 1, "sent": 5, "answered": 3, "due": 5}
    path = write_run(tmp_path, make_interval(0, counters=counters))
    thresholds = parse_thresholds(["response.p99 < 5ms", "response.p50 < 1us"])
    root = ET.fromstring("".join(export.render(path, "junit", thresholds)))
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    _, kept, broken = root.iter("testcase")
    assert (kept.get("name"), kept.find("failure")) == ("response.p99 < 5ms", None)
    failure = broken.find("failure")
    assert failure is not None
    assert (broken.get("name"), failure.get("message")) == ("response.p50 < 1us", "1.00 µs")
    page = "".join(export.render(path, "markdown", thresholds))
    assert "1 of 2 thresholds hold" in page
    assert "| ❌ | response.p50 &#60; 1us | 1.00 µs |" in page
    found = text_string_to_metric_families("".join(export.render(path, "prometheus", thresholds)))
    (samples,) = [family.samples for family in found if family.name == "wsload_threshold_passed"]
    assert [(sample.labels["threshold"], sample.value) for sample in samples] == [
        ("response.p99 < 5ms", 1),
        ("response.p50 < 1us", 0),
    ]
