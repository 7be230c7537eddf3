"""One run of one tool: CPU per message, memory, an open loop, what it says of refused connections."""

import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from benchmarks.machine import busy_ns
from benchmarks.measure import CLIENT_CPU, EXAMPLES, SERVER_CPU, WSLOAD, on
from benchmarks.peers.tool import Job, Tool
from benchmarks.peers.tree import Running, started

OPENING_S = 40.0
LONG_S = 120
"""Told to a tool whose run is ended when enough has been measured."""


class UnfitError(Exception):
    """The tool did not do what it was asked."""


class Echo:
    """The native echo server: what it has echoed is the truth about what a client has done."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.port = port
        self._process = process

    def counts(self) -> tuple[int, int]:
        """Messages echoed so far, connections open."""
        _pipe(self._process.stdin).write("\n")
        _pipe(self._process.stdin).flush()
        echoed, clients = _pipe(self._process.stdout).readline().split()
        return int(echoed), int(clients)

    def cpu_ns(self) -> int:
        """CPU time of the server."""
        stat = Path(f"/proc/{self._process.pid}/schedstat").read_text(encoding="ascii")
        return int(stat.split()[0])


@contextmanager
def echo_server() -> Iterator[Echo]:
    """On its own core."""
    with subprocess.Popen(
        [str(EXAMPLES / "echo_server")],
        text=True,
        preexec_fn=on(SERVER_CPU),  # noqa: PLW1509 - there are no threads
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Echo(process, int(_pipe(process.stdout).readline().rstrip().rstrip("/").rpartition(":")[2]))
        finally:
            _pipe(process.stdin).close()
            # Its last word: a closed pipe would be an error to it.
            _pipe(process.stdout).read()


@contextmanager
def faults_server(*flags: str) -> Iterator[int]:
    """`wsload serve faults` on its own core; gives its port."""
    with subprocess.Popen(
        [str(WSLOAD), "serve", "faults", "--port", "0", *flags],
        text=True,
        preexec_fn=on(SERVER_CPU),  # noqa: PLW1509 - there are no threads
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            line = next(line for line in _pipe(process.stdout) if "ws://" in line)
            yield int(line.partition("ws://")[2].partition("/")[0].rpartition(":")[2])
        finally:
            process.terminate()


def steady(tool: Tool, kind: str, connections: int, seconds: float, load: dict[str, int]) -> dict[str, Any]:
    """CPU per message of a window of a run, from when all connections have been open for a while.

    What the tool did is what the server counts: its start, its connecting and its report are left out.
    """
    with echo_server() as server, _folder() as folder:
        job = Job(kind, server.port, connections, LONG_S, folder, **load)  # type: ignore[arg-type]
        with started(tool.command(job), folder, CLIENT_CPU) as running:
            _opened(running, server, connections)
            time.sleep(tool.warm_up_s)
            before, begin = _marks(running, server), time.monotonic_ns()
            time.sleep(seconds)
            after, elapsed = _marks(running, server), time.monotonic_ns() - begin
    messages, cpu, own, busy = (late - early for early, late in zip(before, after, strict=True))
    if messages <= 0:
        raise UnfitError("no message came back while it was measured")
    return {
        "messages": messages,
        "cpu_ns": cpu / messages,
        "rate": messages / (elapsed / 1e9),
        "foreign": max((busy - own) / elapsed, 0.0),
    }


def idle_rss_bytes(tool: Tool, connections: int) -> int:
    """Resident memory of the tool with idle connections, a while after they have been opened."""
    with echo_server() as server, _folder() as folder:
        command = tool.command(Job("idle", server.port, connections, LONG_S, folder))
        with started(command, folder, CLIENT_CPU) as running:
            _opened(running, server, connections)
            time.sleep(tool.warm_up_s)
            return running.rss_bytes()


def reported(tool: Tool, connections: int, rate: int, seconds: int, stall: str | None) -> dict[str, Any]:
    """A whole open loop, to its end: CPU of all of it, and the response times that the tool reports, ms."""
    with _folder() as folder, faults_server("--stall", stall) if stall else nullcontext(0) as port:
        job = Job("open", port, connections, seconds, folder, rate=rate)
        with started(tool.command(job), folder, CLIENT_CPU) as running:
            code = running.wait(seconds + OPENING_S)
            latency = tool.latency(job, running.said()) if code is not None else None
    if latency is None:
        return {"exit_code": code}
    return {"exit_code": code, "p50": latency.p50, "p95": latency.p95, "p99": latency.p99}


def refused_exit_code(tool: Tool, kind: str) -> int | None:
    """What the tool exits with when nobody listens; None if it does not end by itself."""
    with socket.socket() as free, _folder() as folder:
        # Bound and not listening: connections are refused, and nobody else gets the port.
        free.bind(("127.0.0.1", 0))
        job = Job(kind, free.getsockname()[1], 10, 2, folder, rate=100)  # type: ignore[arg-type]
        with started(tool.command(job), folder, CLIENT_CPU) as running:
            return running.wait(OPENING_S)


def truth_ms(stall_ms: float, period_ms: float, share: float) -> float:
    """Response time at a percentile (0 to 1) that stalls alone cause under an even open load.

    A message in `stall_ms / period_ms` meets one and waits for what is left of it, anything from 0 to all, evenly.
    """
    beyond = (1 - share) / (stall_ms / period_ms)
    return max(stall_ms * (1 - beyond), 0.0)


def raise_limits() -> None:
    """Descriptors for a thousand connections of whatever is started."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))


def _opened(running: Running, server: Echo, connections: int) -> None:
    until = time.monotonic() + OPENING_S
    while (clients := server.counts()[1]) < connections:
        if running.ended() or time.monotonic() > until:
            raise UnfitError(f"only {clients} of {connections} connections opened")
        time.sleep(0.05)


def _marks(running: Running, server: Echo) -> tuple[int, int, int, int]:
    """Messages, CPU of the tool, CPU of tool and server, CPU of all."""
    messages, cpu = server.counts()[0], running.cpu_ns()
    return messages, cpu, cpu + server.cpu_ns(), busy_ns()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


def _pipe(pipe: "IO[str] | None") -> "IO[str]":
    assert pipe is not None
    return pipe
