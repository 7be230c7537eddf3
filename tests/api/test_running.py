"""Whole runs from Python: results, threads, event loops, cancellation."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import wsload
from engine.support import children, ends_within
from servers import children_of, free_address, wait_for_file
from serving import serving
from wsload.errors import ExitCode, NotMeasuredError, RunFileError, UsageError
from wsload.results import RunFile, Summary, read_summary


def test_a_result_tells_what_the_file_tells(tmp_path: Path) -> None:
    path = tmp_path / "run.wsload"
    with serving() as server:
        scenario = wsload.Scenario(server.url, connections=4, iterations=100, thresholds=["answered == 100"])
        result = wsload.run(scenario, output=path, labels={"release": "1.2"}, workers=1)
        assert server.stop() == (4, 100, 3_200)
    assert (result.passed, result.exit_code, result.file_error) == (True, ExitCode.OK, None)
    assert result.path == path
    assert result.summary == read_summary(path)
    assert result.summary.labels == {"release": "1.2"}
    assert result.response.count == result.service.count == result.send_lag.count == 100
    assert result.response == result.summary.response_time
    assert result.connect.count == 4
    (threshold,) = result.thresholds
    assert (threshold.name, threshold.passed, threshold.observed) == ("answered", True, 100)
    assert "thresholds  passed  answered == 100   100" in str(result)
    assert repr(result) == "<Result exit_code=0 failed thresholds: none>"
    assert "<pre>wsload 0" in result._repr_html_()
    assert "response.p99 &lt; 1s" in replace(result, summary=judged(result.summary))._repr_html_()
    assert children() == []


def judged(summary: Summary) -> Summary:
    """The same with a threshold that holds a sign of HTML."""
    (result,) = summary.thresholds
    return summary.model_copy(update={"thresholds": [result.model_copy(update={"text": "response.p99 < 1s"})]})


def test_a_threshold_that_does_not_hold_is_a_result(tmp_path: Path) -> None:
    with serving() as server:
        result = wsload.run(server.url, iterations=10, output=tmp_path / "a.wsload", thresholds="answered > 10")
    assert (result.passed, result.exit_code) == (False, ExitCode.THRESHOLDS)
    assert repr(result) == "<Result exit_code=99 failed thresholds: answered > 10>"


def test_a_server_that_is_absent_is_a_result(tmp_path: Path) -> None:
    result = wsload.run(free_address(), output=tmp_path / "a.wsload", duration=60)
    assert (result.passed, result.exit_code) == (False, ExitCode.FAILED)
    with pytest.raises(NotMeasuredError) as caught:
        _ = result.response.p99
    assert str(caught.value) == "response: nothing was measured\nFailures: 1 x refused."


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    path.touch()
    with pytest.raises(RunFileError, match="exists already"):
        wsload.run(free_address(), output=path)


def test_a_thread_may_run_one_and_signals_stay_as_they_were(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    results: list[wsload.Result] = []
    with serving() as server:

        def one(number: int) -> None:
            results.append(wsload.run(server.url, iterations=10, output=tmp_path / f"{number}.wsload"))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        results.append(wsload.run(server.url, iterations=10, output=tmp_path / "main.wsload"))
    assert [result.summary.messages.answered for result in results] == [10, 10, 10]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_server_on_the_same_loop_is_tested(tmp_path: Path) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> wsload.Result:
        async with serve(echo, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(UsageError, match=r"^run: an event loop is running"):
                wsload.run(url)
            one, other = await asyncio.gather(
                wsload.run_async(url, iterations=50, output=tmp_path / "a.wsload"),
                asyncio.to_thread(wsload.run, url, iterations=50, output=tmp_path / "b.wsload"),
            )
            assert other.passed
            return one

    assert asyncio.run(main()).summary.messages.answered == 50
    assert list(tmp_path.glob("*-wal")) == []


def test_a_cancelled_run_ends_its_workers_and_keeps_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"

    async def main(url: str) -> None:
        task = asyncio.create_task(wsload.run_async(url, rate=200, duration="1h", output=path))
        assert await asyncio.to_thread(wait_for_file, tmp_path) == path
        assert children() != []
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with serving() as server:
        before = children()
        asyncio.run(main(server.url))
        assert children() == before
    check_interrupted(path)


SCRIPT = """
import sys, wsload
try:
    wsload.run(sys.argv[1], rate=200, duration="1h", output=sys.argv[2])
except KeyboardInterrupt:
    sys.exit(7)
"""


def test_an_interrupt_from_the_keyboard_ends_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    with serving() as server, subprocess.Popen([sys.executable, "-c", SCRIPT, server.url, str(path)]) as process:
        try:
            wait_for_file(tmp_path)
            workers = children_of(process.pid)
            assert workers
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(timeout=30) == 7
        finally:
            process.kill()
    assert all(ends_within(pid, 10) for pid in workers)
    check_interrupted(path)


def check_interrupted(path: Path) -> None:
    with RunFile.open(path) as run:
        assert (run.outcome, run.outcome_reason) == ("interrupted", "cancelled")
    assert read_summary(path).messages.sent > 0
    assert list(path.parent.glob("*-wal")) == []


def test_import_is_quick_and_offers_what_it_says() -> None:
    script = (
        "import sys, wsload\n"
        "print(*[name for name in ('pydantic', 'asyncio', 'uvloop', 'typing', 'wsload.api') if name in sys.modules])\n"
        "print(all(hasattr(wsload, name) for name in wsload.__all__), wsload.run.__module__)\n"
        "print(hasattr(wsload, 'nothing'), 'Scenario' in dir(wsload))\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, env=env(), check=True)
    assert done.stdout.splitlines() == ["", "True wsload.api.running", "False True"]


def env() -> dict[str, Any]:
    """Without `site` modules are found where this process finds them."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_scenario_file_is_run_and_keywords_have_precedence(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(
        "target: ws://{{where}}/\nvariables: {where: nowhere.invalid, who: nobody}\n"
        "load: {connections: 2, iterations: 10}\n"
        "iterate: [{send: {text: 'hello {{who}}', reply: order, name: hello}}]\nthresholds: ['answered == 30']\n",
        encoding="utf-8",
    )
    with serving() as server:
        where = server.url.removeprefix("ws://").rstrip("/")
        scenario = wsload.Scenario.from_file(file, variables={"where": where, "who": "you"}, iterations=30)
        result = wsload.run(scenario, output=tmp_path / "a.wsload", workers=1)
        assert server.stop() == (2, 30, 30 * len("hello you"))
    assert result.passed
    assert result.response.count == 30


def test_a_mistake_in_a_scenario_file_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text("target: ws://h/\niterat: []\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"hello.yaml:2:1: iterat"):
        wsload.run(file)
