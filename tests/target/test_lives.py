"""A server that is restarted on schedule: who is told what, and what is left of it."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from serving import END_TIMEOUT_S, client, faulty, round_trip_ms

RESTARTING = ("--restart-every", "3s", "--restart-down", "1s")
UP_AGAIN_S = 20


def is_refused(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def until_up(url: str) -> float:
    """Waits until connections are accepted again; the instant."""
    give_up = time.monotonic() + UP_AGAIN_S
    while is_refused(url):
        assert time.monotonic() < give_up, "the server does not come back"
    return time.monotonic()


def test_a_restart_closes_connections_refuses_others_and_comes_back(tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    with faulty(*RESTARTING, "--leak", "1MB/s", "--log", str(log)) as (url, process):
        assert process.stdout is not None
        with client(url) as made:
            begin = time.monotonic()
            round_trip_ms(made)
            with pytest.raises(ConnectionClosed) as closed:
                made.recv(timeout=10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
            assert time.monotonic() - begin >= 3
        assert is_refused(url)
        assert until_up(url) - begin >= 4
        said = process.stdout.readline()
        assert said.startswith("restart 1: down for ")
        assert " after 1 messages, " in said
        with connect(url, compression=None, proxy=None) as made:
            round_trip_ms(made, "after")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert out.startswith("served 2 connections, 2 messages, 6 payload bytes; 1 restart; ")
    first, restart, after = [line.split("\t") for line in log.read_text(encoding="ascii").splitlines()][:3]
    assert first[:3] == ["0", "0", "x"]
    assert restart[:3] == ["-", "1", "restart"]
    # The connection has the next number: its draws are its own.
    assert after[:3] == ["1", "0", "after"]
    down_ns, up_ns = int(restart[3]), int(restart[4])
    assert down_ns - int(first[3]) >= 3e9
    assert up_ns - down_ns >= 1e9


def test_a_restart_by_reset_has_no_close(tmp_path: Path) -> None:
    with faulty(*RESTARTING, "--abort") as (url, _), client(url) as made:
        round_trip_ms(made)
        with pytest.raises(ConnectionClosed) as closed:
            made.recv(timeout=10)
        assert closed.value.rcvd is None


def test_a_server_is_stopped_while_it_is_down() -> None:
    with faulty("--restart-every", "6s", "--restart-down", "5s", "--abort") as (url, process):
        with client(url) as made:
            round_trip_ms(made)
            with pytest.raises(ConnectionClosed):
                made.recv(timeout=20)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        out, _ = process.communicate(timeout=END_TIMEOUT_S)
        assert time.monotonic() - begin < 4, "it does not wait until it would be up"
    assert out == "served 1 connection, 1 message, 1 payload byte; 1 restart\n"


def test_a_process_that_is_lost_ends_the_server() -> None:
    with faulty("--restart-every", "1h") as (url, process):
        with client(url) as made:
            round_trip_ms(made)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            (worker,) = children.read_text(encoding="ascii").split()
            subprocess.run(["kill", "-9", worker], check=True)
        assert process.wait(timeout=END_TIMEOUT_S) == 1


def test_memory_really_grows() -> None:
    with faulty("--restart-every", "1h", "--leak", "40MB/s") as (url, process), client(url) as made:
        round_trip_ms(made)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        (worker,) = children.read_text(encoding="ascii").split()
        begin_pages = resident_pages(worker)
        give_up = time.monotonic() + 20
        while resident_pages(worker) - begin_pages < 20_000_000 // 4096:
            assert time.monotonic() < give_up
            round_trip_ms(made)


def resident_pages(pid: str) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])


def test_flags_that_do_not_go_together_are_explained() -> None:
    command = [sys.executable, "-m", "wsload", "serve", "faults"]
    for flags, what in (
        (["--slow-down", "1%/10m"], "--slow-down: there is no delay"),
        (["--restart-every", "1s", "--restart-down", "2s"], "--restart-every"),
    ):
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert what in done.stderr
