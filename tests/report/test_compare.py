"""The forms of a comparison. Its figures are made here; how they come about is tested in tests/analysis."""

import io
from typing import Any
from xml.etree import ElementTree as XmlTree

import pytest

from wsload.analysis.alike import Difference
from wsload.analysis.model import Comparison, CurvePoint, Row, RunInfo, Side, Skipped
from wsload.report.compare import headline, print_comparison, render, to_junit, to_markdown

MS = 1_000_000


def made_row(metric: str = "response.p99", **fields: Any) -> Row:
    defaults: dict[str, Any] = {
        "message": "",
        "unit": "ns",
        "worse": "higher",
        "scale": "ratio",
        "base": 10.0 * MS,
        "new": 12.0 * MS,
        "base_runs": [9.5 * MS, 10.5 * MS],
        "new_runs": [11.5 * MS, 12.5 * MS],
        "change": 1.2,
        "low": 1.1,
        "high": 1.3,
        "tolerance": 0.05,
        "verdict": "regressed",
        "alone": False,
        "chance": 0.001,
        "basis": "runs",
        "runs_to_settle": None,
        "at_least": False,
    }
    return Row(metric=metric, **(defaults | fields))


STEADY: dict[str, Any] = {"new": 10.0 * MS, "change": 1.0, "low": 0.99, "high": 1.01, "verdict": "unchanged"}
UNSURE: dict[str, Any] = {"change": 1.04, "low": 0.98, "high": 1.1, "verdict": "inconclusive", "runs_to_settle": 9}


def made(*rows: Row, **fields: Any) -> Comparison:
    runs = [
        RunInfo(file=f"{n}.wsload", started_at="2026-11-23T10:15:02+00:00", target="ws://h/", labels={}) for n in "ab"
    ]
    point = CurvePoint(
        quantile=0.999,
        base=10.0 * MS,
        base_low=9.0 * MS,
        base_high=11.0 * MS,
        new=12.0 * MS,
        new_low=None,
        new_high=None,
        ratio=1.2,
        ratio_low=1.1,
        ratio_high=1.3,
    )
    defaults: dict[str, Any] = {
        "wsload_version": "0.1.0",
        "verdict": rows[0].verdict if rows else "inconclusive",
        "level": 0.95,
        "compared": len(rows),
        "paired": False,
        "base": Side(named="old", runs=runs),
        "new": Side(named="new", runs=runs),
        "rows": list(rows),
        "skipped": [],
        "curve": [point],
        "differences": [],
        "warnings": [],
    }
    return Comparison(**(defaults | fields))


def text(comparison: Comparison, width: int = 110) -> str:
    return "\n".join(line.plain for line in render(comparison, width))


def test_the_verdict_comes_first_and_a_row_has_its_interval() -> None:
    shown = text(made(made_row(), made_row("response.p50", **STEADY)))
    assert "REGRESSED: response.p99 +20.0 %" in shown.splitlines()[4]
    (line,) = [line for line in shown.splitlines() if line.startswith("  response.p99  10.0 ms")]
    assert "+10.0 % to +30.0 %" in line
    assert line.endswith("regressed")
    assert "●" in line


def test_the_plot_puts_the_change_where_it_is() -> None:
    lines = text(made(made_row(), made_row("response.p50", **STEADY))).splitlines()
    title = next(line for line in lines if line.startswith("  metric"))
    zero, plots = title.index(" 0 ") + 1, {line.split()[0]: line for line in lines if "●" in line}
    assert plots["response.p50"].index("●") == zero
    assert plots["response.p99"].index("├") > zero


def test_a_narrow_terminal_gets_no_plot_and_no_broken_line() -> None:
    shown = render(made(made_row()), 80)
    assert not any("●" in line.plain for line in shown)


def test_what_would_settle_it_is_said() -> None:
    shown = text(made(made_row(**UNSURE), made_row("response.max", **(UNSURE | {"runs_to_settle": None}))))
    assert "inconclusive ~9" in shown
    assert "~N: so many runs a side" in shown
    assert "response.max: more than 100 runs a side" in shown


