"""Every block of docs/python-api.md runs, in order, against a server that is there."""

import ast
import asyncio
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving import serving

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def adapted(block: str, url: str) -> str:
    """Aimed at the server, and with a bound that a busy machine keeps."""
    return block.replace("ws://127.0.0.1:9000/", url).replace("50ms", "50s")


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    tests = [block for block in BLOCKS if block.startswith("# test_")]
    assert len(tests) == 1
    with serving() as server:
        for block in BLOCKS:
            if block in tests:
                run_by_pytest(adapted(block, server.url), tmp_path)
                continue
            code = compile(adapted(block, server.url), str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            awaited = eval(code, names)
            if inspect.iscoroutine(awaited):
                asyncio.run(awaited)
    assert "passed  response.p99 < 50s" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.wsload"))) == 4


def run_by_pytest(module: str, folder: Path) -> None:
    path = folder / module.splitlines()[0].removeprefix("# ")
    path.write_text(module, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(path)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
