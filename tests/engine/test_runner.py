"""Names of files, numbers of workers."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from samples import make_header
from wsload.engine.runner import choose_workers, create_file, default_stem
from wsload.scenario import LoadModel, Scenario, build_plan

AT = datetime(2026, 11, 23, 10, 15, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "labels", "name"),
    [
        ("ws://127.0.0.1:9000/echo/v2?x=1", {}, "echo"),
        ("ws://example.com/", {}, "example.com"),
        ("ws://example.com/chat", {"name": "release 1.2"}, "release-1.2"),
        ("ws://[::1]/", {}, "1"),
        ("ws://h/%2e%2e/..", {}, "2e-2e"),
    ],
)
def test_a_file_is_named_after_label_path_or_host(url: str, labels: dict[str, str], name: str) -> None:
    stem = default_stem(build_plan(Scenario(target=url)), labels, AT)
    assert stem == f"{name}-{AT.astimezone():%Y%m%d-%H%M%S}"


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = build_plan(Scenario(target="ws://h/echo"))
    for _ in range(3):
        create_file(None, plan, {}, make_header()).close()
    stem = default_stem(plan, {}, make_header().started_at)
    found = sorted(path.name for path in tmp_path.glob("*.wsload"))
    assert found == sorted([f"{stem}.wsload", f"{stem}-2.wsload", f"{stem}-3.wsload"])


def test_there_are_never_more_workers_than_connections() -> None:
    plan = build_plan(Scenario(target="ws://h/", load=LoadModel(connections=3)))
    assert choose_workers(plan, 8) == 3
    assert choose_workers(plan, 2) == 2
    assert 1 <= choose_workers(plan, None) <= 3
