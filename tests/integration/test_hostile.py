"""Servers that break every rule: each is told by its kind, disturbs nobody else, and costs neither memory nor CPU."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hostile import MODES, hostile
from servers import run_json

FLAGS = "-c 3 --workers 1 --rate 100/s -d 2s --connect-timeout 700ms --reply-timeout 1s"
LIMITS = "--max-message 1MiB --compress on"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All modes, a few at a time."""

    def one(mode: str) -> dict[str, Any]:
        with hostile(mode) as url:
            return run_json(url, *FLAGS.split(), *LIMITS.split(), cwd=tmp_path_factory.mktemp("run"))

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(MODES, pool.map(one, MODES), strict=True))


@pytest.mark.parametrize("mode", MODES)
def test_a_hostile_server_is_told_by_its_kind_and_disturbs_nobody(
    mode: str, results: dict[str, dict[str, Any]]
) -> None:
    result = results[mode]
    _, kind, detail = MODES[mode]
    told = [(failure["kind"], failure["detail"]) for failure in result["failures"] if failure["kind"] == kind]
    assert told, result["failures"]
    assert all(found.startswith(detail) for _, found in told)
    # What was awaited on the bad connection is lost, and nothing else fails.
    assert {failure["kind"] for failure in result["failures"]} <= {kind, "unanswered"}
    # Two thirds of 200 messages belong to the connections that are well.
    assert result["messages"]["answered"] >= 132
    assert result["connections"]["opened"] >= 2


@pytest.mark.parametrize("mode", MODES)
def test_a_hostile_server_costs_neither_memory_nor_cpu(mode: str, results: dict[str, dict[str, Any]]) -> None:
    generator = results[mode]["generator"]
    # A worker at rest has some 30 MB; nothing a server claims or inflates may add much to it.
    assert generator["rss_bytes_max"] < 64_000_000
    # 200 sends and replies in 2 s: a loop that spins would come to hundreds of thousands.
    assert generator["polls"] < 20_000
