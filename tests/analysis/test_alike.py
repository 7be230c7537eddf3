from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from made_runs import made_run
from wsload.analysis.alike import differences
from wsload.analysis.series import Series, read_series
from wsload.results.verdict import Reason


@pytest.fixture
def run(tmp_path: Path) -> Series:
    return read_series(made_run(tmp_path / "a.wsload", seed=1, seconds=2, messages=5))


def with_plan(run: Series, **update: Any) -> Series:
    return replace(run, header=run.header.model_copy(update={"plan": run.header.plan.model_copy(update=update)}))


def with_host(run: Series, **update: Any) -> Series:
    return replace(run, header=run.header.model_copy(update={"host": run.header.host.model_copy(update=update)}))


def suspect(run: Series) -> Series:
    reason = Reason(kind="send_lag", text="messages went out late", remedy="", evidence={})
    return replace(run, reasons=(reason,))


UNLIKE: dict[str, tuple[Callable[[Series], Series], str, str]] = {
    "connections": (lambda run: with_plan(run, connections=7), "plan", "connections is 7, and 1 in the first run"),
    "length": (lambda run: with_plan(run, duration_ns=9), "plan", "duration_ns is 9"),
    "matching": (lambda run: with_plan(run, matching="none"), "plan", "matching is none, and order"),
    "machine": (lambda run: with_host(run, cpus=64), "machine", "cpus is 64, and 2"),
    "outcome": (lambda run: replace(run, outcome="interrupted"), "outcome", "the run is interrupted"),
    "suspect": (suspect, "suspect", "is suspect: messages went out late"),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_a_difference_is_named(run: Series, name: str) -> None:
    change, kind, words = UNLIKE[name]
    (found,) = differences([run, replace(change(run), path=Path("b.wsload"))])
    assert found.kind == kind
    assert str(found).startswith("b.wsload: ")
    assert words in str(found)


def test_where_a_run_went_and_what_it_drew_is_no_difference(run: Series, tmp_path: Path) -> None:
    target = run.header.plan.target.model_copy(update={"port": 9_999, "host_header": "other:9999"})
    moved = with_plan(run, target=target, seed=5)
    other = read_series(made_run(tmp_path / "b.wsload", seed=2, seconds=2, messages=5))
    assert differences([run, moved, other]) == []


def test_a_written_message_is_compared_and_a_made_up_one_by_its_length(run: Series) -> None:
    message = run.header.plan.message
    assert message is not None
    made_up = with_plan(run, message=message.model_copy(update={"payload": bytes(len(message.payload))}))
    longer = with_plan(run, message=message.model_copy(update={"payload": bytes(99)}))
    assert differences([run, made_up]) == []
    assert [found.what for found in differences([run, longer])] == ["message.payload"]
