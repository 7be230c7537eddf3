"""What browsers are told: everything at once, then what is new, then that it is over."""

import asyncio
import json
from pathlib import Path
from typing import Any

from report.export_samples import write_run
from report.html.pages import busy_interval, run_of
from samples import make_header, make_interval
from wsload.report.html.page import page
from wsload.report.web.feed import Feed, event, update
from wsload.results import RunFileWriter


def begun(path: Path) -> RunFileWriter:
    writer = RunFileWriter.create(path, make_header())
    writer.append([busy_interval(0), busy_interval(1)])
    return writer


async def told(feed: Feed) -> list[dict[str, Any]]:
    return [one async for one in feed.updates()]


def test_a_run_that_goes_on_is_told_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = begun(path)

    async def follow() -> list[dict[str, Any]]:
        found = []
        async for one in Feed(path, period_s=0).updates():
            found.append(one)
            if len(found) == 1:
                writer.append([busy_interval(2)])
            elif len(found) == 2:
                writer.finish("completed", "")
        return found

    first, second, last = asyncio.run(follow())
    assert [one["state"] for one in (first, second, last)] == ["running", "running", "completed"]
    # Charts are drawn anew at most four times a window: those in between have no numbers.
    assert [one["time"][1] for one in (first, last)] == [2, 3]
    assert len(last["sources"]["time-0"]["sent"]) == 3
    assert last["sources"]["cells-0"]["image"]["shape"][1] == 3
    assert first["shape"] == last["shape"]


def test_a_closed_view_tells_the_last_news(tmp_path: Path) -> None:
    writer = begun(tmp_path / "a.wsload")

    async def close() -> list[dict[str, Any]]:
        feed = Feed(tmp_path / "a.wsload")
        feed.close()
        return await told(feed)

    (only,) = asyncio.run(close())
    assert (only["state"], only["closing"]) == ("running", True)
    assert "sources" in only
    writer.close()


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    (only,) = asyncio.run(told(Feed(tmp_path / "none.wsload")))
    assert only["state"] == "lost"
    assert "no such file" in only["text"]


def test_an_event_is_one_line_of_json_in_which_nothing_is_markup(tmp_path: Path) -> None:
    run = run_of(write_run(tmp_path, *map(busy_interval, range(3))))
    text = event(update(run, charts=True))
    head, body, end = text.partition("data: ")[0], text.removeprefix("data: ").rstrip("\n"), text[-2:]
    assert (head, end, "\n" in body) == ("", "\n\n", False)
    assert "<script>" not in json.loads(body)["parts"]["tables"]


def test_a_page_knows_the_shape_that_its_feed_tells(tmp_path: Path) -> None:
    run = run_of(write_run(tmp_path, make_interval(0)), "a")
    assert f'data-shape="{update(run, charts=True)["shape"]}"' in page([run], live="events")


def test_parts_alone_are_small(tmp_path: Path) -> None:
    run = run_of(write_run(tmp_path, *(make_interval(index) for index in range(3000))), "a")
    assert "sources" not in update(run, charts=False)
    assert len(event(update(run, charts=True))) < 400_000
