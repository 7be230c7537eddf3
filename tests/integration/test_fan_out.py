"""Publishers and subscribers: whole runs against `serve broadcast`."""

import signal
import subprocess
from pathlib import Path

import pytest

from servers import TIMEOUT_S, run, run_json, start

LOAD = ["-c", "40", "--publishers", "2", "--rate", "50/s", "-d", "2s"]


def broadcast(tmp_path: Path, *flags: str) -> tuple[str, subprocess.Popen[str]]:
    process = start("serve", "broadcast", "--port", "0", *flags, cwd=tmp_path)
    assert process.stdout is not None
    return process.stdout.readline().split()[-1], process


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=TIMEOUT_S)[0]


def test_everybody_gets_everything(tmp_path: Path) -> None:
    url, process = broadcast(tmp_path)
    result = run_json(url, *LOAD, cwd=tmp_path)
    assert result["fan_out"] == {
        "publishers": 2,
        "expected": 4_000,
        "delivered": 4_000,
        "reach": 1.0,
        "duplicates": 0,
        "reordered": 0,
    }
    counts = [result[f"fan_out_{which}"]["count"] for which in ("first", "each", "last")]
    assert counts == [100, 4_000, 100]
    assert result["fan_out_first"]["p50"] <= result["fan_out_each"]["p50"] <= result["fan_out_last"]["p50"]
    assert end(process).startswith("served 40 connections, 4,000 messages, ")


def test_what_gets_lost_is_missing_in_the_reach(tmp_path: Path) -> None:
    url, process = broadcast(tmp_path, "--drop", "5%", "--seed", "9")
    result = run_json(url, *LOAD, "--reply-timeout", "500ms", cwd=tmp_path)
    out = end(process)
    delivered = result["fan_out"]["delivered"]
    assert out.startswith(f"served 40 connections, {delivered:,} messages, ")
    assert result["fan_out"]["reach"] == pytest.approx(0.95, abs=0.02)
    (failure,) = result["failures"]
    assert (failure["detail"], failure["count"]) == ("not delivered to all", 4_000 - delivered)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["-c", "3", "--publishers", "4", "--rate", "9/s"], "error: --publishers: 4 of 3 connections"),
        (["--publishers", "1"], "error: --publishers: nothing is scheduled"),
        (["--publishers", "1", "--rate", "9/s", "-m", "hi"], "error: --publishers: --match order does not tell"),
        (["--publishers", "1", "--rate", "9/s", "--size", "9"], "error: --publishers: a made-up message has no key"),
        (["--publishers", "1", "--rate", "9/s", "--workers", "2"], "error: --workers: --publishers takes one worker"),
    ],
)
def test_what_makes_no_fan_out_is_explained(flags: list[str], what: str, tmp_path: Path) -> None:
    done = run("run", "ws://127.0.0.1:9/", *flags, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(what)
