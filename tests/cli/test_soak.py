"""`wsload soak` from the command line."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving import serving
from wsload.cli.app import main
from wsload.results import RunFile, read_summary
from wsload.scenario.words import FOREVER

SCENARIO = """
target: {url}
iterate:
  - {{send: {{text: hello}}, expect: {{equals: hello}}}}
  - think: 100ms
"""


def soak(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wsload", "soak", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_its_flags_are_those_of_run_and_two_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(command: str) -> set[str]:
        assert main([command, "--help"]) == 0
        return set(re.findall(r"^  (-[a-zA-Z], --[a-z-]+|--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))

    assert listed("soak") == listed("run") | {"--every", "--resume", "--file-limit"}


def test_a_soak_prints_lines_a_summary_and_a_digest(tmp_path: Path) -> None:
    with serving() as server:
        ran = soak(server.url, "-c", "2", "-d", "3s", "--every", "1s", "--rate", "20/s", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert [line.split("  ")[1] for line in ran.stderr.splitlines()] == ["1 s", "2 s"]
    assert "2 of 2 open" in ran.stderr
    assert "response time" in ran.stdout
    assert "no connection dropped" in ran.stdout
    (path,) = tmp_path.glob("*.wsload")
    with RunFile.open(path) as run:
        assert run.header.plan.reconnect.attempts == FOREVER


def test_a_scenario_file_keeps_what_it_says_and_gets_the_rest(tmp_path: Path) -> None:
    with serving() as server:
        for name, more in (("plain", ""), ("own", "reconnect: 3\n")):
            (tmp_path / f"{name}.yaml").write_text(SCENARIO.format(url=server.url) + more, encoding="utf-8")
            ran = soak(f"{name}.yaml", "-d", "1s", "-o", f"{name}.wsload", "--quiet", cwd=tmp_path)
            assert (ran.returncode, ran.stderr) == (0, "")
    for name, attempts in (("plain", FOREVER), ("own", 3)):
        with RunFile.open(tmp_path / f"{name}.wsload") as run:
            assert run.header.plan.reconnect.attempts == attempts
            assert run.header.plan.duration_ns == 10**9


def test_without_a_duration_it_takes_an_hour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO.format(url="ws://127.0.0.1:9/"), encoding="utf-8")
    for target in (str(file), "ws://127.0.0.1:9/"):
        assert main(["soak", target, "--dry-run"]) == 0
        assert "for 1 h" in capsys.readouterr().out, target
    assert main(["soak", "ws://127.0.0.1:9/", "--stage", "5m:10/s", "--dry-run"]) == 0


def test_sigterm_drains_and_saves(tmp_path: Path) -> None:
    with serving() as server:
        command = [
            sys.executable,
            "-m",
            "wsload",
            "soak",
            server.url,
            "--rate",
            "50/s",
            "--every",
            "1s",
            "-o",
            "a.wsload",
        ]
        with subprocess.Popen(command, cwd=tmp_path, stdout=-1, stderr=-1, text=True) as process:
            assert process.stderr is not None
            # The first line means that it is under way.
            assert " 1 of 1 open " in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "stopped by SIGTERM" in out
    messages = read_summary(tmp_path / "a.wsload").messages
    assert messages.sent == messages.answered > 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--every", "10ms"], "--every: 10ms is too short"),
        (["--every", "often"], "--every: 'often' is not a duration"),
        (["--file-limit", "70MB"], "--file-limit: 70MB leaves too little for intervals"),
        (["-n", "5"], "-n/--iterations: a soak is bounded by its time"),
    ],
)
def test_a_mistake_is_told(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["soak", "ws://127.0.0.1:9/", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {error}\n")
