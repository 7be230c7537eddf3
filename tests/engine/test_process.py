"""A worker process as its parent sees it."""

import asyncio
import sys

import pytest
import uvloop

from engine.support import make_plan
from wsload.engine import process
from wsload.engine.process import WorkerProcess
from wsload.errors import EngineError


def run_to_its_end(monkeypatch: pytest.MonkeyPatch, script: str, number: int = 0) -> WorkerProcess:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", script))

    async def run() -> WorkerProcess:
        worker = await WorkerProcess.start(number, 3, make_plan())
        async for _ in worker.records():
            pass
        await worker.gone()
        return worker

    return uvloop.run(run())


def test_a_signal_is_named_and_connections_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = run_to_its_end(monkeypatch, "import os; os.kill(os.getpid(), 9)", number=1)
    # Worker 1 of 3 has the slots 1, 4 and 7 of 8.
    assert "worker 2 of 3 (process " in worker.obituary(3, 8)
    assert worker.obituary(3, 8).endswith(
        ") was lost: killed by signal SIGKILL; its 3 connections are missing from then on"
    )


def test_an_exit_code_comes_with_the_last_line_of_the_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = run_to_its_end(monkeypatch, "raise MemoryError('no room')")
    expected = "was lost: exit code 1; its connection is missing from then on (MemoryError: no room)"
    assert worker.obituary(3, 1).endswith(expected)


def test_a_signal_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = run_to_its_end(monkeypatch, "import os; os.kill(os.getpid(), 40)")
    assert "killed by signal 40" in worker.obituary(3, 1)


def test_only_the_end_of_a_flood_of_complaints_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.stderr.write('x' * 300_000 + 'end')"
    assert run_to_its_end(monkeypatch, script).last_words == "x" * 4093 + "end"


LATE_COMPLAINT = """
import os, select
worker = os.pidfd_open(os.getpid())
if os.fork() == 0:
    select.select([worker], [], [])
    os.write(2, b"said at the very end")
"""


def test_last_words_are_read_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # They lie in the pipe when the process is gone already.
    assert run_to_its_end(monkeypatch, LATE_COMPLAINT).last_words == "said at the very end"


def test_the_first_reason_to_give_up_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "import signal; signal.pause()"))

    async def run() -> str:
        worker = await WorkerProcess.start(0, 1, make_plan())
        worker.give_up("first")
        worker.give_up("second")
        async for _ in worker.records():
            pass
        await worker.gone()
        return worker.obituary(1, 1)

    assert uvloop.run(run()).endswith("SIGKILL; its connection is missing from then on (first)")


def test_a_dead_worker_swallows_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "import os; os.close(0); os.close(1)"))

    async def run() -> None:
        worker = await WorkerProcess.start(0, 1, make_plan())
        for _ in range(20):
            worker.send(do="go", at_ns=1)
            await asyncio.sleep(0)
        await worker.gone()
        for _ in range(20):
            worker.send(do="go", at_ns=1)
            await asyncio.sleep(0)

    uvloop.run(run())


def test_a_program_that_is_not_there_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", ("/nowhere/python",))
    with pytest.raises(EngineError, match="cannot be started: No such file"):
        uvloop.run(WorkerProcess.start(0, 1, make_plan()))
