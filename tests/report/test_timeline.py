"""The timeline as text: one line for each event, whatever is in it."""

import json
from pathlib import Path

import pytest

from recordings import EPOCH_UNIX_NS, SESSION, event, received, sent, write
from wsload.report.timeline import Shape, detail, gist, head, json_line, payload_lines, row, rows
from wsload.results import Flag, RunFile, Why


def test_a_line_tells_when_where_what_and_how_long() -> None:
    line = row(17, SESSION[3], SESSION[2].at_ns, EPOCH_UNIX_NS, None).plain()
    assert line == (
        "     17  22:13:20.012000      0.012000   +2.00 ms        0 ← text       36 B  2.00 ms  "
        '{"type":"welcome","n":1.50,"s":"é"}'
    )


def test_a_line_fits_the_terminal() -> None:
    long = sent(1, "x" * 500)
    assert len(row(1, long, None, EPOCH_UNIX_NS, 120).plain()) == 119
    assert row(1, long, None, EPOCH_UNIX_NS, 120).plain().endswith("…")


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (received(1, "evil \x1b[2J\x07 \u202e"), "evil \\u{1b}[2J\\u{7} \\u{202e}"),
        (sent(1, "first\nsecond"), "first …"),
        (sent(1, b"\x00\xff", kind="binary"), "00 ff"),
        (received(1, b"\xff\x1b"), "ff 1b"),
        (received(1, "ab", flags=int(Flag.CUT)), "ab (cut)"),
        (event(1, "received", "close", "bye\x1b", code=1001), '1001 "bye\\u{1b}"'),
        (event(1, "sent", "close", code=1000), "1000"),
        (event(1, "", "failed", "gone\n", failure="reset"), "reset: gone\\u{a}"),
        (event(1, "", "open", "chat"), "chat"),
        (event(1, "", "end", flags=int(Flag.OUT_OF_REACH)), "earlier events had left the flight recorder"),
    ],
)
def test_what_a_server_says_moves_no_cursor(one: object, text: str) -> None:
    assert gist(one) == text  # type: ignore[arg-type]


def test_what_is_missing_on_a_connection_is_said() -> None:
    events = [(1, sent(1, "a", seq=4)), (2, sent(2, "b", seq=5)), (3, sent(3, "c", seq=9))]
    lines = [line.plain() for line in rows(events, None, None, gaps=True)]
    assert [line.strip() for line in (lines[0], lines[3])] == [
        "… 4 events of connection 0 not kept",
        "… 3 events of connection 0 not kept",
    ]
    assert len(lines) == 5
    assert len(list(rows(events, None, None, gaps=False))) == 3


def test_the_head_says_what_was_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wsload", SESSION, events_seen=5_000, events_whole=11, events_over_budget=7)
    with RunFile.open(path) as run:
        assert head(run).plain() == (
            "ws://127.0.0.1:9000/echo · 11 of 5,000 events kept: 11 of whole connections · "
            "7 more had no room (--record-limit)"
        )


def test_one_event_in_full(tmp_path: Path) -> None:
    with RunFile.open(write(tmp_path / "a.wsload", SESSION)) as run:
        ((number, found),) = run.events("kind = 'text' AND latency_ns = 2000000")
        found = found._replace(flags=int(Flag.CUT | Flag.REDACTED), size=99, why=int(Why.FAILURE | Why.SAMPLE))
        text = "\n".join(line.plain() for line in detail(run, number, found, Shape.AUTO))
    assert f"event       {number}\n" in text
    assert "kept        around failures, of sampled exchanges\n" in text
    assert "size        99 bytes, of which 36 are kept, a secret replaced by its name\n" in text
    assert text.endswith('\n\n{\n  "type": "welcome",\n  "n": 1.50,\n  "s": "é"\n}')


@pytest.mark.parametrize(
    ("payload", "shape", "lines"),
    [
        (b"a\x1b\nb", Shape.AUTO, ["a\\u{1b}", "b"]),
        (b"a\x1b", Shape.HEX, ["00000000  61 1b" + " " * 42 + "  a."]),
        (b"a\xff", Shape.TEXT, ["00000000  61 ff" + " " * 42 + "  a."]),
        (b"a", Shape.BASE64, ["YQ=="]),
        (b'{"a":1}', Shape.TEXT, ['{"a":1}']),
        (b"{not json", Shape.JSON, ["{not json"]),
    ],
)
def test_a_payload_in_every_shape(payload: bytes, shape: Shape, lines: list[str]) -> None:
    assert payload_lines(received(1, payload), shape) == lines


def test_json_lines_hold_every_byte() -> None:
    document = json.loads(json_line(4, SESSION[3], EPOCH_UNIX_NS))
    assert (document["id"], document["text"].encode(), document["why"]) == (4, SESSION[3].payload, ["connection"])
    assert document["at_unix_ns"] == EPOCH_UNIX_NS + SESSION[3].at_ns
    assert json.loads(json_line(1, SESSION[4], None))["base64"] == "AAH/"
