"""The live page in a browser: it follows, survives a reload, and shows messages as they come."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report.browsing import complaints, until
from report.html.pages import busy_interval
from report.html.timeline_events import begun, numbered
from samples import make_header
from wsload.report.web.address import Address
from wsload.report.web.child import ViewProcess
from wsload.results import RunFileWriter

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
GOING_ON = "document.getElementById('feed').textContent === 'the run is going on'"
ROWS = "document.querySelectorAll('#timeline-list li').length"


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A page of which nothing goes wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    wrong = complaints(found)
    yield found
    assert found.evaluate("window.pwned") is None
    assert wrong == []
    context.close()


def test_it_follows_its_run_and_survives_a_reload(tab: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(path, make_header())
    writer.append([busy_interval(0), busy_interval(1)])
    with ViewProcess(path, Address("127.0.0.1", 0)) as view:
        tab.goto(view.url)
        until(tab, GOING_ON)
        writer.append([busy_interval(2), busy_interval(3)])
        until(tab, "wsload.model('time-0').data.t.length === 4")
        assert tab.evaluate("wsload.model('time').end") == pytest.approx(4)
        assert tab.evaluate("wsload.model('cells-0').data.image[0].shape[1]") == 4
        tab.reload()
        until(tab, GOING_ON)
        assert tab.evaluate("wsload.model('time-0').data.t.length") == 4
        writer.finish("completed", "")
        until(tab, "document.getElementById('feed').textContent === 'the run is over: completed'")


def first(tab: Any) -> str:
    return str(tab.locator("#timeline-list .peek").first.inner_text())


def newest(tab: Any) -> str:
    return str(tab.locator("#timeline-list .peek").last.inner_text())


def test_messages_come_as_the_run_goes_on(tab: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = begun(path, 450)
    with ViewProcess(path, Address("127.0.0.1", 0)) as view:
        tab.goto(view.url)
        until(tab, f"{ROWS} === 200")
        assert "number 449!" in newest(tab)
        writer.append_events([numbered(450), numbered(451)])
        until(tab, "document.querySelector('#timeline-list li:last-child').textContent.includes('number 451!')")
        assert tab.locator("#timeline-list li").count() == 200
        assert "number 252!" in first(tab)
        # Who reads a message keeps it where it is, whatever comes.
        tab.locator("#timeline-list button").nth(5).click()
        writer.append_events([numbered(452)])
        until(tab, "document.getElementById('timeline-count').textContent.endsWith('paused')")
        assert "number 257! odd one" in tab.locator("#timeline-list pre").inner_text()
        assert "number 451!" in newest(tab)
        tab.locator("#timeline-list button").nth(5).click()
        tab.get_by_label("Search").focus()
        until(tab, "document.querySelector('#timeline-list li:last-child').textContent.includes('number 452!')")
    writer.close()


def test_messages_are_searched_on_the_server_and_paged(tab: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = begun(path, 450)
    with ViewProcess(path, Address("127.0.0.1", 0)) as view:
        tab.goto(view.url)
        until(tab, f"{ROWS} === 200")
        tab.get_by_label("Follow the newest").uncheck()
        until(tab, "document.querySelector('#timeline-list li').textContent.includes('number 0!')")
        tab.get_by_role("button", name="Show more").click()
        until(tab, f"{ROWS} === 400")
        tab.get_by_label("Search").fill("NUMBER 44")
        until(tab, f"{ROWS} === 11")  # 44 and 440 to 449
        tab.get_by_label("Direction").select_option("in")
        until(tab, f"{ROWS} === 5")
        # A page that is loaded again looks for the same.
        tab.reload()
        until(tab, f"{ROWS} === 5")
        assert tab.get_by_label("Search").input_value() == "NUMBER 44"
        assert not tab.get_by_label("Follow the newest").is_checked()
        tab.get_by_label("Direction").select_option("")
        tab.get_by_label("Search").fill("<script>")
        until(tab, f"{ROWS} === 1")
        tab.locator("#timeline-list button").first.press("Enter")
        assert "<script>alert(1)</script> \\u{1b}[31m" in tab.locator("#timeline-list pre").inner_text()
    writer.close()


def test_a_click_on_a_chart_jumps_to_its_messages(tab: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = begun(path, 450, seconds=45)
    with ViewProcess(path, Address("127.0.0.1", 0)) as view:
        tab.goto(view.url)
        until(tab, f"{ROWS} === 200")
        tab.locator("#chart-rate .bk-Figure").click(position={"x": 350, "y": 120})
        until(tab, "document.querySelector('[name=from]').value !== ''")
        assert not tab.get_by_label("Follow the newest").is_checked()
        since = float(tab.locator("[name=from]").input_value().split()[0])
        until(tab, f"document.querySelector('#timeline-list li').textContent.includes('number {int(since * 10) + 1}!')")
    writer.close()
