"""`wsload connect`, by a script and at a terminal."""

import json
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from servers import WSLOAD, free_address, raw_server, run, wsload_echo
from wsload.results import RunFile
from wsload.timeline.har import read


def connect(url: str, *flags: str, lines: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(WSLOAD), "connect", url, *flags]
    return subprocess.run(command, input=lines, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_a_script_sends_lines_and_gets_what_comes(tmp_path: Path) -> None:
    lines = 'hello\n/json {"a": 1}\n/hex 00 ff\n/ping x\n//slash\n'
    with wsload_echo() as (url, _):
        done = connect(url, "--expect", "h.llo", "--expect", "slash", "-o", "a.har", lines=lines, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "saved a.har\n")
    assert done.stdout == 'hello\n{"a": 1}\n00 ff\n/slash\n'
    recording = read(tmp_path / "a.har")
    messages = [(e.direction, e.kind, e.payload) for e in recording.events if e.is_message]
    assert sorted(messages) == sorted(
        (direction, kind, payload)
        for direction in ("sent", "received")
        for kind, payload in [("text", b"hello"), ("text", b'{"a": 1}'), ("binary", b"\x00\xff"), ("text", b"/slash")]
    )
    assert (tmp_path / "a.har").stat().st_mode & 0o777 == 0o600


def test_an_expectation_that_is_not_met_ends_with_1(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        done = connect(url, "--expect", "other", "--wait", "100ms", "-o", "a.wsload", lines="hello\n", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: --expect: 'other' was not found in what came\n" in done.stderr
    with RunFile.open(tmp_path / "a.wsload") as opened:
        kinds = [(e.direction, e.kind, e.code) for _, e in opened.events(order="seq")]
    assert kinds == [
        ("", "connect", None),
        ("", "open", None),
        ("sent", "text", None),
        ("received", "text", None),
        ("sent", "close", 1000),
        ("received", "close", 1000),
        ("", "end", None),
    ]


def test_headers_and_credentials_go_out_and_are_not_kept(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def refuse(connection: object) -> None:
        heard.append(connection.recv(65_536))  # type: ignore[attr-defined]
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]
        connection.close()  # type: ignore[attr-defined]

    flags = [
        "-H",
        "X-A: 1",
        "--bearer",
        "t0ps3cret",
        "--cookie",
        "a=b",
        "--origin",
        "http://o",
        "--subprotocol",
        "chat",
    ]
    with raw_server(refuse) as url:
        done = connect(url, *flags, "-o", "a.wsload", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2].startswith("error: 127.0.0.1:")
    for line in (b"X-A: 1", b"Authorization: Bearer t0ps3cret", b"Cookie: a=b", b"Origin: http://o"):
        assert line in heard[0]
    assert b"Sec-WebSocket-Protocol: chat" in heard[0]
    assert b"t0ps3cret" not in (tmp_path / "a.wsload").read_bytes()


@pytest.mark.parametrize(
    ("flags", "lines", "code", "what"),
    [
        ([], "/nope\n", 2, "error: /nope is no command"),
        (["-o", "a.txt"], "", 2, "error: --output: a.txt is neither FILE.har nor FILE.wsload"),
        (["--expect", "("], "", 2, "error: --expect: '('"),
        (["--wait", "5"], "", 2, "error: --wait: '5' is not a duration"),
        (["--bearer", "x", "-u", "a:b"], "", 2, "error: "),
    ],
)
def test_mistakes_are_explained(flags: list[str], lines: str, code: int, what: str, tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        done = connect(url, *flags, lines=lines, cwd=tmp_path)
    assert done.returncode == code
    assert done.stderr.startswith(what), done.stderr


def test_nobody_there_is_said(tmp_path: Path) -> None:
    done = run("connect", free_address(), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 127.0.0.1:")
    assert len(done.stderr.splitlines()) == 2


class Terminal:
    """A process at a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm", "COLUMNS": "120", "LINES": "24"}
            os.execv(str(WSLOAD), [str(WSLOAD), *arguments])
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def wait_for(self, pattern: str) -> None:
        """Reads until what is shown has it."""
        deadline = time.monotonic() + 30
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, self.text
            if select.select([self._descriptor], [], [], 1)[0]:
                try:
                    new = os.read(self._descriptor, 65_536).decode(errors="replace")
                except OSError:
                    # The other end is closed: what is missing will not come.
                    assert re.search(pattern, self.text), self.text
                    return
                # A terminal answers where its cursor is.
                for _ in range(new.count("\x1b[6n")):
                    self.type("\x1b[1;1R")
                self.text += new

    def end(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._descriptor)
        return code


def test_a_person_types_and_sees(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        terminal = Terminal("connect", url, "-o", str(tmp_path / "a.wsload"))
        terminal.wait_for("0 sent, 0 received")
        terminal.type('{"id": 7}\r')
        terminal.wait_for(r'← text.*"id": 7')
        terminal.wait_for("1 sent, 1 received")
        terminal.type("/bogus\r")
        terminal.wait_for("/bogus is no command")
        terminal.type("\x1b[A\x1b[A\r")
        terminal.wait_for("2 sent, 2 received")
        terminal.type("/close 4000 bye\r")
        terminal.wait_for("saved")
        assert terminal.end() == 0
    with RunFile.open(tmp_path / "a.wsload") as opened:
        sent = [e.payload for _, e in opened.events("direction = 'sent' AND kind = 'text'")]
        (close,) = opened.events("direction = 'sent' AND kind = 'close'")
    assert sent == [b'{"id": 7}', b'{"id": 7}']
    assert json.loads(sent[0]) == {"id": 7}
    assert (close[1].code, close[1].payload) == (4000, b"bye")
