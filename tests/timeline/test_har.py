"""HAR: what browsers record comes in, what wsload keeps goes out."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from recordings import EPOCH_UNIX_NS, SESSION, write
from samples import make_header
from wsload.errors import UsageError
from wsload.results import Flag, RunFile
from wsload.timeline.har import export, read
from wsload.timeline.store import import_har


def chromium(*messages: dict[str, Any], **entry: Any) -> dict[str, Any]:
    """An entry as DevTools writes it."""
    return {
        "_resourceType": "websocket",
        "_webSocketMessages": list(messages),
        "request": {"method": "GET", "url": "ws://127.0.0.1:9/chat", "headers": []},
        "startedDateTime": "2026-11-23T10:00:00.250Z",
        **entry,
    }


def har(tmp_path: Path, *entries: Any) -> Path:
    path = tmp_path / "a.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": list(entries)}}), encoding="utf-8")
    return path


START = 1_795_428_000.25
START_NS = 1_795_428_000_250_000_000
SEND = {"type": "send", "time": START + 0.5, "opcode": 1, "data": '{"é": 1}'}
RECEIVE = {"type": "receive", "time": START + 0.75, "opcode": 2, "data": base64.b64encode(b"\x00\xff").decode()}


def test_a_recording_of_chromium_becomes_a_timeline(tmp_path: Path) -> None:
    page = {"request": {"url": "http://127.0.0.1/"}, "startedDateTime": "2026-11-23T09:00:00Z"}
    error = {"type": "receive", "time": START + 1, "opcode": -1, "data": "x"}
    recording = read(har(tmp_path, page, chromium(SEND, RECEIVE, error)))
    assert (recording.url, recording.connections) == ("ws://127.0.0.1:9/chat", 1)
    assert recording.epoch_unix_ns == START_NS
    assert [(e.kind, e.direction, e.at_ns, e.payload) for e in recording.events] == [
        ("connect", "", 0, b"ws://127.0.0.1:9/chat"),
        ("open", "", 0, b""),
        ("text", "sent", 500_000_000, '{"é": 1}'.encode()),
        ("binary", "received", 750_000_000, b"\x00\xff"),
        ("end", "", 750_000_000, b""),
    ]


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    document = export(make_header(), EPOCH_UNIX_NS, SESSION)
    path = tmp_path / "out.har"
    path.write_text(document, encoding="utf-8")
    again = read(path)
    messages = [(e.kind, e.direction, e.payload) for e in SESSION if e.is_message]
    assert sorted(messages) == sorted((e.kind, e.direction, e.payload) for e in again.events if e.is_message)
    entry = json.loads(document)["log"]["entries"][0]
    assert (entry["request"]["url"], entry["response"]["status"]) == ("ws://127.0.0.1:9000/echo", 101)
    assert entry["_webSocketMessages"][0]["time"] == pytest.approx(EPOCH_UNIX_NS / 1e9 + 0.010, abs=1e-6)


def test_what_was_cut_or_redacted_is_said_in_the_export() -> None:
    text = SESSION[2]._replace(size=900, flags=int(Flag.CUT | Flag.REDACTED), payload="é".encode()[:1])
    (entry,) = json.loads(export(make_header(), EPOCH_UNIX_NS, [text]))["log"]["entries"]
    (message,) = entry["_webSocketMessages"]
    assert (message["_cutFromBytes"], message["_redacted"], message["opcode"]) == (900, True, 2)
    assert base64.b64decode(message["data"]) == b"\xc3"


def test_what_was_cut_or_redacted_is_known_after_an_import(tmp_path: Path) -> None:
    marked = {**SEND, "_cutFromBytes": 900, "_redacted": True}
    foreign = {**SEND, "_cutFromBytes": True, "_redacted": "no"}
    messages = [one for one in read(har(tmp_path, chromium(marked, foreign))).events if one.is_message]
    whole = len(str(SEND["data"]).encode())
    assert [(one.size, one.flags) for one in messages] == [(900, int(Flag.CUT | Flag.REDACTED)), (whole, 0)]


def test_an_imported_file_is_a_run_file(tmp_path: Path) -> None:
    second = chromium(SEND, startedDateTime="2026-11-23T10:00:01Z")
    counts = import_har(har(tmp_path, chromium(SEND, RECEIVE), second), tmp_path / "a.wsload")
    assert counts == (2, 3)
    with RunFile.open(tmp_path / "a.wsload") as run:
        assert (run.header.target, run.header.labels, run.finished) == (
            "ws://127.0.0.1:9/chat",
            {"source": "a.har"},
            True,
        )
        assert run.epoch_unix_ns == START_NS
        assert [e.kind for _, e in run.events("connection = 1", order="seq")] == ["connect", "open", "text", "end"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "has no log.entries"),
        ('{"log": {"entries": [{"request": {}}, 7]}}', "holds no WebSocket messages"),
        (json.dumps({"log": {"entries": [chromium({**RECEIVE, "data": "no base64!"})]}}), "its data is no base64"),
        (json.dumps({"log": {"entries": [chromium({**SEND, "time": "now"})]}}), "has no time"),
        (
            json.dumps({"log": {"entries": [chromium(SEND, {**SEND, "type": "?"})]}}),
            "message 2 of WebSocket connection 1",
        ),
    ],
)
def test_what_is_no_recording_is_explained(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / "bad.har"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=what) as caught:
        read(path)
    assert caught.value.remedy
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "missing.har")


def test_a_written_file_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wsload", SESSION)
    with pytest.raises(Exception, match="exists already"):
        import_har(har(tmp_path, chromium(SEND)), path)
