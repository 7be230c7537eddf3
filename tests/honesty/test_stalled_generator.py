"""The generator itself is held up: the server must not be blamed, and the result must say so."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servers import TIMEOUT_S, children_of, start, wait_for_file, wsload_echo

MS = 1_000_000


def stop_for(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def once_for_long(pid: int, over: threading.Event) -> None:
    """One second and a half in the middle of the run."""
    over.wait(0.5)
    stop_for(pid, 1.5)


def shortly_all_the_time(pid: int, over: threading.Event) -> None:
    """30 ms of every 100."""
    while not over.wait(0.07):
        stop_for(pid, 0.03)


def leave_alone(pid: int, over: threading.Event) -> None:
    pass


def result_of(disturb: Callable[[int, threading.Event], None], tmp_path: Path) -> tuple[int, dict[str, Any]]:
    with wsload_echo() as (url, _):
        flags = ["-c", "20", "--rate", "1k/s", "-d", "4s", "--workers", "1", "--strict", "--format", "json"]
        process = start("run", url, *flags, cwd=tmp_path)
        wait_for_file(tmp_path)
        (worker,) = children_of(process.pid)
        over = threading.Event()
        thread = threading.Thread(target=disturb, args=(worker, over))
        thread.start()
        time.sleep(2.5)
        over.set()
        thread.join()
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert not err
    document: dict[str, Any] = json.loads(out)
    return process.returncode, document


@pytest.mark.parametrize(
    ("disturb", "least_lag_ns"), [(once_for_long, 1_000 * MS), (shortly_all_the_time, 20 * MS)], ids=["once", "often"]
)
def test_the_server_is_not_blamed_for_what_the_generator_missed(
    disturb: Callable[[int, threading.Event], None], least_lag_ns: int, tmp_path: Path
) -> None:
    code, result = result_of(disturb, tmp_path)
    messages = result["messages"]
    # Nothing is forgiven: what was due is sent, late, and counted from when it was due.
    assert (messages["due"], messages["sent"], messages["answered"]) == (4_000, 4_000, 4_000)
    assert result["send_lag"]["max"] >= least_lag_ns
    assert result["response_time"]["p99"] >= 0.9 * result["send_lag"]["p99"]
    # Arrival is when the kernel had the reply, not when somebody came to read it.
    assert result["service_time"]["p99"] < 15 * MS
    # And the result says whose fault it was.
    assert [reason["kind"] for reason in result["verdict"]["reasons"]] == ["send_lag"]
    assert code == 5


def test_a_run_that_is_not_disturbed_is_trusted(tmp_path: Path) -> None:
    code, result = result_of(leave_alone, tmp_path)
    kinds = [reason["kind"] for reason in result["verdict"]["reasons"]]
    # What others do on this machine may hold it up as well: then, and only then, it must say so.
    if result["send_lag"]["p99"] < MS:
        assert [kind for kind in kinds if kind != "stolen"] == []
    assert code == (5 if kinds else 0)
