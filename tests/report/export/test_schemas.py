"""What other tools read, held against their rules: JUnit against a schema, Prometheus text against its own linter."""

import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from xmlschema import XMLSchema

from report.export_samples import HOSTILE, write_run
from report.html.pages import busy_interval, busy_run
from report.test_compare import STEADY, UNSURE, made, made_row
from samples import make_header, make_interval
from wsload.report import export
from wsload.report.compare import to_junit
from wsload.results import Failure, RunFileWriter
from wsload.scenario import parse_thresholds
from wsload.scenario.program import EqualsCondition, Expect, ExpectStep, Program, RepeatStep, User

SCHEMA = XMLSchema(Path(__file__).with_name("junit.xsd"))
THRESHOLDS = ["response.p99 < 5ms", "response.p50 < 1us"]
FIXTURE = Path(__file__).parents[2] / "results/fixtures/v1.wsload"


def junit(path: Path, *thresholds: str) -> str:
    return "".join(export.render(path, "junit", parse_thresholds(thresholds)))


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    "intervals",
    [
        (),
        (make_interval(0),),
        (busy_interval(0), busy_interval(1)),
        (make_interval(0, failures=(Failure("reset", HOSTILE, 2, 5, HOSTILE + "\0\uffff"),)),),
        (make_interval(0, start_ns=-1, end_ns=0, counters={}, failures=(), histograms={}),),
    ],
)
def test_junit_of_a_run_keeps_to_the_schema(tmp_path: Path, intervals: tuple[Any, ...], finished: bool) -> None:
    path = write_run(tmp_path, *intervals, finished=finished)
    SCHEMA.validate(junit(path))
    SCHEMA.validate(junit(path, *THRESHOLDS))


def test_junit_of_an_earlier_file_keeps_to_the_schema() -> None:
    SCHEMA.validate(junit(FIXTURE))


@pytest.mark.parametrize("strict", [True, False])
def test_junit_of_a_comparison_keeps_to_the_schema(strict: bool) -> None:
    rows = made_row(message=HOSTILE), made_row("response.p50", **STEADY), made_row("response.max", **UNSURE)
    SCHEMA.validate(to_junit(made(*rows), strict=strict))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (' tests="3"', ""),
        (' time="', ' time="x'),
        ('<testcase classname="wsload"', "<testcase"),
        ("</properties>", "</properties><system-out />"),
        ('type="wsload"', ""),
        ("<failure", "<broken"),
    ],
)
def test_the_schema_refuses_what_readers_refuse(tmp_path: Path, before: str, after: str) -> None:
    document = junit(write_run(tmp_path, make_interval(0)), *THRESHOLDS)
    assert before in document
    changed = document.replace(before, after)
    if "broken" in after:
        changed = changed.replace("</failure", "</broken")
    ET.fromstring(changed)
    assert not SCHEMA.is_valid(changed)


def write_expecting(folder: Path, *failures: Failure) -> Path:
    """The run of a scenario that expects three things, one of them in a loop."""
    step = ExpectStep(expect=Expect(conditions=(EqualsCondition(equals="hello"),), within_ns=1))
    steps = (step, RepeatStep(times=2, steps=(step,)))
    user = User(name="user", weight=1, on_open=(step,), iterate=steps)
    header, program = make_header(), Program(names=(), messages=(), users=(user,))
    plan = header.plan.model_copy(update={"program": program})
    changed = replace(header, plan=plan) if is_dataclass(header) else header.model_copy(update={"plan": plan})
    writer = RunFileWriter.create(folder / "a.wsload", changed)
    writer.append([make_interval(0, counters={"connects_opened": 1, "sent": 5, "answered": 5}, failures=failures)])
    writer.finish("completed", "")
    return folder / "a.wsload"


def test_what_a_scenario_expects_is_a_case(tmp_path: Path) -> None:
    document = junit(write_expecting(tmp_path))
    SCHEMA.validate(document)
    _, case = ET.fromstring(document).iter("testcase")
    assert (case.get("name"), case.find("failure")) == ("expectations", None)
    assert case.findtext("system-out") == "3 expectations in the scenario, each met whenever it was tried"


def test_an_expectation_that_was_not_met_fails_its_case(tmp_path: Path) -> None:
    failures = (
        Failure("expectation_failed", "expected equal to hello", 2, 5, f"got {HOSTILE}"),
        Failure("expectation_failed", "expected equal to bye", 1, 7, "no such message came in time"),
        Failure("reset", "", 4, 5, ""),
    )
    document = junit(write_expecting(tmp_path, *failures))
    SCHEMA.validate(document)
    (failure,) = ET.fromstring(document).iter("failure")
    assert failure.text is not None
    lines = failure.text.splitlines()
    assert lines[0].startswith("2 × expected equal to hello: got <script>alert(1)</script> \\u{1b}[31m")
    assert lines[1:] == [
        "1 × expected equal to bye: no such message came in time",
        "3 expectations in the scenario",
    ]
    assert failure.get("message") == lines[0]


def test_the_linter_of_prometheus_finds_nothing(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine (Debian: apt-get install prometheus)")
    for path in (busy_run(tmp_path), write_run(tmp_path, name="empty.wsload"), FIXTURE):
        text = "".join(export.render(path, "prometheus", parse_thresholds(THRESHOLDS)))
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
