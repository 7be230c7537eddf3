"""A scenario against a service that was written for it, and not by us: what we count is what it counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatting import chat
from servers import run
from wsload.errors import ExitCode

CHAT = """
name: chat
target: ws://127.0.0.1:{{port}}/ws?room={{room|url}}
variables: {port: 0, room: the lobby}
data: {file: users.csv, bind: connection, exhausted: recycle}
secrets: [token]
messages:
  say:
    json: {id: "{{$id|raw}}", type: say, session: "{{session}}", text: "{{$randomString(64)}}"}
    reply: {match: {json: $.id}, within: 2s}
load: {connections: 20, rate: 400/s, duration: 2s}
on_open:
  - send: {json: {type: login, token: "{{token}}"}, name: login}
    expect: {json: {$.type: welcome}, within: 2s, capture: {session: $.session}}
iterate:
  - send: say
on_message:
  - when: {json: {$.type: ping}}
    send: {json: {type: pong}, name: pong}
thresholds: ["response.p99 < 2s", "response[say].p99.9 < 2s", "unanswered == 0", "failed.rate < 0.1%"]
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(CHAT, encoding="utf-8")
    (tmp_path / "users.csv").write_text("token\n" + "".join(f"t0ken{n}\n" for n in range(15)), encoding="utf-8")


def play(folder: Path, port: str, *flags: str, file: str = "chat.yaml") -> tuple[dict[str, Any], int]:
    done = run("run", file, "--var", f"port={port}", "--format", "json", *flags, cwd=folder)
    return json.loads(done.stdout), done.returncode


def named(result: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in result["names"] if one["name"] == name]
    return dict(found)


def test_what_is_counted_is_what_the_service_counted(tmp_path: Path) -> None:
    with chat(tmp_path) as service:
        result, code = play(tmp_path, service.port)
    messages, counts = result["messages"], service.counts
    assert (code, result["failures"]) == (ExitCode.OK, [])
    assert messages["due"] == messages["sent"] == messages["answered"] == counts["say"] == 800
    assert (counts["logins"], counts["strangers"]) == (20, 0)
    # Each ping is answered, but for those that come when the run is over.
    assert 0 < counts["pong"] <= counts["pings"]
    assert result["asides"] == {"sent": 20 + counts["pong"], "answered": 20, "unanswered": 0}
    assert named(result, "say")["response_time"]["count"] == result["response_time"]["count"] == 800
    assert (named(result, "login")["response_time"]["count"], named(result, "login")["in_total"]) == (20, False)
    assert [(one["passed"], one["text"]) for one in result["thresholds"]][2] == (True, "unanswered == 0")


def test_the_same_seed_says_the_same_on_any_number_of_workers(tmp_path: Path) -> None:
    said = []
    for number, workers in enumerate(("1", "2")):
        with chat(tmp_path, f"{number}.log") as service:
            play(tmp_path, service.port, "--seed", "7f", "--workers", workers)
        said.append(service.said)
    assert said[0] == said[1]
    assert len(set(said[0])) == 800


def test_a_broken_expectation_is_shown_with_its_message(tmp_path: Path) -> None:
    broken = CHAT.replace("{$.type: welcome}", "{$.type: hello}")
    (tmp_path / "broken.yaml").write_text(broken, encoding="utf-8")
    with chat(tmp_path) as service:
        result, code = play(tmp_path, service.port, file="broken.yaml")
        once = run("check", "broken.yaml", "--once", "--var", f"port={service.port}", cwd=tmp_path)
    (failure,) = result["failures"]
    assert (failure["kind"], failure["count"]) == ("expectation_failed", 20)
    assert failure["detail"] == 'expected $.type == "hello"'
    assert 'got {"type": "welcome"' in failure["example"]
    assert (code, service.counts.get("say", 0)) == (ExitCode.THRESHOLDS, 0)
    assert once.returncode != ExitCode.OK
    assert 'got {"type": "welcome"' in once.stdout + once.stderr


def test_steps_wait_for_each_other_and_iterations_are_timed(tmp_path: Path) -> None:
    steps = CHAT.replace("  - send: say\non", "  - send: say\n  - think: 20ms\n  - send: say\non")
    (tmp_path / "steps.yaml").write_text(steps, encoding="utf-8")
    with chat(tmp_path) as service:
        result, code = play(tmp_path, service.port, "--rate", "100/s", file="steps.yaml")
    messages, iterations = result["messages"], result["iterations"]
    assert (code, messages["due"], messages["sent"], service.counts["say"]) == (ExitCode.OK, 200, 400, 400)
    assert (iterations["ended"], iterations["failed"]) == (200, 0)
    assert iterations["time"]["min"] >= 20_000_000


def test_no_secret_is_in_the_file_of_the_run(tmp_path: Path) -> None:
    with chat(tmp_path) as service:
        play(tmp_path, service.port, "-o", "run.wsload", "--record-connections", "1/1")
        shown = run("timeline", "show", "run.wsload", "--contains", "login", cwd=tmp_path)
    assert "***token***" in shown.stdout
    assert b"t0ken" not in (tmp_path / "run.wsload").read_bytes()
