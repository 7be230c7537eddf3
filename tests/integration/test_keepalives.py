"""The recipes of docs/scenarios.md for keep-alives inside messages, under full load, against services that insist."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from servers import ROOT, run

SERVER = ROOT / "tests" / "keepalive_server.py"
PERIOD_S, LIMIT_S = 0.2, 1.0
CONNECTIONS = 4
_PAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
_SECTION = _PAGE.partition("## Keep-alives of services\n")[2].partition("\n## ")[0]
RECIPES = re.findall(r"```yaml\n(.*?)```", _SECTION, re.DOTALL)
NAMES = [re.findall(r"^name: (.*)$", recipe, re.MULTILINE)[0] for recipe in RECIPES]


def play(recipe: str, folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Runs a recipe; the result, and what the service counted."""
    (folder / "recipe.yaml").write_text(recipe.replace("30s", f"{PERIOD_S}s"), encoding="utf-8")
    command = [sys.executable, str(SERVER), str(PERIOD_S), str(LIMIT_S)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        try:
            where = f"host=127.0.0.1:{service.stdout.readline().strip()}"
            flags = ["--var", where, "-c", str(CONNECTIONS), "-d", "2s", "--reconnect", "never", "--format", "json"]
            done = run("run", "recipe.yaml", *flags, cwd=folder)
        finally:
            output, _ = service.communicate(timeout=30)
    assert done.stdout, done.stderr
    (counted,) = json.loads(output).values()
    return json.loads(done.stdout), counted


def test_there_is_a_recipe_for_each_service() -> None:
    assert NAMES == ["socket.io", "centrifugo", "nats", "mqtt", "graphql"]


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_nobody_is_dropped_under_full_load(recipe: str, tmp_path: Path) -> None:
    result, counted = play(recipe, tmp_path)
    messages = result["messages"]
    assert (result["failures"], counted.get("odd", 0), counted.get("dropped", 0)) == ([], 0, 0)
    assert counted["connections"] == CONNECTIONS
    assert counted["kept"] >= CONNECTIONS * 2
    # A closed loop: what was sent has been answered, and nothing else was taken for an answer.
    assert messages["sent"] == messages["answered"] > counted["kept"]


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_without_its_rule_everybody_is_dropped(recipe: str, tmp_path: Path) -> None:
    deaf = re.sub(r"^  - \{when: \{(equals|json: \{\$.type: ping).*\n", "", recipe, flags=re.MULTILINE)
    deaf = re.sub(r"^every:.*\n|^on_message:\n(?!  )", "", deaf, flags=re.MULTILINE)
    _, counted = play(deaf, tmp_path)
    assert (counted["dropped"], counted.get("kept", 0)) == (CONNECTIONS, 0)
