"""Runs of every awkward shape through everything that shows a run: each is shown, in bounds, and harmless."""

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from report.export_samples import HOSTILE
from report.html.pages import busy_interval
from report.html.timeline_events import numbered
from samples import SECOND, encode, make_header, make_interval
from wsload.errors import RunFileError
from wsload.report import export
from wsload.report.html import render_page
from wsload.report.html.charts import Run
from wsload.report.terminal import render
from wsload.report.web.feed import event, update
from wsload.report.web.messages import look_up
from wsload.results import Event, Failure, Interval, RunFileWriter, read_record, read_summary
from wsload.results.header import Header

MAX_PAGE_BYTES = 3_000_000
MAX_UPDATE_BYTES = 400_000
QUOTED = 'it\'s "quoted" `so` \\ and 100%'
EMOJI = "🙂👩‍👩‍👧 naïve"
RIGHT_TO_LEFT = "\u202eשלום עולם\u202c"
NAMES = (QUOTED, EMOJI, RIGHT_TO_LEFT, HOSTILE)


def written(
    path: Path, intervals: list[Interval], events: list[Event], *, finished: bool = True, header: Header | None = None
) -> Path:
    writer = RunFileWriter.create(path, header or make_header())
    writer.write_epoch(5_000, 1_700_000_000 * SECOND)
    writer.append(intervals)
    writer.append_events(events)
    if finished:
        writer.finish("completed", "")
    writer.close()
    return path


def empty(path: Path) -> Path:
    return written(path, [], [])


def unfinished(path: Path) -> Path:
    return written(path, [busy_interval(0), busy_interval(1)], [numbered(0)], finished=False)


def one_interval(path: Path) -> Path:
    return written(path, [busy_interval(0)], [numbered(0)])


def ten_days(path: Path) -> Path:
    """In twice as many intervals as the writer leaves of them, and with a timeline that is full."""
    each, known = 432 * SECOND, busy_interval(0)
    many = [replace(known, index=i, start_ns=i * each, end_ns=(i + 1) * each) for i in range(2_000)]
    events = [numbered(number)._replace(at_ns=number * 43 * SECOND) for number in range(20_000)]
    return written(path, many, events)


def no_failures(path: Path) -> Path:
    return written(path, [replace(busy_interval(second), failures=()) for second in range(3)], [numbered(0)])


def all_failures(path: Path) -> Path:
    """Every connection was refused, every message left unsent."""
    failures = (Failure("refused", HOSTILE, 100, 5, HOSTILE), Failure("unanswered", "", 10**6, 5, HOSTILE))
    counters = {"due": 10**6, "unsent": 10**6}
    seconds = [
        make_interval(i, counters=counters, gauges={}, failures=failures, histograms={}, close_codes={1006: 10**6})
        for i in range(3)
    ]
    return written(path, seconds, [numbered(0)._replace(kind="failed", direction="", failure="refused")])


def zero_messages(path: Path) -> Path:
    """Connections that only listened, and heard nothing."""
    histograms = {("connect", ""): encode(300_000)}
    counters = {"connects_opened": 10}
    seconds = [make_interval(i, counters=counters, failures=(), histograms=histograms) for i in range(3)]
    return written(path, seconds, [])


def strange_names(path: Path) -> Path:
    """Quotes, emoji, right-to-left text and markup, wherever a name can stand."""
    histograms = {("response_time", name): encode(50_000 * (place + 1)) for place, name in enumerate(NAMES)}
    failures = tuple(Failure("upgrade_rejected", name, 1, 5, name) for name in NAMES)
    negotiated = {("subprotocol", name): 1 for name in NAMES}
    second = replace(busy_interval(0), histograms=histograms, failures=failures, negotiated=negotiated)
    header = make_header()
    labels = {f"label{place}": name for place, name in enumerate(NAMES)}
    changed = header.model_copy(update={"labels": labels})
    events = [numbered(place)._replace(name=name, payload=name.encode()) for place, name in enumerate(NAMES)]
    return written(path, [second], events, header=changed)


SHAPES: list[Callable[[Path], Path]] = [
    empty,
    unfinished,
    one_interval,
    ten_days,
    no_failures,
    all_failures,
    zero_messages,
    strange_names,
]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: shape.__name__)
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Callable[[Path], Path] = request.param
    return made(tmp_path_factory.mktemp("shapes") / f"{made.__name__}.wsload")


def tampering(text: str) -> set[str]:
    """What moves a cursor or turns the direction of a line."""
    controls = {char for char in text if unicodedata.category(char) == "Cc"}
    return controls - set("\r\n\t") | ({"\u202e"} & set(text))


class Tags(HTMLParser):
    """The names of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.found.append(tag)


def test_the_terminal_shows_it(path: Path) -> None:
    for width in (40, 80, 120):
        lines = [line.plain for line in render(read_summary(path), width)]
        assert lines
        assert not tampering("\n".join(lines))


def test_its_page_is_whole_small_and_harmless(path: Path) -> None:
    text = "".join(render_page([path]))
    assert len(text.encode()) < MAX_PAGE_BYTES
    assert not tampering(text)
    assert Tags(text).found.count("main") == 1
    assert "alert(1)</script>" not in text
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL):
        json.loads(block)


@pytest.mark.parametrize("name", sorted(export.FORMATS))
def test_every_format_holds_it(path: Path, name: str) -> None:
    text = "".join(export.render(path, name))
    if name in {"json", "ndjson"}:
        documents = [text] if name == "json" else text.splitlines()
        assert all(isinstance(json.loads(one), dict) for one in documents)
        return
    assert not tampering(text)
    if name == "junit":
        ET.fromstring(text)


def test_the_live_page_is_told_little(path: Path) -> None:
    told = event(update(Run(HOSTILE, read_record(path, [])), charts=True))
    assert len(told) < MAX_UPDATE_BYTES
    assert not tampering(told)
    assert len(look_up(path, {"follow": "on"})["events"]) <= 200


def test_the_outcome_is_said(path: Path) -> None:
    page, shown = "".join(render_page([path])), " ".join(line.plain for line in render(read_summary(path), 120))
    for text in (page, shown):
        assert ("unfinished" in text) == (path.stem == "unfinished")
    assert ("no result" in page) == (path.stem in {"empty", "all_failures"})


@pytest.mark.parametrize("content", [b"", b"\0" * 5_000, b"SQLite format 3\0" + b"x" * 4_000, b"not a run\n"])
def test_what_is_no_run_file_is_said_by_everything(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none.wsload"
    path.write_bytes(content)
    for show in (
        lambda: read_summary(path),
        lambda: "".join(render_page([path])),
        lambda: "".join(export.render(path, "csv")),
        lambda: look_up(path, {}),
    ):
        with pytest.raises(RunFileError, match=r"none\.wsload"):
            show()
