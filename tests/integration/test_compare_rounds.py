"""`wsload compare --run` against servers that it starts and stops itself."""

import contextlib
import json
import signal
import socket
from pathlib import Path

import pytest

from servers import TIMEOUT_S, WSLOAD, run, start
from wsload.errors import RunFileError
from wsload.results import RunFile


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def load(port: int) -> list[str]:
    return ["--base", f"ws://127.0.0.1:{port}/", "--rate", "200/s", "-c", "4", "--warmup", "0s", "-o", "made"]


def server(port: int, delay: str) -> str:
    return f"{WSLOAD} serve faults --port {port} --delay {delay}"


def is_measuring(folder: Path) -> bool:
    """Whether a run has stored an interval."""
    for path in folder.glob("*/*.wsload"):
        with contextlib.suppress(RunFileError), RunFile.open(path) as made:
            return any(True for _ in made.intervals())
    return False


def test_two_builds_take_turns_on_one_port(port: int, tmp_path: Path) -> None:
    commands = ["--base-cmd", server(port, "5ms"), "--new-cmd", server(port, "20ms")]
    rounds = ["--rounds", "2", "-d", "1s", "--format", "json", "--anyway", "--metric", "response.p50"]
    done = run("compare", "--run", *load(port), *commands, *rounds, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert document["paired"] is True
    (row,) = document["rows"]
    assert row["verdict"] == "regressed"
    assert row["basis"] == "rounds"
    # 20 ms for 5, with what the machine adds to either.
    assert 2.5 < row["change"] < 4.5
    assert [one["labels"]["round"] for one in document["base"]["runs"]] == ["1", "2"]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["base", "base.log", "new", "new.log"]
    assert "served" in (tmp_path / "made" / "base.log").read_text(encoding="utf-8")
    assert done.stderr.count("round") == 4
    again = run("compare", "made/base", "made/new", "--anyway", "--metric", "response.p50", cwd=tmp_path)
    assert again.returncode == 3


def test_a_scenario_is_run_against_both_and_flags_have_precedence(port: int, tmp_path: Path) -> None:
    text = "target: ws://127.0.0.1:1/\nload: {connections: 2, rate: 100/s, duration: 600s}\n"
    text += "variables: {who: nobody}\nmessages: {hello: {text: 'hello {{who}}', reply: {}}}\niterate: [send: hello]\n"
    (tmp_path / "load.yaml").write_text(text, encoding="utf-8")
    commands = ["--base-cmd", server(port, "5ms"), "--new-cmd", server(port, "20ms")]
    rounds = ["--rounds", "2", "-d", "1s", "--var", "who=you", "--format", "json", "--anyway", "-o", "made"]
    metric = ["--metric", "response.p50"]
    arguments = ["load.yaml", "--base", f"ws://127.0.0.1:{port}/", *commands, *rounds, *metric]
    done = run("compare", "--run", *arguments, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["base"]["runs"][0]["target"] == f"ws://127.0.0.1:{port}/"


def test_a_server_that_answers_nothing_ends_the_comparison(port: int, tmp_path: Path) -> None:
    # It takes connections and is no WebSocket server.
    commands = ["--base-cmd", server(port, "1ms"), "--new-cmd", f"python3 -m http.server {port} --bind 127.0.0.1"]
    done = run("compare", "--run", *load(port), *commands, "-d", "1s", cwd=tmp_path)
    assert done.returncode == 1
    assert "--new: round 1 measured nothing" in done.stderr


def test_ctrl_c_keeps_what_was_made_and_stops_the_server(port: int, tmp_path: Path) -> None:
    commands = ["--base-cmd", server(port, "1ms"), "--new-cmd", server(port, "1ms")]
    process = start("compare", "--run", *load(port), *commands, "-d", "600s", cwd=tmp_path)
    while process.poll() is None and not is_measuring(tmp_path / "made"):
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, errors
    assert "keeps the 1 runs that were made" in errors
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


WRONG = {
    "no server": (["--run"], "--base: with --run, two servers are needed"),
    "one server": (["--run", "--base", "ws://127.0.0.1:9/"], "--new: both sides are the same server"),
    "files as well": (["a", "b", "--run", "--base", "ws://h/"], "BASE: --run makes the runs itself"),
    "one round": (["--run", "--base", "ws://h/", "--new", "ws://i/", "--rounds", "1"], "--rounds: 1"),
    "load without runs": (["a", "b", "--rate", "5/s"], "--rate: runs are read from files"),
    "bad URL": (["--run", "--base", "ws://h/", "--new", "http://i/"], "URL"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_starts_nothing(name: str, tmp_path: Path) -> None:
    arguments, words = WRONG[name]
    done = run("compare", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert not any(tmp_path.iterdir())
