"""Scenario files from the command line, against our echo server."""

import json
from pathlib import Path

import pytest

from serving import serving
from wsload.cli.app import main
from wsload.errors import ExitCode

PLAN = """\
scenario     s
target       ws://localhost:9000/?t={{token|url}}
header       X-Token: {{token}}
load         3 connections, 100/s, constant, for 10 s
seed         7
variable     token = ***
user: goes on with the next iteration after a failed step
  iterate
    send message: hi
    think 1 s
warning: 3 connections cannot carry 100/s: an iteration thinks for 1 s, so they carry 3/s at most. \
Take 101 connections, or think less.
"""
THINKING = """\
name: s
target: ws://localhost:9000/?t={{token}}
headers: {X-Token: "{{token}}"}
variables: {token: hidden}
secrets: [token]
seed: 7
load: {connections: 3, rate: 100}
iterate: [{send: {text: hi}}, {think: 1s}]
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["check s.yaml", "run s.yaml --dry-run"])
def test_the_plan_is_printed_and_nothing_is_sent(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(THINKING, encoding="utf-8")
    assert main(command.split()) == ExitCode.OK
    assert capsys.readouterr().out == PLAN
    assert not list(Path().glob("*.wsload"))


@pytest.mark.parametrize(("file", "asides"), [("scenario.yaml", 4), ("chat.py", 2)])
def test_the_starter_runs_and_is_repeated_from_its_file(
    file: str, asides: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", file]) == ExitCode.OK
    assert main(["init", file]) == ExitCode.USAGE
    capsys.readouterr()
    with serving() as server:
        host = server.url.removeprefix("ws://").rstrip("/")
        given = ["--var", f"host={host}", "--var", "token=hidden-one"]
        run = ["run", file, *given, "-c", "2", "-n", "10", "--quiet", "--format", "json", "-o", "a.wsload"]
        assert main(run) == ExitCode.OK
        first = json.loads(capsys.readouterr().out)
        assert (first["messages"]["sent"], first["messages"]["answered"]) == (10, 10)
        assert [one["name"] for one in first["names"] if one["in_total"]] == ["say"]
        assert first["asides"]["sent"] == asides
        stored = Path("a.wsload").read_bytes()
        assert b"hidden-one" not in stored
        assert b"change-me" not in stored

        again = ["run", "a.wsload", "--quiet", "--format", "json", "-o", "b.wsload"]
        assert main(again) == ExitCode.USAGE
        assert "--var: a.wsload does not hold token" in capsys.readouterr().err
        assert main([*again, "--var", "token=hidden-one"]) == ExitCode.OK
        second = json.loads(capsys.readouterr().out)
    assert second["seed"] == first["seed"]
    assert second["messages"]["answered"] == 10


def test_once_shows_what_came_beside_what_was_expected(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        step = "iterate: [{send: {json: {type: login}}, expect: {json: {$.type: %s}, within: 5s}}]\n"
        for word, code in (("login", ExitCode.OK), ("welcome", ExitCode.FAILED)):
            Path("s.yaml").write_text(f"target: {server.url}\n{step % word}", encoding="utf-8")
            assert main(["check", "s.yaml", "--once"]) == code
            out = capsys.readouterr().out
            assert ("FAIL" in out) == (code != ExitCode.OK)
    lines = [line.strip() for line in out.splitlines()]
    at = next(place for place, line in enumerate(lines) if line.startswith("FAIL"))
    assert lines[at].endswith('expect $.type == "welcome" within 5 s')
    told = 'expectation_failed: expected $.type == "welcome": got {"type":"login"}'
    assert lines[at + 1 : at + 3] == ['← {"type":"login"}', told]
    assert lines[at + 3].startswith("FAIL")
    assert lines[at + 3].endswith("the iteration")


def test_once_plays_each_kind_of_user_and_every_branch_as_it_was_taken(capsys: pytest.CaptureFixture[str]) -> None:
    text = """
variables: {token: abc}
secrets: [token]
users:
  - name: talker
    weight: 3
    iterate:
      - if: {value: "{{token}}", eq: abc, then: [{send: {text: "t {{token}}", reply: echo}}], else: [ping]}
      - repeat: {times: 2, steps: [{send: {text: "\\e[2J", reply: echo, name: raw}}]}
  - name: deaf
    on_open: [{expect: {contains: welcome, within: 50ms}}, {send: {text: hi}}]
    iterate: [{think: 10ms}]
"""
    with serving() as server:
        Path("s.yaml").write_text(f"target: {server.url}{text}", encoding="utf-8")
        assert main(["check", "s.yaml", "--once", "--var", "token=abc"]) == ExitCode.FAILED
    out = capsys.readouterr().out
    talker, deaf = out.split("\ntalker\n")[1].split("\ndeaf\n")

    def shown(text: str) -> list[str]:
        """Without times, which stand between the verdict and the words."""
        return [" ".join(word for word in (line[:4].strip(), line[16:].strip()) if word) for line in text.splitlines()]

    assert shown(talker) == [
        "pass connect",
        "iterate",
        'pass if {{token}} == "abc"',
        "pass send message: t {{token}}  ← the same payload within 10 s",
        "→ t ***token***",
        "← t ***token***",
        "pass repeat 2 times",
        *["pass send raw: \\u{1b}[2J  ← the same payload within 10 s", "→ \\u{1b}[2J", "← \\u{1b}[2J"] * 2,
    ]
    assert shown(deaf)[:5] == [
        "pass connect",
        "on_open",
        'FAIL expect contains "welcome" within 50 ms',
        'expectation_failed: expected with "welcome" in it: no such message came in time',
        "skip send message 2: hi",
    ]


def test_once_tells_why_nothing_could_be_played(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        url = server.url
    Path("s.yaml").write_text(f"target: {url}\niterate: [{{send: {{text: hi, reply: echo}}}}]\n", encoding="utf-8")
    assert main(["check", "s.yaml", "--once"]) == ExitCode.FAILED
    out = capsys.readouterr().out
    assert "FAIL            connect\n" in out
    assert "refused: " in out


@pytest.mark.parametrize("flag", ["--var a=b", "--env a", "--env-file a"])
def test_variables_belong_to_scenarios(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "ws://127.0.0.1:9/", *flag.split()]) == ExitCode.USAGE
    assert f"error: {flag.split(maxsplit=1)[0]}: only a scenario has variables" in capsys.readouterr().err
