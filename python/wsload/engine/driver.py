"""Runs a scenario in Python on the connections of one worker.

The shard tells what has come, many connections at a time; each coroutine runs until it waits again. It waits for its
connection, or for any future of the event loop; it is no task.
"""

import asyncio
import traceback
from collections.abc import Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from wsload._core import Scripts, Shard
from wsload.engine.connection import (
    PENDING,
    Connection,
    ConnectionClosedError,
    ExpectationError,
    NoReplyError,
    Shared,
    Slot,
)
from wsload.scenario.script import function_of

OPENED, BEGUN, MESSAGE, ELAPSED, MISSED, CLOSED = range(6)
_ROUNDS = 4
"""Of what is told at once, before the sockets have their turn."""
_MAX_TRACEBACK = 480
"""Characters, the last ones: the engine keeps 512 bytes of an example."""
_PACKAGE = str(Path(__file__).parents[1])


class Driver:
    """The scripts of one worker."""

    def __init__(self, shard: Shard, plan: Mapping[str, Any]) -> None:
        program = plan["program"]
        self._core = Scripts(shard)
        self._function = function_of(program["script"]["path"], program["script"]["function"])
        self._file = program["script"]["path"]
        self._shared = Shared(
            core=self._core,
            names={one["name"]: place for place, one in enumerate(program["names"])},
            variables={one["name"]: place for place, one in enumerate(program["variables"])},
            seed=plan["seed"],
            connections=plan["connections"],
            reply_timeout_ns=plan["reply_timeout_ns"],
            iterates=program["script"]["iterates"],
            matches={},
        )
        self._slots: dict[int, Slot] = {}
        self._running: dict[int, tuple[Connection, Coroutine[Any, Any, None]]] = {}
        self._elsewhere: set[int] = set()
        """Connections whose script waits for something of its own."""

    def drive(self) -> None:
        """Lets every script run that has been told something."""
        for _ in range(_ROUNDS):
            told = self._core.notes()
            if not told:
                break
            for index, kind, value in told:
                if kind == OPENED:
                    self._begin(index)
                elif kind == CLOSED:
                    self._closed(index)
                elif index in self._running and index not in self._elsewhere:
                    self._resume(index, value)
        self._core.settle()

    def close(self) -> None:
        """Ends what still runs."""
        for _, coroutine in self._running.values():
            coroutine.close()
        self._running.clear()

    def _begin(self, index: int) -> None:
        slot = self._slots.get(index)
        if slot is None:
            slot = self._slots[index] = Slot(self._shared, index)
        connection = Connection(slot)
        coroutine = cast("Coroutine[Any, Any, None]", self._function(connection))
        self._running[index] = (connection, coroutine)
        self._resume(index, None)

    def _closed(self, index: int) -> None:
        running = self._running.get(index)
        if running is None or index in self._elsewhere:
            return
        if running[0].closing:
            # It is what the script asked for.
            self._resume(index, None)
        else:
            self._resume(index, ConnectionClosedError())

    def _resume(self, index: int, value: Any) -> None:
        connection, coroutine = self._running[index]
        connection.waited()
        try:
            awaited = coroutine.throw(value) if isinstance(value, BaseException) else coroutine.send(value)
        except StopIteration:
            self._over(index, None)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is counted and told
            self._over(index, error)
        else:
            if awaited is not PENDING:
                self._wait_for(index, awaited)

    def _wait_for(self, index: int, awaited: Any) -> None:
        """Something of the script's own, such as `asyncio.sleep`: its connection goes on without it."""
        if awaited is None:
            # A bare yield, as of `asyncio.sleep(0)`.
            self._elsewhere.add(index)
            asyncio.get_running_loop().call_soon(self._back, index, self._running[index][1], None)
        elif getattr(awaited, "_asyncio_future_blocking", None):
            awaited._asyncio_future_blocking = False
            self._elsewhere.add(index)
            awaited.add_done_callback(partial(self._back, index, self._running[index][1]))
        else:
            what = type(awaited).__name__
            error = TypeError(f"a scenario cannot wait for {what}: only for ws.… and futures of asyncio")
            self._resume(index, error)

    def _back(self, index: int, coroutine: Coroutine[Any, Any, None], _: object) -> None:
        running = self._running.get(index)
        if running is None or running[1] is not coroutine:
            return
        self._elsewhere.discard(index)
        self._core.back(index)
        # The awaitable raises what its future holds.
        self._resume(index, None)
        self._core.settle()

    def _over(self, index: int, error: BaseException | None) -> None:
        del self._running[index]
        if isinstance(error, ConnectionClosedError):
            # It has been counted when it happened.
            return
        if error is None or isinstance(error, NoReplyError):
            self._core.over(index, error is not None, None, False)
        else:
            told = (self._where(error), _told(error, self._file))
            self._core.over(index, True, told, isinstance(error, AssertionError))

    def _where(self, error: BaseException) -> str:
        """The same for all connections on which it happens: without what the message says."""
        frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == self._file]
        where = f", line {frames[-1].lineno}" if frames else ""
        if isinstance(error, AssertionError):
            return f"expectation{where}"
        return f"{type(error).__name__}{where}"


def _told(error: BaseException, file: str) -> str:
    """What a person is told: an expectation says it itself, everything else is its traceback from the script on."""
    said = str(error)
    if isinstance(error, ExpectationError) and said:
        return said
    frames = traceback.extract_tb(error.__traceback__)
    own = [at for at, one in enumerate(frames) if one.filename == file]
    if isinstance(error, AssertionError) and own:
        return f"{frames[own[-1]].line}{': ' if said else ''}{said}"
    # What lies within wsload says nothing to the script's author.
    shown = [one for one in frames[own[0] if own else 0 :] if not one.filename.startswith(_PACKAGE)]
    lines = [f"{Path(one.filename).name}:{one.lineno} in {one.name}: {one.line}\n" for one in shown]
    return "".join([*lines, *traceback.format_exception_only(error)])[-_MAX_TRACEBACK:].strip()
