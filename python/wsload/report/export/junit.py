"""JUnit XML: a test suite per run, a case for the run itself, one for what its scenario expects, one per threshold.

The dialect is that of Jenkins' schema, which GitLab, GitHub actions and others read.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wsload.report.export.rows import Thresholds
from wsload.report.remedies import title
from wsload.report.terminal import observed
from wsload.report.terminal import render as render_text
from wsload.report.text import printable
from wsload.results import RunFile, Summary, summarize
from wsload.units import format_count, format_duration

TEXT_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Case:
    """Something that was to hold. `text` says what was found; of a failed case it is the reason."""

    name: str
    passed: bool
    text: str


def render(run: RunFile, thresholds: Thresholds = None) -> Iterator[str]:
    """The document of a run file."""
    summary = summarize(run, thresholds)
    program = run.header.plan.program
    asked = len(program.expectations()) if program else 0
    yield document(summary, [run_case(summary), *expectation_cases(summary, asked), *threshold_cases(summary)])


def threshold_cases(summary: Summary) -> list[Case]:
    """A case for each threshold: what was asked, and what was observed."""
    return [Case(result.text, result.passed, observed(result)) for result in summary.thresholds]


def expectation_cases(summary: Summary, asked: int) -> list[Case]:
    """A case for the expectations of a scenario that has any: a single message that is not as expected fails it."""
    unmet = [one for one in summary.failures if one.kind == "expectation_failed"]
    if not asked and not unmet:
        return []
    words = f"{format_count(asked)} expectation{'' if asked == 1 else 's'} in the scenario"
    if not unmet:
        return [Case("expectations", True, f"{words}, each met whenever it was tried")]
    lines = [f"{format_count(one.count)} × {printable(one.detail)}: {printable(one.example)}" for one in unmet]
    return [Case("expectations", False, "\n".join([*lines, words]))]


def run_case(summary: Summary) -> Case:
    """The case for the run itself: it came to its end, connected, and got replies where it awaited some."""
    doubts = [f"suspect: {reason.text}" for reason in summary.verdict.reasons]
    failures = [
        f"{format_count(one.count)} × {title(one.kind, printable(one.detail))}: {printable(one.example)}".rstrip(": ")
        for one in summary.failures
    ]
    wrong = what_is_wrong(summary)
    return Case("run", not wrong, "\n".join([*([wrong] if wrong else []), *doubts, *failures]))


def what_is_wrong(summary: Summary) -> str:
    """Why a run has no result, or none that is whole; empty when it has one."""
    messages, fan_out = summary.messages, summary.fan_out
    if summary.outcome != "completed":
        return f"{summary.outcome}: {printable(summary.outcome_reason)}".rstrip(": ")
    if not summary.connections.opened:
        return "no connection opened"
    if fan_out is not None:
        return "nothing that was published arrived" if messages.sent and not fan_out.delivered else ""
    awaited = summary.matching != "none" and summary.message_kind is not None
    return "replies were awaited and none came" if awaited and messages.sent and not messages.answered else ""


def document(summary: Summary, cases: Sequence[Case]) -> str:
    """The XML of cases, with the summary as the suite's output."""
    failed = sum(not case.passed for case in cases)
    seconds = f"{summary.duration_ns / 1e9:.3f}"
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "time": seconds}
    root = ET.Element("testsuites", {"name": "wsload", **counts})
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": f"wsload {_xml(summary.target)}",
            **counts,
            "skipped": "0",
            "timestamp": f"{summary.started_at:%Y-%m-%dT%H:%M:%S}",
        },
    )
    properties = ET.SubElement(suite, "properties")
    facts = {
        "wsload": summary.wsload_version,
        "target": summary.target,
        "seed": summary.seed,
        "outcome": summary.outcome,
        "verdict": "trusted" if summary.verdict.trusted else "suspect",
        "measured": format_duration(summary.duration_ns),
        **{f"label.{key}": value for key, value in summary.labels.items()},
    }
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": _xml(name), "value": _xml(value)})
    for case in cases:
        attributes = {"classname": "wsload", "name": _xml(case.name), "time": seconds}
        element = ET.SubElement(suite, "testcase", attributes)
        if not case.passed:
            first = case.text.partition("\n")[0]
            ET.SubElement(element, "failure", {"message": _xml(first), "type": "wsload"}).text = _xml(case.text)
        elif case.text:
            ET.SubElement(element, "system-out").text = _xml(case.text)
    ET.SubElement(suite, "system-out").text = _xml("\n".join(line.plain for line in render_text(summary, TEXT_WIDTH)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _xml(text: str) -> str:
    """Without what XML 1.0 cannot hold: control characters and halves of surrogate pairs."""
    return "\n".join(printable(line) for line in text.split("\n"))
