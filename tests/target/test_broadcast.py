"""The server of rooms: who receives what."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from websockets.sync.client import connect

from serving import END_TIMEOUT_S


@contextmanager
def broadcasting(*flags: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "wsload", "serve", "broadcast", "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1], process
        finally:
            process.kill()


def test_a_message_goes_to_all_in_its_room_and_to_nobody_else() -> None:
    with broadcasting() as (url, process), ExitStack() as stack:
        first = [stack.enter_context(connect(f"{url}one", proxy=None)) for _ in range(3)]
        second = [stack.enter_context(connect(f"{url}two", proxy=None)) for _ in range(2)]
        first[0].send("hello")
        second[1].send(b"bytes")
        assert [client.recv(timeout=5) for client in first] == ["hello"] * 3
        assert [client.recv(timeout=5) for client in second] == [b"bytes"] * 2
        stack.close()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert out == "served 5 connections, 5 messages, 25 payload bytes\n"


def test_the_sender_may_be_left_out() -> None:
    with (
        broadcasting("--not-to-sender") as (url, _),
        connect(url, proxy=None) as one,
        connect(url, proxy=None) as other,
    ):
        one.send("first")
        other.send("second")
        assert other.recv(timeout=5) == "first"
        assert one.recv(timeout=5) == "second"


def test_a_share_of_the_deliveries_gets_lost() -> None:
    with broadcasting("--drop", "20%") as (url, _), connect(url, proxy=None) as client:
        for number in range(200):
            client.send(str(number))
        got = 0
        with contextlib.suppress(TimeoutError):
            while client.recv(timeout=1):
                got += 1
    assert 130 <= got <= 190
