"""Walls that import-linter cannot see: it knows no compiled module and no import that a function makes late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "python" / "wsload"
MAY_IMPORT_CORE = {"engine", "results", "scenario", "timeline"}
# Typer itself loads pydantic.
HEAVY = ("picows", "uvloop", "sqlite3", "asyncio", "rich", "numpy", "bokeh", "jinja2", "wsload._core")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_only_four_rooms_import_the_rust_module() -> None:
    users = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if "wsload._core" in imports(path)}
    assert users == MAY_IMPORT_CORE


@pytest.mark.parametrize("arguments", ["--help", "run --help", "serve --help"])
def test_help_loads_nothing_heavy(arguments: str) -> None:
    script = (
        f"import sys; sys.argv = ['wsload', *{arguments.split()!r}]\n"
        "from wsload.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('\\nloaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
