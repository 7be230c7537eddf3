"""Shell completion: what shells ask, and what they make of the answer."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from write_cli import COMMANDS

WSLOAD = Path(sys.executable).parent / "wsload"
SHELLS = ("bash", "zsh", "fish")


def asked(shell: str, line: str) -> str:
    """What `wsload` answers a shell whose line stands so far."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_WSLOAD_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([WSLOAD], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == "", done.stderr
    return done.stdout


def script(shell: str) -> str:
    """What is put into the shell's own settings."""
    environment = {**os.environ, "_WSLOAD_COMPLETE": f"source_{shell}"}
    return subprocess.run([WSLOAD], env=environment, capture_output=True, text=True, check=True).stdout


def made_of(shell: str, code: str) -> list[str]:
    """The lines that a real shell prints, the script read first."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"no {shell} on this machine")
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    environment = {**os.environ, "PATH": f"{WSLOAD.parent}:{os.environ['PATH']}"}
    command = [path, *quiet, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("wsload re", ["report", "replay"]),
        ("wsload serve ", ["echo", "broadcast", "faults"]),
        ("wsload run --rate", ["--rate", "--rate-per-conn"]),
        ("wsload run ws://127.0.0.1:9000/ --arrivals ", ["constant", "poisson"]),
        ("wsload run --match ", ["order", "none", "echo", "json:", "regex:"]),
        ("wsload run --reconnect s", ["storm"]),
        ("wsload report --web --ht", ["--html"]),
        ("wsload report --format ", ["text", "json", "ndjson", "csv", "junit", "hlog", "prometheus", "markdown"]),
        ("wsload timeline a.wsload --direction ", ["sent", "received"]),
        ("wsload timeline a.wsload --type p", ["ping", "pong"]),
        # Nothing of ours: the shell completes the names of files.
        ("wsload report a", []),
    ],
)
def test_commands_flags_and_their_words_are_offered(line: str, words: list[str]) -> None:
    assert asked("bash", line).split() == words


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_completes_its_flags_with_their_help(shell: str) -> None:
    for command in ("run", "report", "timeline show"):
        assert command in COMMANDS
        assert "--format" in asked(shell, f"wsload {command} --")
    if shell != "bash":
        assert "Idle" not in asked(shell, "wsload run --idle")
        assert "hold connections and listen" in asked(shell, "wsload run --idle")


def test_bash_completes() -> None:
    code = script("bash") + "COMP_WORDS=(wsload serve f); COMP_CWORD=2; _wsload_completion wsload; echo $COMPREPLY"
    assert made_of("bash", code) == ["faults"]


def test_zsh_completes() -> None:
    # Its own functions for completion live in the line editor: these print what they are given.
    shown = "compdef() { :; }; _arguments() { print -r -- $@; }; _files() { print files; };"
    for line, expected in (("wsload serve f", '"faults":'), ("wsload report a", "files")):
        words = f"words=({line}); CURRENT={len(line.split())}; _wsload_completion"
        (found,) = made_of("zsh", f"{shown}{script('zsh')}{words}")
        assert expected in found


def test_fish_completes() -> None:
    found = made_of("fish", f"{script('fish')}\ncomplete -C 'wsload serve f'")
    assert [line.split("\t")[0] for line in found] == ["faults"]


def test_the_flags_that_install_it_are_in_the_help() -> None:
    done = subprocess.run([WSLOAD, "--help"], capture_output=True, text=True, check=True)
    assert "--install-completion" in done.stdout
    assert "--show-completion" in done.stdout


def test_it_is_installed_where_the_shell_looks(tmp_path: Path) -> None:
    # Which shell it is follows from the processes above.
    bash = shutil.which("bash")
    assert bash is not None
    command = [bash, "--norc", "-c", f"{WSLOAD} --install-completion; {WSLOAD} --show-completion; true"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert f"bash completion installed in {tmp_path}" in done.stdout
    (written,) = tmp_path.rglob("*wsload*")
    assert written.read_text().strip() in done.stdout
    assert "_WSLOAD_COMPLETE=complete_bash" in written.read_text()
