"""Writes docs/cli.md: every command's help. A test holds the two together."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATH = ROOT / "docs" / "cli.md"
COMMANDS = (
    "",
    "run",
    "soak",
    "check",
    "init",
    "serve echo",
    "serve broadcast",
    "serve faults",
    "report",
    "compare",
    "drift",
    "history add",
    "history list",
    "history show",
    "connect",
    "replay",
    "timeline show",
    "timeline import",
    "timeline diff",
    "doctor",
)


def page() -> str:
    """The page."""
    parts = ["# The command line\n\nWritten by `make docs` from `--help`.\n"]
    for command in COMMANDS:
        title = f"wsload {command}".rstrip()
        parts.append(f"## {title}\n\n```\n{help_of(command)}```\n")
    return "\n".join(parts)


def help_of(command: str) -> str:
    """What `--help` prints, 100 columns wide."""
    env = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    arguments = [str(Path(sys.executable).parent / "wsload"), *command.split(), "--help"]
    done = subprocess.run(arguments, env=env, check=True, capture_output=True, text=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
