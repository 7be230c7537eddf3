"""Every command in the docs is one that exists; those that need no other machine are run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from write_cli import COMMANDS

from serving import serving

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("getting-started", "report", "ci", "tuning", "cookbook")
BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOME = "ws://127.0.0.1:9000/"


def commands(page: str) -> list[str]:
    """The wsload commands of a page's blocks, continued lines joined."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = "\n".join(BLOCK.findall(text)).replace("\\\n", " ")
    return [line for line in blocks.splitlines() if re.match(r"wsload [a-z]", line)]


ALL = [
    pytest.param(page, line, id=f"{page}: {line[:60]}")
    for page in (*PAGES, "scale", "tutorial")
    for line in commands(page)
]


def test_the_pages_have_commands() -> None:
    assert len(ALL) >= 30
    assert all(commands(page) for page in PAGES)


@pytest.mark.parametrize(("page", "line"), ALL)
def test_every_flag_exists(page: str, line: str) -> None:
    words = shlex.split(line)
    command = next(
        name for name in sorted(COMMANDS, key=len, reverse=True) if words[1:][: len(name.split())] == name.split()
    )
    section = (DOCS / "cli.md").read_text(encoding="utf-8").split(f"\n## wsload {command}\n")[1].split("\n## ")[0]
    known = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)", section))
    assert {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)} <= known


def runs(page: str) -> list[str]:
    """Those that a machine by itself can run: runs against the echo server, and reports."""
    return [line for line in commands(page) if line.startswith("wsload report") or HOME in line]


def shortened(line: str, url: str) -> list[str]:
    """The same command against a server of the test's, for a moment; a page for browsers on a port that is free."""
    line = re.sub(r"-d \w+", "-d 200ms", line.replace(HOME, url).replace("$TOKEN", "token"))
    line = re.sub(r"--stage \w+:", "--stage 200ms:", re.sub(r"--warmup \w+", "--warmup 200ms", line))
    return shlex.split(re.sub(r"--web$", "--web 0", line))[1:]


@contextmanager
def a_page_with_its_files(folder: Path, url: str) -> Iterator[None]:
    """The run files that pages speak of."""
    for name in ("steady", "ramp"):
        made = run(["run", url, "-n", "10", "-o", f"{name}.wsload"], folder)
        assert made.returncode == 0, made.stderr
    yield


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100"}
    command = [sys.executable, "-m", "wsload", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("page", PAGES)
def test_commands_run_as_they_stand(page: str, tmp_path: Path) -> None:
    lines = runs(page)
    assert lines or page == "tuning"
    with ExitStack() as stack:
        server = stack.enter_context(serving())
        if page == "report":
            stack.enter_context(a_page_with_its_files(tmp_path, server.url))
        for line in lines:
            if line.startswith("wsload report") and "--web" in line:
                continue  # serves until it is stopped: tests/cli/test_web.py
            done = run(shortened(line, server.url), tmp_path)
            # What a busy machine comes to is its own affair.
            allowed = {0} | ({5} if "--strict" in line else set()) | ({99} if "--threshold" in line else set())
            assert done.returncode in allowed, f"{line}\n{done.stderr}"