def test_doubts_are_told() -> None:
    unlike = Difference(kind="machine", what="cpus", file="b.wsload", base="2", new="64")
    shown = text(
        made(
            made_row(alone=True, at_least=True, **STEADY),
            differences=[unlike],
            warnings=["one run a side"],
            skipped=[
                Skipped(metric="connect.p50", why="too few messages"),
                Skipped(metric="rate", why="too short"),
                Skipped(metric="connect.p99", why="too few messages"),
            ],
        )
    )
    for words in (
        "not alike: b.wsload: cpus is 64, and 2 in the first run",
        "one run a side",
        "response.p99: alone this would be a change",
        "response.p99: lower bounds",
        "left out: connect.p50, connect.p99: too few messages",
        "left out: rate: too short",
    ):
        assert words in " ".join(shown.split())


def test_nothing_to_compare_is_said_in_few_words() -> None:
    shown = render(made(verdict="inconclusive"), 100)
    assert [line.plain.strip() for line in shown[2:4]] == [
        "nothing was compared",
        "inconclusive: nothing could be compared",
    ]


def test_every_run_is_a_dot() -> None:
    lines = text(made(made_row())).splitlines()
    base, new = (line for line in lines if line.rstrip().count("│") == 2)
    assert base.count("•") == new.count("•") == 2
    assert base.index("•") < new.index("•")


@pytest.mark.parametrize(
    ("low", "high", "sign"), [(0.2, 0.9, "◂"), (1.2, 9.0, "▸"), (1e-300, 1e300, "◂"), (1e-300, 1e300, "▸")]
)
def test_an_interval_off_the_axis_points_where_it_goes(low: float, high: float, sign: str) -> None:
    rows = [made_row(f"response.p{n}", **STEADY) for n in (50, 90)]
    shown = text(made(*rows, made_row(low=low, high=high)))
    assert sign in shown


def test_names_of_strangers_are_harmless_everywhere() -> None:
    comparison = made(made_row(message="\x1b[2J<b>|`x`"), base=Side(named="\x1b]0;x\x07", runs=[]))
    shown, markdown = text(comparison), to_markdown(comparison)
    for form in (shown, markdown, to_junit(comparison, strict=False)):
        assert "\x1b" not in form
        assert "\x07" not in form
    assert "<b>" not in markdown
    row = next(line for line in markdown.splitlines() if line.startswith("| response"))
    assert row.replace("\\|", "").count("|") == 8
    assert len(XmlTree.fromstring(to_junit(comparison, strict=False)).findall(".//testcase")) == 1


def test_markdown_has_a_row_for_each_metric() -> None:
    markdown = to_markdown(made(made_row(), made_row("response.p50", **STEADY)))
    assert markdown.startswith("### ✗ wsload compare: REGRESSED: response.p99 +20.0 %")
    assert "| response.p50 | 10.0 ms | 10.0 ms | +0.0 % | -1.0 % to +1.0 % | ±5 % | unchanged |" in markdown


@pytest.mark.parametrize(("strict", "failures", "skipped"), [(False, 1, 1), (True, 2, 0)])
def test_junit_fails_what_regressed_and_skips_what_is_open(strict: bool, failures: int, skipped: int) -> None:
    rows = made_row(), made_row("response.p50", **STEADY), made_row("response.max", **UNSURE)
    suite = XmlTree.fromstring(to_junit(made(*rows), strict=strict)).find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["3", str(failures), str(skipped)]
    assert len(suite.findall(".//failure")) == failures
    assert len(suite.findall(".//skipped")) == skipped


def test_shares_are_told_in_percentage_points() -> None:
    failures = made_row(
        "failures", unit="share", scale="difference", base=0.001, new=0.021, change=0.02, low=0.01, high=0.03
    )
    assert headline(made(failures)) == "REGRESSED: failures +2.00 pp"
    row = next(line for line in text(made(failures)).splitlines() if line.startswith("  failures"))
    assert row.split()[:7] == ["failures", "0.100", "%", "2.100", "%", "+2.00", "pp"]


def test_nothing_to_compare_is_said() -> None:
    assert "nothing could be compared" in text(made(curve=[]))


def test_it_is_printed_without_colour_into_a_pipe() -> None:
    pipe = io.StringIO()
    print_comparison(made(made_row()), pipe)
    assert "REGRESSED" in pipe.getvalue()
    assert "\x1b" not in pipe.getvalue()
