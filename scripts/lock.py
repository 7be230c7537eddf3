"""Writes constraints.txt: the exact versions of everything the project and its tests use, on any supported Python."""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
APART = {"ray"}
"""Extras that are too heavy for everybody's environment: `make testray` adds it and runs what needs it."""
HEAD = "# Written by `make lock`. Exact versions of what pyproject.toml asks for, tools and tests included.\n"


def main() -> None:
    """Asks uv for one set of versions that fits Python 3.11 and later."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    for name, extra in project["project"]["optional-dependencies"].items():
        wanted += extra if name not in APART else []
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(wanted))
        file.flush()
        command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.11"]
        options = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
        done = subprocess.run([*command, *options, file.name], check=True, capture_output=True, text=True)
    (ROOT / "constraints.txt").write_text(HEAD + done.stdout, encoding="utf-8")


if __name__ == "__main__":
    main()
