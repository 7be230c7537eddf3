"""Servers for the tests: peers of another make in processes of their own, and sockets that misbehave."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "tests" / "peers"
WSLOAD = Path(sys.executable).parent / "wsload"
TIMEOUT_S = 60


class Peer:
    """A running echo server of another make."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = f"ws://127.0.0.1:{process.stdout.readline().strip()}/"

    def finish(self) -> int:
        """Ends it; how many messages it has echoed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        return int(self.process.stdout.readline())


@contextmanager
def peer(name: str, *arguments: str) -> Iterator[Peer]:
    """`websockets`, `aiohttp` or `ws`."""
    script = PEERS / f"echo_{name}.{'js' if name == 'ws' else 'py'}"
    command = [shutil.which("node") or "node" if name == "ws" else sys.executable, str(script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Peer(process)
        finally:
            process.kill()


@contextmanager
def wsload_echo(*flags: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`wsload serve echo` on a free port: its address and process."""
    command = [str(WSLOAD), "serve", "echo", "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server that treats each connection as `serve` does, on a thread of its own, and closes it."""

    def treat(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=treat, args=(listener.accept()[0],), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        # A close alone would leave the thread in its accept.
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


def free_address() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"ws://127.0.0.1:{probe.getsockname()[1]}/"


def start(*arguments: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """Starts the command line."""
    env = {**os.environ, "COLUMNS": "100"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([str(WSLOAD), *arguments], cwd=cwd, env=env, text=True, **(pipes | options))


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command line to its end."""
    process = start(*arguments, cwd=cwd)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def run_json(*arguments: str, cwd: Path) -> dict[str, Any]:
    """Runs `wsload run` and reads its one document."""
    done = run("run", *arguments, "--format", "json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def wait_for_file(folder: Path) -> Path:
    """The run file of a run that has begun to write its intervals."""
    deadline = threading.Event()
    for _ in range(TIMEOUT_S * 20):
        for path in folder.glob("*.wsload"):
            from wsload.errors import RunFileError
            from wsload.results import RunFile

            try:
                with RunFile.open(path) as opened:
                    if any(interval.start_ns >= 0 for interval in opened.intervals()):
                        return path
            except RunFileError:
                # It is being created this moment.
                pass
        deadline.wait(0.05)
    raise AssertionError("no interval was written")


def children_of(pid: int) -> list[int]:
    """Process ids of the children of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(number) for number in text.split()]


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Sends a signal."""
    os.kill(pid, number)


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
