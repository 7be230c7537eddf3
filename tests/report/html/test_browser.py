"""The page in a browser: it draws, filters, jumps, and runs nothing of a stranger's."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from report.browsing import complaints, until
from report.html.pages import busy_run, events, run_of
from wsload.report.html.page import page

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    target = folder / "page.html"
    target.write_text(page([run_of(busy_run(folder))], events()), encoding="utf-8")
    return target.as_uri()


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    """The page with its charts drawn; anything that goes wrong in it is an error of the test."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    wrong: list[str] = []
    tab.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None)
    tab.goto(address)
    tab.evaluate("wsload.ready")
    yield tab
    assert tab.evaluate("window.pwned") is None
    assert wrong == []
    tab.close()


def test_all_charts_are_drawn_at_both_widths(opened: Any) -> None:
    for width in (1280, 390):
        opened.set_viewport_size({"width": width, "height": 900})
        assert opened.locator(".plot .bk-Figure").count() == 8
        assert opened.evaluate("document.documentElement.scrollWidth") == width


def test_buttons_move_the_time_of_all_charts(opened: Any) -> None:
    shown = "(() => { const r = wsload.model('time'); return [r.start, r.end]; })()"
    whole = opened.evaluate(shown)
    opened.get_by_role("button", name="Zoom in").press("Enter")
    start, end = opened.evaluate(shown)
    assert end - start == pytest.approx((whole[1] - whole[0]) / 2)
    opened.get_by_role("button", name="Later").click()
    assert opened.evaluate(shown)[1] == pytest.approx(whole[1])
    opened.get_by_role("button", name="Whole run").click()
    assert opened.evaluate(shown) == whole


def rows(tab: Any) -> int:
    return int(tab.locator("#timeline-list li").count())


def test_the_timeline_is_searched_and_filtered(opened: Any) -> None:
    assert rows(opened) == 41
    opened.get_by_label("Search").fill('"id": 7')
    assert rows(opened) == 1
    opened.get_by_label("Search").fill("")
    opened.get_by_role("textbox", name="Connection").fill("#1")
    assert rows(opened) == 21
    opened.get_by_label("Direction").select_option("in")
    assert rows(opened) == 10
    opened.get_by_label("Type").select_option("binary")
    assert rows(opened) == 0
    assert opened.locator("#timeline-count").inner_text() == "0 of 41 events"


def test_json_is_laid_out_and_bytes_are_dumped(opened: Any) -> None:
    opened.locator("#timeline-list button").nth(0).click()
    assert opened.locator("#timeline-list pre").inner_text() == '{\n  "id": 0\n}'
    opened.locator("#timeline-list button").nth(0).click()
    opened.locator("#timeline-list button").nth(1).press("Enter")
    dumped = opened.locator("#timeline-list pre").inner_text()
    assert dumped.splitlines()[0].startswith("000000  00 01 02 03")
    assert dumped.splitlines()[2].endswith("  !\"#$%&'"), "the last line holds eight bytes of text"


def test_what_a_server_sent_is_shown_and_not_run(opened: Any) -> None:
    opened.get_by_label("Direction").select_option("none")
    opened.locator("#timeline-list button").first.click()
    shown = opened.locator("#timeline-list pre").inner_text()
    assert "<script>window.pwned = 1</script>" in shown
    assert "\\u{1b}]0;title\\u{7}" in shown
    assert "\\u{202e}" in shown


def test_a_click_on_a_chart_jumps_to_its_messages(opened: Any) -> None:
    opened.locator("#chart-rate .bk-Figure").click(position={"x": 400, "y": 120})
    until(opened, "document.querySelector('[name=from]').value !== ''")
    assert 0 < rows(opened) < 41


def test_what_is_printed_is_light_and_drawn_at_once(browser: Any, address: str) -> None:
    tab = browser.new_page(color_scheme="dark")
    wrong = complaints(tab)
    tab.goto(address)
    tab.evaluate("wsload.ready")
    axis = "wsload.models().find((m) => m.type === 'LogAxis').major_label_text_color"
    dark = tab.evaluate(axis)
    waiting = "wsload.views.filter((view) => view._needs_paint).length"
    tab.evaluate(
        f"matchMedia('print').addEventListener('change', (print) => "
        f"{{ if (print.matches) window.printed = [{axis}, {waiting}, getComputedStyle(document.body).color]; }})"
    )
    tab.pdf()
    assert tab.evaluate("window.printed") == ["#444", 0, "rgb(0, 0, 0)"]
    until(tab, f"{axis} === {dark!r}")
    assert wrong == []
    tab.close()


def test_the_keyboard_goes_everywhere(opened: Any) -> None:
    opened.keyboard.press("Tab")
    skip = opened.get_by_role("link", name="Skip to the figures")
    assert skip.evaluate("(link) => link === document.activeElement && link.getBoundingClientRect().left >= 0")
    opened.keyboard.press("Enter")
    reached: list[str] = []
    for _ in range(60):
        opened.keyboard.press("Tab")
        reached.append(str(opened.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent")))
    assert [word for word in reached if word in {"Whole run", "Zoom in", "Zoom out", "Earlier", "Later"}] == [
        "Whole run",
        "Zoom in",
        "Zoom out",
        "Earlier",
        "Later",
    ]
    # Messages are buttons, and what is behind them comes next.
    opened.locator("#timeline-list button").nth(3).focus()
    opened.keyboard.press("Enter")
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.tagName") == "PRE"


def test_a_screen_reader_finds_its_way(opened: Any) -> None:
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert opened.get_by_role(landmark).count() == 1
    levels = opened.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))")
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = (
        "(found) => found.filter((one) => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)).length"
    )
    assert opened.locator("input, select, button").evaluate_all(unnamed) == 0
    # What a chart shows stands beside it in words, and its numbers in a table.
    for chart in opened.get_by_role("img").all():
        assert (
            chart.evaluate("(one) => document.getElementById(one.getAttribute('aria-describedby')).textContent.length")
            > 20
        )
    opened.get_by_text("By time").click()
    assert opened.locator("#course tbody tr").count() == 20


def test_several_runs_are_told_apart(browser: Any, tmp_path: Path) -> None:
    files = [busy_run(tmp_path, f"{name}.wsload", seconds) for name, seconds in (("a", 20), ("b", 15), ("c", 10))]
    target = tmp_path / "page.html"
    target.write_text(page([run_of(path, path.stem) for path in files]), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 390, "height": 900})
    wrong = complaints(tab)
    tab.goto(target.as_uri())
    tab.evaluate("wsload.ready")
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    lines = "wsload.model('rate').renderers.map((one) => one.glyph.line_color.value ?? one.glyph.line_color)"
    assert len(set(tab.evaluate(lines))) == 3
    assert tab.locator(".swatch").count() >= 3
    # However many rows a legend has, the lines keep their room.
    inner = "wsload.views.filter((view) => view.frame).map((view) => view.frame.bbox.height)"
    assert min(tab.evaluate(inner)) > 150
    ends = [tab.evaluate(f"Math.max(...wsload.model('time-{number}').data.t)") for number in range(3)]
    assert ends == [19.5, 14.5, 9.5]
    assert wrong == []
    tab.close()


def test_dark_pages_have_dark_charts(browser: Any, address: str) -> None:
    tab = browser.new_page(color_scheme="dark")
    tab.goto(address)
    tab.evaluate("wsload.ready")
    colour = "wsload.models().find((m) => m.type === 'Legend').label_text_color"
    dark = tab.evaluate(colour)
    tab.emulate_media(color_scheme="light")
    until(tab, f"{colour} !== {dark!r}")
    tab.close()
