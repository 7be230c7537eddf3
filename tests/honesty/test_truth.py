"""Whole runs against a server whose faults are known exactly: what is printed is what the script says."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servers import run, run_json

NOISE_NS = 4_000_000
"""What a shared machine and a server in Python add to a wait. The waits below are large against it."""


@contextmanager
def faulty(*flags: str) -> Iterator[str]:
    command = [sys.executable, "-m", "wsload", "serve", "faults", "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def truth(*flags: str, cwd: Path) -> dict[str, Any]:
    done = run("serve", "faults", "--explain", "--format", "json", *flags, cwd=cwd)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def assert_close(
    measured: dict[str, Any], expected: dict[str, int], names: tuple[str, ...], noise_ns: int = NOISE_NS
) -> None:
    for name in names:
        assert measured[name] == pytest.approx(expected[name], rel=0.02, abs=noise_ns), name


FAST = {"20k/s", "50k/s"}
STALL = ["--stall", "207ms/1993ms"]
UNIFORM = ["--delay", "uniform:20ms,120ms"]
EXPONENTIAL = ["--delay", "exp:40ms", "--delay-share", "50%"]


@pytest.mark.parametrize(
    ("rate", "fault", "names"),
    [
        ("20k/s", UNIFORM, ("p50", "p90")),
        ("50k/s", UNIFORM, ("p50", "p90")),
        # A stall begins so long after the first message came: messages must lie closer than that one may be late.
        ("500/s", STALL, ("p50", "p99", "max")),
        ("2k/s", STALL, ("p50", "p99", "max")),
        ("10/s", UNIFORM, ("p50", "p90")),
        ("2k/s", UNIFORM, ("p50", "p90", "p99")),
        ("50/s", EXPONENTIAL, ("p50", "p90", "p99")),
        ("2k/s", EXPONENTIAL, ("p50", "p90", "p99")),
    ],
)
def test_response_times_are_those_of_the_script(
    rate: str, fault: list[str], names: tuple[str, ...], tmp_path: Path
) -> None:
    load = ["--rate", rate, *(["-c", "200", "-d", "2s"] if rate in FAST else ["-c", "20", "-d", "4s"])]
    with faulty(*fault) as url:
        result = run_json(url, *load, "--workers", "1", cwd=tmp_path)
    expected = truth(*fault, *load, cwd=tmp_path)
    assert (result["messages"]["due"], result["messages"]["answered"]) == (expected["messages"], expected["answered"])
    # A server in Python has not much to spare at such rates.
    noise_ns = 3 * NOISE_NS if rate in FAST else NOISE_NS
    assert_close(result["response_time"], expected["response_time_ns"], names, noise_ns)


def test_a_closed_loop_hides_the_stall_and_an_open_one_does_not(tmp_path: Path) -> None:
    fault = ["--stall", "200ms/1s"]
    with faulty(*fault) as url:
        closed = run_json(url, "-c", "1", "-d", "4s", cwd=tmp_path)
    with faulty(*fault) as url:
        open_loop = run_json(url, "-c", "20", "--rate", "500/s", "-d", "4s", cwd=tmp_path)
    # The one in a thousand that waited, against the fifth of all that would have.
    assert closed["response_time"]["p99"] < 20_000_000
    assert open_loop["response_time"]["p99"] > 150_000_000


def test_the_log_of_the_server_agrees_message_by_message(tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    with faulty("--delay", "uniform:10ms,60ms", "--log", str(log)) as url:
        result = run_json(url, "-c", "10", "--rate", "400/s", "-d", "3s", cwd=tmp_path)
    lines = [line.split("\t") for line in log.read_text(encoding="ascii").splitlines()]
    served = sorted(int(line[4]) - int(line[3]) for line in lines)
    assert len(served) == result["service_time"]["count"] == 1_200
    for name, rank in (("p50", 599), ("p90", 1_079), ("p99", 1_187)):
        # The service time holds the way there and back as well.
        assert 0 <= result["service_time"][name] - served[rank] * 0.99 <= NOISE_NS + 0.02 * served[rank], name


def test_lost_replies_are_found_by_their_key_and_counted_by_their_age(tmp_path: Path) -> None:
    fault = ["--delay", "uniform:20ms,60ms", "--any-order", "--drop-replies", "5%", "--seed", "4"]
    load = ["--rate", "400/s", "-c", "10", "-d", "4s"]
    message = '{"id": {{$id}}}'
    with faulty(*fault) as url:
        flags = ["-m", message, "--match", "json:$.id", "--reply-timeout", "500ms", "--workers", "1"]
        result = run_json(url, *load, *flags, cwd=tmp_path)
    expected = truth(*fault, *load, cwd=tmp_path)
    messages = result["messages"]
    assert (messages["answered"], messages["duplicates"], messages["late"]) == (expected["answered"], 0, 0)
    assert messages["unanswered"] == expected["messages"] - expected["answered"]
    response = result["response_time"]
    # One in twenty is lost: p90 lies among those that are answered, p99 is only known to be above the time-out.
    ranks = {"p50": 0.5 / 0.95, "p90": 0.9 / 0.95}
    assert all(name not in response["at_least"] for name in ranks)
    for name, quantile in ranks.items():
        assert response[name] == pytest.approx(20e6 + 40e6 * quantile, rel=0.04, abs=NOISE_NS), name
    assert {"p99", "p99.9", "max"} <= set(response["at_least"])
    assert response["p99"] >= 500_000_000
    assert response["censored"] == messages["unanswered"]
