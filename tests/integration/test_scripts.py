"""Scenarios in Python against a service that is not ours, and what becomes of what they do wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chatting import chat
from servers import run, wsload_echo
from wsload.errors import ExitCode

CHAT = """
import wsload


@wsload.script(
    target="ws://127.0.0.1:{{port}}/ws?room={{room|url}}",
    variables={"port": 0, "room": "the lobby"},
    data={"file": "users.csv"},
    secrets=["token"],
    on_message=[{"when": {"json": {"$.type": "ping"}}, "send": {"json": {"type": "pong"}, "name": "pong"}}],
    load={"connections": 20, "rate": "400/s", "duration": "2s"},
    thresholds=["response.p99 < 2s", "unanswered == 0"],
)
async def talk(ws: wsload.Connection) -> None:
    hello = await ws.request({"type": "login", "token": ws.variables["token"]}, name="login")
    session = hello.expect(json={"$.type": "welcome"}).json()["session"]
    async for _ in ws.iterations():
        text = f"{ws.random.getrandbits(256):x}"
        message = {"id": ws.next_id(), "type": "say", "session": session, "text": text}
        await ws.request(message, match="json:$.id", name="say", within="2s")
"""
HEAD = "import asyncio\nimport wsload\n\n@wsload.script(target='{url}', {options})\nasync def go(ws):\n"


def play(folder: Path, *flags: str, file: str = "chat.py") -> tuple[dict[str, Any], int]:
    done = run("run", file, "--format", "json", *flags, cwd=folder)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


def script(folder: Path, url: str, body: str, options: str = "load={'connections': 2, 'iterations': 10}") -> None:
    text = HEAD.format(url=url, options=options) + "\n".join(f"    {line}" for line in body.splitlines()) + "\n"
    (folder / "chat.py").write_text(text, encoding="utf-8")


@pytest.fixture
def users(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(CHAT, encoding="utf-8")
    (tmp_path / "users.csv").write_text("token\n" + "".join(f"t0ken{n}\n" for n in range(15)), encoding="utf-8")


@pytest.mark.usefixtures("users")
def test_what_is_counted_is_what_the_service_counted(tmp_path: Path) -> None:
    with chat(tmp_path) as service:
        result, code = play(tmp_path, "--var", f"port={service.port}", "-o", "run.wsload")
    messages, counts = result["messages"], service.counts
    assert (code, result["failures"]) == (ExitCode.OK, [])
    assert messages["due"] == messages["sent"] == messages["answered"] == counts["say"] == 800
    assert (counts["logins"], counts["strangers"]) == (20, 0)
    assert result["iterations"]["ended"] == 800
    assert result["asides"] == {"sent": 20 + counts["pong"], "answered": 20, "unanswered": 0}
    assert b"t0ken" not in (tmp_path / "run.wsload").read_bytes()


@pytest.mark.usefixtures("users")
def test_the_same_seed_says_the_same_on_any_number_of_workers(tmp_path: Path) -> None:
    said = []
    for number, workers in enumerate(("1", "2")):
        with chat(tmp_path, f"{number}.log") as service:
            play(tmp_path, "--var", f"port={service.port}", "--seed", "7f", "--workers", workers)
        said.append(service.said)
    assert said[0] == said[1]
    assert len(set(said[0])) == 800


@pytest.mark.usefixtures("users")
def test_a_run_is_repeated_from_its_file_as_long_as_the_script_is_the_same(tmp_path: Path) -> None:
    with chat(tmp_path) as service:
        first, _ = play(tmp_path, "--var", f"port={service.port}", "-n", "40", "-o", "a.wsload")
        again, code = play(tmp_path, "-o", "b.wsload", file="a.wsload")
        once = run("check", "chat.py", "--once", "--var", f"port={service.port}", cwd=tmp_path)
    assert (code, again["messages"]["sent"], again["seed"]) == (ExitCode.OK, 40, first["seed"])
    assert once.returncode == ExitCode.OK
    assert re.search(r"^pass .* say: answered$", once.stdout, re.MULTILINE)
    (tmp_path / "chat.py").write_text(CHAT + "\n", encoding="utf-8")
    refused = run("run", "a.wsload", cwd=tmp_path)
    assert refused.returncode == ExitCode.USAGE
    assert "chat.py: not the file that the run used" in refused.stderr


def test_an_exception_is_a_counted_failure_with_its_traceback(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        body = (
            "async for n in ws.iterations():\n    await ws.request('hi')\n    if n == 3:\n        raise KeyError('a')"
        )
        script(tmp_path, url, body)
        result, code = play(tmp_path)
    (failure,) = result["failures"]
    assert (code, result["iterations"]) == (ExitCode.OK, result["iterations"] | {"ended": 10, "failed": 2})
    assert (failure["kind"], failure["detail"], failure["count"]) == ("script_failed", "KeyError, line 9", 2)
    assert failure["example"].endswith(": chat.py:9 in go: raise KeyError('a')\nKeyError: 'a'")
    # Each begins anew on a connection of its own.
    assert result["connections"]["reconnects"] == 2


def test_a_missing_reply_and_a_broken_expectation_can_be_caught_or_end_the_iteration(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        body = """async for n in ws.iterations():
    try:
        await ws.request('{"id": 1}', match=("json:$.id", "json:$.other"), within=0.05, name="lost")
    except wsload.NoReplyError:
        pass
    reply = await ws.request('{"id": 2}', name="found")
    reply.expect(type="text", contains="id", regex="[0-9]", json={"$.id": 2}, equals='{"id": 2}')
    reply.expect(json={"$.id": 3})"""
        script(tmp_path, url, body, "load={'connections': 1, 'iterations': 1}")
        result, _ = play(tmp_path)
    failures = {one["kind"]: one for one in result["failures"]}
    assert failures["unanswered"]["count"] == failures["expectation_failed"]["count"] == 1
    assert failures["expectation_failed"]["example"].endswith('expected $.id == 3, got {"id": 2}')
    assert result["iterations"]["failed"] == 1


def test_all_that_a_connection_can_do(tmp_path: Path) -> None:
    body = """ws.variables["last"] = "a"
