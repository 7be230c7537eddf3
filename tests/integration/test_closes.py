"""What a server's Close means to a scenario, against Python `websockets`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from servers import run
from websockets_peer import server
from wsload.errors import ExitCode

WORDS = {"expire": (4001, "expired: log in"), "bye": (1000, "bye"), "kick": (4400, "banned")}


def closing(connection: ServerConnection) -> None:
    for said in connection:
        if said == "hang up":
            connection.socket.close()
            return
        if said in WORDS:
            connection.close(*WORDS[str(said)])
        else:
            connection.send(said)


@contextmanager
def scenario(folder: Path, word: str, rules: str, load: str) -> Iterator[None]:
    """One that logs in, says a word and expects no more to come."""
    with server(closing) as url:
        text = f"""
target: {url}
on_open: [{{send: {{text: login, name: login, reply: echo}}}}]
iterate:
  - send: {{text: {word}}}
  - expect: {{nothing: true, within: 30s}}
on_close: {rules}
load: {load}
"""
        (folder / "s.yaml").write_text(text, encoding="utf-8")
        yield


def play(folder: Path) -> tuple[dict[str, Any], int]:
    done = run("run", "s.yaml", "--format", "json", cwd=folder)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


def test_a_close_that_is_as_it_should_be_is_no_failure_and_opens_the_next_connection(tmp_path: Path) -> None:
    rules = "[{when: {code: 4001, reason: ^expired}, then: reconnect}]"
    with scenario(tmp_path, "expire", rules, "{connections: 2, iterations: 6}"):
        result, code = play(tmp_path)
    assert (code, result["failures"]) == (ExitCode.OK, [])
    connections = result["connections"]
    assert (connections["closed"], connections["lost"]) == (6, 0)
    # The last iteration of each is over with its connection: it is opened again, or the run ends first.
    assert 4 <= connections["reconnects"] <= 6
    assert (result["iterations"]["ended"], result["iterations"]["failed"]) == (6, 0)
    assert result["asides"]["answered"] >= 6
    assert result["close_codes"]["4001"] == 6


def test_who_is_to_stay_closed_ends_the_run_with_the_last(tmp_path: Path) -> None:
    with scenario(tmp_path, "bye", "{when: {code: 1000}, then: end}", "{connections: 3, duration: 60s}"):
        result, code = play(tmp_path)
    assert (code, result["failures"]) == (ExitCode.OK, [])
    assert result["duration_ns"] < 30e9
    assert (result["connections"]["closed"], result["connections"]["reconnects"]) == (3, 0)
    assert (result["iterations"]["ended"], result["iterations"]["failed"]) == (3, 0)


def test_an_end_without_a_close_may_be_expected_too(tmp_path: Path) -> None:
    rules = "[{when: {code: 1005-1006}, then: end}]"
    with scenario(tmp_path, "hang up", rules, "{connections: 1, duration: 60s}"):
        result, code = play(tmp_path)
    assert (code, result["failures"], result["connections"]["closed"]) == (ExitCode.OK, [], 1)


@pytest.mark.parametrize("rules", ["[]", "[{when: {code: 4401}, then: end}, {when: {reason: expired}, then: ignore}]"])
def test_any_other_close_is_a_failure(rules: str, tmp_path: Path) -> None:
    with scenario(tmp_path, "kick", rules, "{connections: 1, iterations: 1}"):
        result, _ = play(tmp_path)
    (failure,) = result["failures"]
    assert (failure["kind"], failure["detail"], failure["count"]) == ("unexpected_close", "4400", 1)
    assert (result["connections"]["lost"], result["iterations"]["failed"]) == (1, 1)
