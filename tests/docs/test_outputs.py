"""The pages for beginners, command by command in their order: each does what the page says, and prints it."""

import re
import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest

from docs.outputs import examples, missing, skeleton
from servers import ROOT, run
from serving import faulty, serving

PAGES = ("getting-started", "tutorial")
SERVE = "wsload serve"
LONGEST_S = 3


def test_figures_are_no_part_of_a_line() -> None:
    assert skeleton("  rate        500/s asked   19.0 kB/s out") == skeleton("rate  20,075/s asked 1.20 MB/s out")
    assert skeleton("response time  ≥1.00 s  -0.05") == "response time N N"
    assert skeleton("p99 < 50ms") != skeleton("p99 > 50ms")
    assert skeleton("seed c6de4fca · ws://localhost:9000/") == "seed X · ws://HOST/"
    said = "a 1 s\n  suspect     late: 3 ms\n              and later\n  saved x\n"
    assert missing(said, "a 7 ms\n saved x") == []
    assert missing(said, "a 7 ms\n") == ["  saved x"]
    assert examples("```\nwsload run x\n```\n\n```\nprinted\n```\n") == [(["wsload run x"], "printed\n")]


def test_doctor_looks_at_what_the_page_says(tmp_path: Path) -> None:
    ((_, said), *_) = page_of("tuning")
    items = re.compile(r"^  (?:ok|low|bad|\\?)\s+(\S.*?)\s{2,}", re.MULTILINE)
    assert len(items.findall(said)) >= 7
    printed = run("doctor", cwd=tmp_path).stdout
    assert set(items.findall(said)) <= set(items.findall(printed))
    assert "This machine holds" in printed


def test_lines_for_programs_begin_as_the_page_says(tmp_path: Path) -> None:
    said = next(said for commands, said in page_of("ci") if "ndjson" in commands[-1])
    with serving() as server:
        done = run("run", server.url, "-d", "200ms", "--format", "ndjson", cwd=tmp_path)
    keys = re.findall(r'"(\w+)":', said)
    measured = next(line for line in done.stdout.splitlines() if '"phase":"measured"' in line)
    assert re.findall(r'"(\w+)":', measured)[: len(keys)] == keys


def page_of(name: str) -> list[tuple[list[str], str]]:
    return examples((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))


def shortened(line: str) -> str:
    """The same for no longer than a moment: three seconds hold a stall of the tutorial's, whenever they begin."""
    line = re.sub(r"-d (\d+)s", lambda found: f"-d {min(int(found[1]), LONGEST_S)}s", line)
    return re.sub(r"--stage \d+s:", "--stage 1s:", re.sub(r"--web 0", "--web 127.0.0.1:0", line))


@pytest.mark.parametrize("name", PAGES)
def test_every_command_prints_what_the_page_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    wrong, compared = [], 0
    with ExitStack() as stack:
        echo = stack.enter_context(serving())
        stalling, _ = stack.enter_context(faulty("--stall", "200ms/2s"))
        hosts = {"ws://127.0.0.1:9000/": echo.url, "ws://127.0.0.1:9002/": stalling}
        for commands, said in page_of(name):
            for line in commands:
                if line.startswith((SERVE, "wsload --install")):
                    continue
                words = shlex.split(shortened(line))
                words = [hosts.get(word, word) for word in words[1:]]
                if "chat.yaml" in words and words[0] in {"run", "check"}:
                    words += ["--var", f"host=localhost:{echo.port}"]
                done = run(*words, cwd=tmp_path)
                expected = 99 if words[0] == "report" and "--threshold" in words else 0
                assert done.returncode == expected, f"{line}\n{done.stderr}"
            if said and not commands[-1].startswith(SERVE):
                compared += 1
                wrong += [f"{commands[-1]}: {one}" for one in missing(said, done.stdout + done.stderr)]
    assert wrong == []
    assert compared >= 2