await ws.send_json({"type": "hello"}, name="hello")
assert (await ws.receive()).json() == {"type": "hello"}
await ws.send("one")
await asyncio.sleep(0.05)
assert (await ws.receive()).text == "one"
await ws.ping()
async for n in ws.iterations():
    reply = await ws.request(b"\\x00\\x01")
    assert (reply.data, reply.is_text) == (b"\\x00\\x01", False)
    await ws.think("10ms")
    await asyncio.sleep(0)
    try:
        await ws.receive(within="20ms")
    except wsload.NoMessageError:
        ws.variables["last"] += "b"
    if n == 1:
        await ws.request(ws.variables["last"], name="last")
        await ws.reconnect()"""
    with wsload_echo() as (url, _):
        script(tmp_path, url, body, "variables={'last': 'x'}, load={'connections': 2, 'iterations': 8}")
        result, code = play(tmp_path, "--record-connections", "1/1", "-o", "a.wsload")
        listed = run("timeline", "a.wsload", "--contains", "abb", "--direction", "received", cwd=tmp_path)
    assert (code, result["failures"]) == (ExitCode.OK, [])
    assert (result["iterations"]["ended"], result["connections"]["reconnects"]) == (8, 2)
    assert listed.stdout.count("abb") == 4


def test_without_iterations_a_script_paces_itself(tmp_path: Path) -> None:
    body = "while True:\n    await ws.request('x', name='x')\n    await ws.think('10ms')"
    with wsload_echo() as (url, _):
        script(tmp_path, url, body, "load={'connections': 3, 'duration': '1s'}")
        result, code = play(tmp_path)
    assert (code, result["failures"], result["iterations"]) == (ExitCode.OK, [], None)
    assert result["messages"]["answered"] > 3


def test_what_a_script_cannot_do_is_told(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        name = "'a' + 'b'"
        for body, told in (
            (f"await ws.request('x', name={name})", "name: 'ab' is not known before the run"),
            ("await ws.request('x', match='json:$.id')", "match: the message has no such part"),
            ("await ws.request('x', match='xpath:/')", "is none of echo, json:PATH, regex:RE"),
            ("ws.variables['nobody']", "there is no variable nobody"),
        ):
            lines = f"async for _ in ws.iterations():\n    {body}"
            script(tmp_path, url, lines, "load={'connections': 1, 'iterations': 1}")
            result, _ = play(tmp_path)
            assert told in result["failures"][0]["example"]


def test_setup_and_teardown_run_once(tmp_path: Path) -> None:
    hooks = (
        "setup=lambda: open('set.txt', 'x').close() or {'t': 'v4lue'}, teardown=lambda: open('down.txt', 'x').close()"
    )
    with wsload_echo() as (url, _):
        options = f"variables={{'t': None}}, {hooks}, load={{'connections': 4, 'iterations': 4}}"
        script(tmp_path, url, "async for _ in ws.iterations():\n    await ws.request(ws.variables['t'])", options)
        result, code = play(tmp_path, "--record-connections", "1/1", "-o", "a.wsload")
        assert run("run", "chat.py", "--dry-run", cwd=tmp_path).returncode == ExitCode.OK
    assert (code, result["messages"]["answered"], (tmp_path / "down.txt").exists()) == (ExitCode.OK, 4, True)
    assert "v4lue" in run("timeline", "a.wsload", cwd=tmp_path).stdout
