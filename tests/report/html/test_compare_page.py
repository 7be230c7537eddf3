"""The page of a comparison: everything of the text is on it, strangers' names are harmless, and it draws."""

import math
from pathlib import Path
from typing import Any

import pytest

from report.browsing import until
from report.export_samples import HOSTILE
from report.test_compare import MS, STEADY, UNSURE, made, made_row
from wsload.analysis.model import CurvePoint, RunInfo, Side
from wsload.report.html.compare import render_comparison
from wsload.report.html.compare_charts import charts

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def point(quantile: float, base: float, new: float, spread: float | None = 0.1) -> CurvePoint:
    sides = {"base": base * MS, "new": new * MS, "ratio": new / base}
    ends: dict[str, Any] = {}
    for name, value in sides.items():
        ends |= {f"{name}_low": spread and value * (1 - spread), f"{name}_high": spread and value * (1 + spread)}
    return CurvePoint(quantile=quantile, **sides, **ends)


CURVE = [point(0.5, 5, 5.5), point(0.9, 8, 9), point(0.99, 20, 31, None)]


def hostile() -> Any:
    run = RunInfo(file=HOSTILE, started_at="2026-11-23T10:15:02+00:00", target=HOSTILE, labels={HOSTILE: HOSTILE})
    side = Side(named=HOSTILE, runs=[run, run])
    rows = [made_row(message=HOSTILE), made_row("service.p99", **STEADY), made_row("connect.p50", **UNSURE)]
    return made(*rows, base=side, new=side, curve=CURVE, warnings=[HOSTILE])


def test_every_metric_has_its_row_and_nothing_of_a_stranger_is_markup() -> None:
    page = render_comparison(hostile())
    for words in ("response.p99[", "service.p99", "+20.0 %", "+10.0 % to +30.0 %", "inconclusive ~9", "±5 %"):
        assert words in page
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert page.count("2026-11-23 10:15") == 4
    assert "http://" not in page.partition("<script")[0]


def test_a_chart_needs_something_to_draw() -> None:
    assert [one.key for one in charts(hostile())] == ["curve", "ratio", "runs"]
    alone = Side(named="a", runs=made().base.runs[:1])
    assert charts(made(made_row(), base=alone, new=alone)) == []
    nothing = made()
    assert [one.key for one in charts(nothing)] == []
    assert "inconclusive" in render_comparison(nothing)


def test_bands_stay_on_the_axis_where_an_end_is_unknown() -> None:
    wild = CurvePoint(
        quantile=0.999, base=10.0 * MS, base_low=0.0, base_high=1e18, new=12.0 * MS, new_low=None, new_high=None,
        ratio=1.2, ratio_low=0.0, ratio_high=math.inf,
    )  # fmt: skip
    curve, ratio, _ = charts(made(made_row(), curve=[*CURVE, wild]))
    assert 0 < curve.figure.y_range.start < curve.figure.y_range.end <= 3.6e6 * 1.3
    assert 0 <= ratio.figure.y_range.start < 1 < ratio.figure.y_range.end < 10


def test_it_draws_at_both_widths_in_a_browser(browser: Any, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text(render_comparison(hostile()), encoding="utf-8")
    wrong: list[str] = []
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(target.as_uri())
    tab.evaluate("wsload.ready")
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.locator(".plot .bk-Figure").count() == 3
        # Figures follow the window in their own time.
        until(tab, "document.documentElement.scrollWidth === innerWidth")
    assert (wrong, tab.evaluate("window.pwned")) == ([], None)
    tab.close()
