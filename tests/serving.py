"""`wsload serve` as a process of its own, for tests that need a server, and a client of another make."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

END_TIMEOUT_S = 20


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].strip("/"))

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in children.read_text(encoding="ascii").split()]

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, int, int]:
        """Ends it; the connections, messages and payload bytes that it says it served."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=END_TIMEOUT_S)
        assert (self.process.returncode, err) == (0, "")
        match = re.fullmatch(r"served ([\d,]+) connections?, ([\d,]+) messages?, ([\d,]+) payload bytes?\n", out)
        assert match, out
        connections, messages, size = (int(figure.replace(",", "")) for figure in match.groups())
        return connections, messages, size


@contextmanager
def serving(workers: int = 1) -> Iterator[Server]:
    """An echo server on a free port."""
    command = [sys.executable, "-m", "wsload", "serve", "echo", "--port", "0", "--workers", str(workers)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert re.fullmatch(r"listening on ws://127\.0\.0\.1:\d+/\n", line), line
            yield Server(process, line.split()[-1])
        finally:
            process.kill()


@contextmanager
def faulty(*flags: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server with faults on a free port."""
    command = [sys.executable, "-m", "wsload", "serve", "faults", "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1], process
        finally:
            process.kill()


@contextmanager
def client(url: str) -> Iterator[ClientConnection]:
    """A connection to it."""
    with connect(url, compression=None, proxy=None) as made:
        yield made


def round_trip_ms(made: ClientConnection, message: str = "x") -> float:
    """How long it takes for a message to come back."""
    begin = time.monotonic()
    made.send(message)
    assert made.recv(timeout=10) == message
    return (time.monotonic() - begin) * 1e3
