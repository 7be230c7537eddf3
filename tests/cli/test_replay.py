"""`wsload replay` and `wsload timeline diff`: release A's recording against release B."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from recordings import SESSION, event, numbered, received, sent, write
from servers import free_address, run, wsload_echo
from wsload.results import Flag, RunFile


@contextmanager
def release(version: str) -> Iterator[str]:
    """A service whose replies name its version, and count."""

    def answer(ws: ServerConnection) -> None:
        for count, message in enumerate(ws):
            ws.send(json.dumps({"type": "reply", "n": count, "of": json.loads(message)["id"], "version": version}))

    with serve(answer, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()


@pytest.fixture
def recording(tmp_path: Path) -> str:
    with release("A") as url:
        flags = ["-c", "3", "-n", "60", "-m", '{"id": {{$seq}}}', "--record-connections", "1/1", "-o", "a.wsload"]
        assert run("run", url, *flags, "--quiet", cwd=tmp_path).returncode == 0
    return "a.wsload"


def test_the_field_that_differs_is_named(tmp_path: Path, recording: str) -> None:
    with release("B") as url:
        flags = ["--wait-replies", "--fail-on-diff", "-o", "b.wsload"]
        done = run("replay", recording, url, *flags, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "3 connections · 60 sent · 60 received where 60 were recorded"
    assert lines[1].startswith("response time p50 ")
    assert lines[2].startswith("60 of 60 messages differ")
    assert lines[3].split() == ["60", "×", "$['version']"]
    assert '    $[\'version\']: "A" → "B"' in lines
    assert run("timeline", "diff", recording, "b.wsload", "--fail-on-diff", cwd=tmp_path).returncode == 3
    masked = run("timeline", "diff", recording, "b.wsload", "--fail-on-diff", "--mask", "$.version", cwd=tmp_path)
    assert masked.returncode == 0
    assert masked.stdout.startswith("no differences in 60 messages")


def test_the_same_release_does_not_differ_however_often(tmp_path: Path, recording: str) -> None:
    with release("A") as url:
        flags = ["--asap", "--wait-replies", "--copies", "5", "--fail-on-diff", "--no-auto-mask", "-o", "b.wsload"]
        done = run("replay", recording, url, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[0] == "15 connections · 300 sent · 300 received where 300 were recorded"
    with RunFile.open(tmp_path / "b.wsload") as opened:
        per_connection = [
            sum(one.is_message for _, one in opened.events("connection = ?", [number])) for number in range(15)
        ]
    assert per_connection == [40] * 15


def test_messages_go_out_when_they_did(tmp_path: Path) -> None:
    steps = [sent(10 + 2 * number, str(number)) for number in range(100)]
    write(tmp_path / "a.wsload", numbered([event(0, "", "connect"), *steps]))
    with wsload_echo() as (url, _):
        done = run("replay", "a.wsload", url, "--speed", "2", "-o", "b.wsload", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "100 sent · 100 received where 0 were recorded" in done.stdout
    with RunFile.open(tmp_path / "b.wsload") as opened:
        out = [one for _, one in opened.events("direction = 'sent' AND kind = 'text'")]
    assert [one.payload for one in out] == [str(number).encode() for number in range(100)]
    # The run's epoch is the first message. Never early; how late is the machine's.
    assert all(one.at_ns >= number * 1_000_000 for number, one in enumerate(out))


def test_an_imported_recording_is_played_in_copies(tmp_path: Path) -> None:
    messages = [{"type": "send", "time": 1_700_000_000 + n / 1000, "opcode": 1, "data": f"m{n}"} for n in range(3)]
    entry = {"_webSocketMessages": messages, "request": {"url": "ws://127.0.0.1:9/x"}}
    (tmp_path / "a.har").write_text(json.dumps({"log": {"entries": [entry]}}), encoding="utf-8")
    assert run("timeline", "import", "a.har", "-o", "a.wsload", cwd=tmp_path).returncode == 0
    with wsload_echo() as (url, _):
        done = run("replay", "a.wsload", url, "--copies", "100", "-o", "b.wsload", cwd=tmp_path)
    assert done.stdout.startswith("100 connections · 300 sent · 300 received"), done.stderr


def test_what_cannot_be_played_is_explained(tmp_path: Path) -> None:
    write(tmp_path / "a.wsload", SESSION)
    secret = sent(1, "login ***token***", flags=int(Flag.REDACTED))
    write(tmp_path / "s.wsload", numbered([event(0, "", "connect"), secret, received(2, "ok")]))
    url = free_address()
    for arguments, code, what in (
        (["a.wsload", url, "--speed", "0"], 2, "error: --speed: '0' is no factor"),
        (["a.wsload", url, "--copies", "0"], 2, "error: --copies: none at all"),
        (["a.wsload", url, "--mask", "id"], 2, "error: --mask: "),
        (["a.wsload", url, "-o", "s.wsload"], 2, "error: --output: s.wsload exists already"),
        (["s.wsload", url], 2, "error: s.wsload: secrets were left out of it: token"),
        (["missing.wsload", url], 2, "error: missing.wsload: no such file"),
        (["a.wsload", url, "-o", "b.wsload"], 1, "error: nothing was played: connection "),
    ):
        done = run("replay", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr[: len(what)]) == (code, what)
    with wsload_echo() as (url, _):
        flags = ["--var", "token=s3cr3t", "-o", "c.wsload", "--fail-on-diff"]
        done = run("replay", "s.wsload", url, *flags, cwd=tmp_path)
    assert done.returncode == 3
    assert "$: ok → login s3cr3t" in done.stdout
