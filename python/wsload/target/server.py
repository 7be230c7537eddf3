"""Keeps the workers of a server: one listening address, any number of processes that share it by SO_REUSEPORT."""

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wsload.errors import ServeError

START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 10.0
COUNTS = ("connections", "messages", "payload_bytes")


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that is ready."""

    url: str
    workers: int


@dataclass(frozen=True, slots=True)
class Served:
    """What a server has served, all workers together: `payload_bytes` counts each echoed message once."""

    connections: int
    messages: int
    payload_bytes: int
    leaked_bytes: int = 0
    restarts: int = 0


def serve_echo(host: str, port: int, workers: int, on_ready: Callable[[Serving], None]) -> Served:
    """Serves echoes until SIGINT or SIGTERM. Port 0 takes a free one.

    Raises:
        ServeError: the address cannot be had, or a worker was lost.
    """
    return serve("echo", {}, host, port, workers, on_ready)


def serve(
    kind: str, options: dict[str, Any], host: str, port: int, workers: int, on_ready: Callable[[Serving], None]
) -> Served:
    """Serves a kind of `wsload.target.worker` until SIGINT or SIGTERM. Port 0 takes a free one.

    Raises:
        ServeError: the address cannot be had, or a worker was lost.
    """
    sockets = listen(host, port, workers)
    ready = Serving(url_of(sockets[0].getsockname()), workers)
    return asyncio.run(_supervise((kind, json.dumps(options)), sockets, lambda: on_ready(ready)))


def url_of(address: tuple[Any, ...]) -> str:
    """Where a socket's address is to be reached."""
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"ws://{shown}:{address[1]}/"


def listen(host: str, port: int, count: int, accept: bool = True) -> list[socket.socket]:
    """Listening sockets on one address, among which the kernel spreads connections.

    One that is not to accept yet does not listen, and shares the address with whoever of us does.

    Raises:
        ServeError: the address cannot be had; an address in use is never shared with its owner.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        what = f"--host: {host!r} does not resolve: {error.strerror}"
        raise ServeError(what, "Name an address of this machine, such as 127.0.0.1 or 0.0.0.0.") from None
    sockets: list[socket.socket] = []
    try:
        for number in range(count):
            listening = socket.socket(family, kind, protocol)
            sockets.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if number > 0 or not accept:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.bind(sockets[0].getsockname() if number else address)
            # The first is bound without sharing, so that another server's port is refused, and shares from then on.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for listening in sockets if accept else ():
            listening.listen(socket.SOMAXCONN)
    except OSError as error:
        for listening in sockets:
            listening.close()
        raise _refused(host, port, error) from None
    return sockets


def _refused(host: str, port: int, error: OSError) -> ServeError:
    if error.errno == errno.EADDRINUSE:
        what = f"--port: {port} on {host} is in use by another program"
        return ServeError(what, "Name another port, or 0 for one that is free.")
    if error.errno == errno.EADDRNOTAVAIL:
        what = f"--host: {host} is no address of this machine"
        return ServeError(what, "Name 127.0.0.1 for this machine only, 0.0.0.0 for all of its addresses.")
    if error.errno == errno.EACCES:
        return ServeError(f"--port: {port} may not be used without root", "Name a port from 1024 up.")
    return ServeError(f"--host: cannot listen on {host}:{port}: {error.strerror}", "Try another address.")


async def _supervise(what: tuple[str, str], sockets: list[socket.socket], on_ready: Callable[[], None]) -> Served:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    workers = [await start_worker(what, listening) for listening in sockets]
    try:
        for listening in sockets:
            # A worker that is lost must not leave an open socket behind that nobody accepts from.
            listening.close()
        await asyncio.wait_for(_all_ready(workers), START_TIMEOUT_S)
        on_ready()
        lost = await _until_stopped(workers, stop)
        reports = await asyncio.wait_for(asyncio.gather(*map(_end, workers)), END_TIMEOUT_S)
    except TimeoutError:
        raise ServeError("a worker did not answer in time", "Is the machine overloaded?") from None
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()
    if lost:
        raise ServeError("a worker was lost: its connections and counts are gone", "See above for its last words.")
    return Served(**{name: sum(report[name] for report in reports) for name in COUNTS})


async def start_worker(what: tuple[str, str], listening: socket.socket) -> asyncio.subprocess.Process:
    """Starts a process for a kind of server and its options as JSON."""
    kind, options = what
    command = (sys.executable, "-m", "wsload.target.worker", kind, str(listening.fileno()), options)
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        pass_fds=(listening.fileno(),),
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


async def _all_ready(workers: list[asyncio.subprocess.Process]) -> None:
    for worker in workers:
        assert worker.stdout is not None  # noqa: S101 - it was asked for
        if await worker.stdout.readline() != b"ready\n":
            raise ServeError("a worker could not be started", "See above for its last words.")


async def _until_stopped(workers: list[asyncio.subprocess.Process], stop: asyncio.Event) -> bool:
    """Waits for a signal; tells whether a worker was lost instead."""
    stopping = asyncio.create_task(stop.wait())
    endings = [asyncio.create_task(worker.wait()) for worker in workers]
    await asyncio.wait([stopping, *endings], return_when=asyncio.FIRST_COMPLETED)
    lost = any(ending.done() for ending in endings)
    for task in (stopping, *endings):
        task.cancel()
    return lost


async def _end(worker: asyncio.subprocess.Process) -> dict[str, int]:
    """Ends a worker; what it reports, nothing from one that was lost."""
    assert worker.stdin is not None  # noqa: S101
    assert worker.stdout is not None  # noqa: S101
    worker.stdin.close()
    line = await worker.stdout.readline()
    return json.loads(line) if line else dict.fromkeys(COUNTS, 0)
