"""The cookbook's scenarios run as they stand, and its certificates are made and used."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from servers import ROOT, run
from serving import serving

PAGE = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = {
    re.findall(r"^name: (.*)$", text, re.MULTILINE)[0]: text
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
}
OF_ECHO = [name for name, text in RECIPES.items() if "localhost:9000" in text]
SERVER = Path(__file__).with_name("graphql_server.py")


def test_the_page_has_recipes() -> None:
    assert list(RECIPES) == ["login", "json-rpc", "graphql-subscribers"]
    assert OF_ECHO == ["login", "json-rpc"]


def play(folder: Path, name: str, host: str) -> dict[str, Any]:
    """What a recipe came to; it is tried on one connection first."""
    (folder / "recipe.yaml").write_text(RECIPES[name], encoding="utf-8")
    once = run("check", "recipe.yaml", "--once", "--var", f"host={host}", cwd=folder)
    assert once.returncode == 0, once.stdout + once.stderr
    done = run("run", "recipe.yaml", "--var", f"host={host}", "-d", "500ms", "-c", "5", "--format", "json", cwd=folder)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", OF_ECHO)
def test_a_recipe_runs_against_the_echo_server(tmp_path: Path, name: str) -> None:
    with serving() as server:
        result = play(tmp_path, name, server.url.removeprefix("ws://").strip("/"))
    assert result["failures"] == []
    assert result["messages"]["answered"] > 0
    assert result["messages"]["unanswered"] == 0


def test_each_method_has_figures_of_its_own(tmp_path: Path) -> None:
    with serving() as server:
        result = play(tmp_path, "json-rpc", server.url.removeprefix("ws://").strip("/"))
    assert {one["name"] for one in result["names"]} >= {"list", "save"}


def test_subscribers_count_what_is_pushed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(SERVER)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        assert one.stdin is not None
        result = play(tmp_path, "graphql-subscribers", f"127.0.0.1:{one.stdout.readline().strip()}")
        one.stdin.close()
    assert (result["failures"], result["connections"]["opened"]) == ([], 5)
    assert result["messages"]["pushes"] > 5
    assert result["push_gap"]["p50"] > 1_000_000


def test_certificates_are_made_as_the_page_says(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    lines = [line for line in PAGE.splitlines() if line.startswith("openssl ")]
    assert len(lines) == 3
    for line in lines:
        subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", "ca.pem", "client.pem"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0
    # Both are read before anything is opened: what is wrong would be said.
    flags = ["--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key", "--dry-run"]
    planned = run("run", "wss://staging.example/ws", *flags, cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
