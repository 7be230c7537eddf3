"""The page: complete, small, and deaf to what servers write into it."""

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from report.export_samples import HOSTILE, write_run
from report.html.pages import PAYLOAD, busy_run, events, run_of
from samples import SECOND, encode, make_header, make_interval
from wsload.errors import RunFileError
from wsload.report.html import render_page
from wsload.report.html.columns import suspect_spans
from wsload.report.html.page import fragments, names, page
from wsload.report.html.timeline import MAX_BYTES, MAX_EVENTS, recorded, timeline_data
from wsload.results import Event, Failure, RunFileWriter
from wsload.results.verdict import Reason

LIMIT_BYTES = 3_000_000
THRESHOLD = "response.p99 < 5ms"


class Outline(HTMLParser):
    """What a browser makes of the page: its elements, its text, its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self._inside == "script" and data.strip() else self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def headings(self) -> list[str]:
        return [dict(attrs).get("id") or "" for tag, attrs in self.tags if tag == "h3"]


def test_one_file_that_asks_no_network_for_anything(tmp_path: Path) -> None:
    text = "".join(render_page([busy_run(tmp_path)]))
    assert len(text.encode()) < LIMIT_BYTES
    outline = Outline(text)
    addresses = [value for _, attrs in outline.tags for name, value in attrs.items() if name in {"src", "href"}]
    assert all(address and address.startswith("#") for address in addresses)
    (policy,) = [attrs["content"] for _, attrs in outline.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_what_a_server_sends_is_text_and_nothing_else(tmp_path: Path) -> None:
    clean = Outline(page([run_of(write_run(tmp_path, make_interval(0)), "plain", THRESHOLD)], events()))
    text = page([run_of(busy_run(tmp_path), PAYLOAD, THRESHOLD)], events())
    outline = Outline(text)
    assert "<script>alert(1)</script>" in outline.text
    assert not [attrs for tag, attrs in outline.tags if "onerror" in attrs or tag == "img"]
    # Scripts of the page and blocks of data, as many as on a page without a stranger's word.
    assert len(outline.scripts) == len(clean.scripts)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_every_part_is_there(tmp_path: Path) -> None:
    run = run_of(busy_run(tmp_path), HOSTILE, THRESHOLD)
    outline = Outline(page([run], events()))
    keys = [key.removeprefix("title-") for key in outline.headings() if key]
    assert keys == ["rate", "latency", "heat-0", "failures", "connections", "tail", "lag", "cpu"]
    for words in (
        "figures trusted",
        "0 of 1 threshold kept",
        "failed response.p99 < 5ms ≥1.00 s",
        "Response time by message",
        "Close codes received",
        "1001 going away",
        "Agreed with the server",
        "40 × upgrade rejected",
        "Scenario, as resolved",
        "seed",
        "arrivals without a kernel time stamp",
    ):
        assert words in outline.text, words
    ids = {attrs.get("id") for _, attrs in outline.tags}
    described = [attrs for _, attrs in outline.tags if attrs.get("role") == "img"]
    assert len(described) == len(keys)
    assert all(attrs["aria-describedby"] in ids and attrs["aria-labelledby"] in ids for attrs in described)
    assert {"data-charts", "data-timeline", "timeline"} <= ids


def test_without_events_there_is_no_viewer(tmp_path: Path) -> None:
    outline = Outline(page([run_of(busy_run(tmp_path))]))
    assert "timeline" not in {attrs.get("id") for _, attrs in outline.tags}
    assert "Timeline" not in outline.text


def test_several_runs_lie_over_each_other(tmp_path: Path) -> None:
    paths = [busy_run(tmp_path, "a.wsload"), busy_run(tmp_path, "b.wsload", 5)]
    outline = Outline("".join(render_page(paths)))
    charts = json.loads(next(script for script in outline.scripts if '"documents"' in script))
    assert {"time-0", "time-1", "heat-0", "heat-1", "tail-1-response_time"} <= set(found_names(charts))
    assert "2 runs" in outline.text
    assert outline.text.count("figures trusted") == 2


def found_names(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["name"]] if isinstance(value.get("name"), str) else []
        return own + [name for part in value.values() for name in found_names(part)]
    return [name for part in value for name in found_names(part)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    "intervals",
    [
        (),
        (make_interval(0, counters={}, gauges={}, failures=(), histograms={}),),
        (make_interval(0),),
        (make_interval(0, failures=()), make_interval(1, failures=())),
        (make_interval(0, histograms={("response_time", "m"): encode(1)}),),
        (make_interval(0, start_ns=-SECOND, end_ns=0),),
        (make_interval(0, histograms={("response_censored", "m"): encode(SECOND)}),),
        (make_interval(0, counters={"received": 9, "pushes": 9}, histograms={("push_gap", ""): encode(5_000)}),),
    ],
)
def test_a_run_of_any_shape_has_a_page(tmp_path: Path, intervals: tuple[Any, ...]) -> None:
    text = "".join(render_page([write_run(tmp_path, *intervals, finished=False)]))
    assert "unfinished" in Outline(text).text


def test_ten_days_are_as_small_as_ten_minutes(tmp_path: Path) -> None:
    hours = [make_interval(i, start_ns=i * 3600 * SECOND, end_ns=(i + 1) * 3600 * SECOND) for i in range(240)]
    many = [make_interval(i, start_ns=i * 60 * SECOND, end_ns=(i + 1) * 60 * SECOND) for i in range(2000)]
    for number, intervals in enumerate((hours, many)):
        path = write_run(tmp_path, *intervals, name=f"{number}.wsload")
        assert len("".join(render_page([path]))) < LIMIT_BYTES


def test_a_file_of_an_earlier_version_has_a_page() -> None:
    fixture = Path(__file__).parents[2] / "results/fixtures/v1.wsload"
    outline = Outline("".join(render_page([fixture])))
    assert "title-latency" in outline.headings()


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="no such file"):
        "".join(render_page([tmp_path / "none.wsload"]))


def test_files_are_told_apart() -> None:
    assert names([Path("a/x.wsload"), Path("b/y.wsload")]) == ["x", "y"]
    assert names([Path("a/x.wsload"), Path("b/x.wsload")]) == ["a/x.wsload", "b/x.wsload"]
    assert names([Path("x.wsload"), Path("x.wsload")]) == ["x.wsload (1)", "x.wsload (2)"]


def test_parts_that_change_are_escaped_as_the_page_is(tmp_path: Path) -> None:
    parts = fragments([run_of(busy_run(tmp_path))])
    assert sorted(parts) == ["head", "tables", "thresholds", "tiles"]
    assert HOSTILE.split()[0] not in "".join(parts.values())
    assert "&lt;script&gt;" in parts["tables"]


def test_a_long_timeline_is_thinned_and_its_payloads_are_cut() -> None:
    for sign in ("x", "<", "🙂"):
        payload = {"text": sign * 1000, "base64": base64.b64encode(bytes(999)).decode()}
        many = [{"time_ns": n, "connection": 0, "size": 1000, **payload} for n in range(MAX_EVENTS * 2 + 5)]
        data = timeline_data(many)
        assert data["total"] == len(many)
        assert len(data["events"]) <= MAX_EVENTS
        assert set(data["events"][0]["text"]) == {sign}
        assert all(base64.b64decode(event["base64"], validate=True) is not None for event in data["events"])
        assert data["events"][-1].get("cut")
        assert len(json.dumps(data).replace("<", "\\u003c")) < MAX_BYTES + 120 * MAX_EVENTS
        assert MAX_BYTES + 120 * MAX_EVENTS < LIMIT_BYTES - 1_330_000


def test_a_run_that_came_to_nothing_says_so(tmp_path: Path) -> None:
    failures = (Failure("refused", "", 30, -5, "Connection refused"),)
    ramp = make_interval(0, start_ns=-50_000_000, end_ns=0, counters={}, gauges={}, failures=failures, histograms={})
    outline = Outline("".join(render_page([write_run(tmp_path, ramp)])))
    assert "no result" in outline.text
    assert "no connection opened" in outline.text
    assert "figures trusted" not in outline.text
    assert [key for key in outline.headings() if key] == ["title-failures"]


def test_what_is_suspect_is_marked_unless_all_of_it_is(tmp_path: Path) -> None:
    reason = Reason(kind="stolen", text="t", remedy="r", evidence={})
    for suspect, spans in (({2, 3, 7}, [(2, 4), (7, 8)]), (set(range(8)), [])):
        intervals = [make_interval(i, suspicions=(reason,) if i in suspect else ()) for i in range(10)]
        run = run_of(write_run(tmp_path, *intervals, name=f"{len(suspect)}.wsload"))
        assert suspect_spans(run.record) == [(start * SECOND, end * SECOND) for start, end in spans]


def test_the_messages_that_a_file_keeps_are_in_its_page(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(path, make_header())
    writer.append([make_interval(0)])
    known = Event(5, 3, 1, 0, "sent", "text", "say", 9, None, None, None, 0, 1, b"")
    writer.append_events(
        [
            known._replace(payload=PAYLOAD.encode()),
            known._replace(at_ns=9, seq=1, direction="received", kind="binary", latency_ns=4_000, payload=b"\xff\x00"),
            known._replace(at_ns=12, seq=2, direction="", kind="close", name=None, code=1001, payload=b"bye"),
        ]
    )
    writer.finish("completed", "")
    events, total = recorded(path)
    assert total == 3
    assert [(event["direction"], event["opcode"], event["note"]) for event in events] == [
        ("out", "text", "say"),
        ("in", "binary", "say · response time 4.00 µs"),
        (None, "close", "code 1001"),
    ]
    assert (events[0]["text"], events[1]["base64"], events[2]["text"]) == (PAYLOAD, "/wA=", "bye")
    outline = Outline("".join(render_page([path])))
    assert "timeline" in {attrs.get("id") for _, attrs in outline.tags}
