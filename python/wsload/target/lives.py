"""A server that is restarted on schedule: one process after the other on one address.

The process that follows is given a socket that does not listen yet: the port stays ours, and until the server is up
again connections are refused, as with any service that is restarted.
"""

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, replace
from typing import Any

from wsload.errors import ServeError
from wsload.target.server import COUNTS, END_TIMEOUT_S, START_TIMEOUT_S, Served, Serving, listen, start_worker, url_of


@dataclass(frozen=True, slots=True)
class Life:
    """What a process is told of those before it; instants in ns of the monotonic clock."""

    number: int = 0
    first_ns: int = 0
    """When the first of all messages came."""
    down_ns: int = 0
    """When the one before it was asked to end."""
    opens_ns: int = 0
    """Until when it does not listen."""
    connections_before: int = 0


@dataclass(frozen=True, slots=True)
class Restart:
    """A restart that has been: how long the server was down, and what the process before had served and leaked."""

    number: int
    down_ns: int
    served: Served


def serve_in_lives(
    options: dict[str, Any],
    address: tuple[str, int],
    on_ready: Callable[[Serving], None],
    on_restart: Callable[[Restart], None],
) -> Served:
    """Serves with faults as `Script` says, restarts included, until SIGINT or SIGTERM. Port 0 takes a free one.

    Raises:
        ServeError: the address cannot be had, or a process was lost.
    """
    (listening,) = listen(*address, 1)
    return asyncio.run(_Lives(options, on_restart).supervise(listening, on_ready))


class _Process:
    """A worker, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def says(self, word: str) -> str:
        """The rest of its next line, which must begin with this word.

        Raises:
            ServeError: it has ended.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        line = (await self._process.stdout.readline()).decode().strip()
        first, _, rest = line.partition(" ")
        if first != word:
            raise _lost()
        return rest

    async def lost(self) -> str:
        """Waits for an end that nobody asked for.

        Raises:
            ServeError: always, then.
        """
        await self._process.wait()
        raise _lost()

    async def end(self, how: str) -> Served:
        """Ends it; what it served."""
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(how.encode())
        self._process.stdin.close()
        said = await asyncio.wait_for(self._process.stdout.read(), END_TIMEOUT_S)
        await self._process.wait()
        last = said.decode().strip().rpartition("\n")[2]
        if not last.startswith("{"):
            raise _lost()
        return Served(**json.loads(last))

    async def kill(self) -> None:
        """Nothing is left of it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


class _Lives:
    def __init__(self, options: dict[str, Any], on_restart: Callable[[Restart], None]) -> None:
        self._options = options
        self._on_restart = on_restart
        self._total = Served(0, 0, 0)
        self._processes: list[_Process] = []
        self._stop = asyncio.Event()

    async def supervise(self, listening: socket.socket, on_ready: Callable[[Serving], None]) -> Served:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        address = listening.getsockname()
        try:
            current = await self._start(listening, Life())
            await asyncio.wait_for(current.says("ready"), START_TIMEOUT_S)
            on_ready(Serving(url_of(address), 1))
            last = await self._until_stopped(current, address)
            if last is not None:
                self._add(await last.end(""))
        except TimeoutError:
            raise ServeError("a worker did not answer in time", "Is the machine overloaded?") from None
        finally:
            for process in self._processes:
                await process.kill()
        return self._total

    async def _until_stopped(self, current: _Process, address: tuple[Any, ...]) -> _Process | None:
        """Restarts the server again and again; the process that is there when it is stopped."""
        begun = await self._unless_stopped(current.says("begun"))
        number = 0
        while begun is not None:
            number += 1
            due_ns = int(begun) + number * self._options["restart_period_ns"]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((due_ns - time.monotonic_ns()) / 1e9):
                    await self._unless_stopped(current.lost())
            if self._stop.is_set():
                break
            life = Life(number, int(begun), time.monotonic_ns())
            successor = await self._succeed(current, life, address)
            if successor is None:
                return None
            current = successor
        return current

    async def _succeed(self, current: _Process, life: Life, address: tuple[Any, ...]) -> _Process | None:
        """Ends a process and starts the next; none if the server was stopped before that was up."""
        # It shares the address with the one that still listens, so that nobody else can take the port in between.
        (waiting,) = listen(address[0], address[1], 1, accept=False)
        served = await current.end("abort" if self._options["abort"] else "restart")
        self._add(served, restarts=1)
        pause_ns = self._options["restart_down_ns"]
        opens_ns = life.down_ns + pause_ns
        life = replace(life, opens_ns=opens_ns, connections_before=self._total.connections)
        successor = await self._start(waiting, life)
        ready = await asyncio.wait_for(self._unless_stopped(successor.says("ready")), START_TIMEOUT_S + pause_ns / 1e9)
        if ready is None:
            return None
        self._on_restart(Restart(life.number, time.monotonic_ns() - life.down_ns, served))
        return successor

    async def _start(self, listening: socket.socket, life: Life) -> _Process:
        options = json.dumps(self._options | {"life": asdict(life)})
        process = _Process(await start_worker(("faults", options), listening))
        self._processes.append(process)
        # A worker that is lost must not leave an open socket behind that nobody accepts from.
        listening.close()
        return process

    async def _unless_stopped(self, answer: Coroutine[Any, Any, str]) -> str | None:
        tasks = [asyncio.ensure_future(answer), asyncio.ensure_future(self._stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return None if self._stop.is_set() else str(tasks[0].result())
        finally:
            for task in tasks:
                task.cancel()

    def _add(self, served: Served, restarts: int = 0) -> None:
        both = {name: getattr(served, name) + getattr(self._total, name) for name in (*COUNTS, "leaked_bytes")}
        self._total = Served(**both, restarts=self._total.restarts + restarts)


def _lost() -> ServeError:
    return ServeError("a worker was lost: its connections and counts are gone", "See above for its last words.")
