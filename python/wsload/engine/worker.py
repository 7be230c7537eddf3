"""A worker: one process, one uvloop loop, one shard. Started as `python -m wsload.engine.worker PARENT_PID`.

The loop's thread polls the shard and does nothing else that takes time: finished intervals are encoded and written by
a second thread (`outbox.py`), garbage collection is frozen out. A worker does not outlive its parent: the end of its
input ends it, and the kernel kills it when the parent dies without closing anything.
"""

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import uvloop

from wsload._core import Shard
from wsload.engine.channel import MAX_COMMAND_BYTES, RecordType, pack
from wsload.engine.limits import raise_soft_fd_limit
from wsload.engine.outbox import Outbox
from wsload.engine.turns import ask_for_short_turns

if TYPE_CHECKING:
    from wsload.engine.driver import Driver

SNAPSHOT_READY, STATE_CHANGED, SCRIPTS_TOLD = 1, 2, 4
_PR_SET_PDEATHSIG = 1


class Worker:
    """Does what the parent says, until the run or the parent's pipe ends. Made on its loop."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._shard: Shard | None = None
        self._driver: Driver | None = None
        self._loop = asyncio.get_running_loop()
        # Whatever fails in a callback would otherwise fail again and again, and the parent would wait for nothing.
        self._loop.set_exception_handler(lambda _, context: self._fail(context))
        self.over: asyncio.Future[None] = self._loop.create_future()
        """Done when the shard is; failed when the worker is."""

    async def obey(self, commands: asyncio.StreamReader) -> None:
        """Reads commands; returns when the parent is gone."""
        while line := await commands.readline():
            self._obey(json.loads(line))

    def _obey(self, command: dict[str, object]) -> None:
        match command:
            case {"do": "plan", "plan": dict(plan), "worker": int(worker), "workers": int(workers)}:
                self._set_up(plan, worker, workers)
            case {"do": "connect" | "fail_dns"} if self._shard and self._shard.state() != "idle":
                # Stopped before it began.
                pass
            case {"do": "connect", "at_ns": int(at_ns), "addresses": list(addresses)} if self._shard:
                # Even if the instant has passed: intervals must have the same numbers on all workers.
                first_index = command.get("first_index")
                again = first_index if isinstance(first_index, int) else None
                self._shard.connect([(str(ip), int(port)) for ip, port in addresses], at_ns, again)
                if isinstance(resolve_ns := command.get("resolve_ns"), int):
                    self._shard.resolved_in(resolve_ns)
            case {"do": "addresses", "addresses": list(addresses)} if self._shard:
                self._shard.set_addresses([(str(ip), int(port)) for ip, port in addresses])
            case {"do": "fail_dns", "at_ns": int(at_ns), "reason": str(reason)} if self._shard:
                self._shard.fail_dns(reason, at_ns)
            case {"do": "go", "at_ns": int(at_ns)} if self._shard:
                self._shard.go(at_ns)
            case {"do": "stop"} if self._shard:
                self._shard.stop()
                self._collect()
            case {"do": "abort"} if self._shard:
                self._shard.abort()
                self._collect()
            case _:
                raise ValueError(f"unknown command: {command}")

    def _set_up(self, plan: dict[str, Any], worker: int, workers: int) -> None:
        self._shard = Shard(json.dumps(plan), worker, workers)
        if (plan.get("program") or {}).get("script"):
            from wsload.engine.driver import Driver

            self._driver = Driver(self._shard, plan)
        self._loop.add_reader(self._shard.fileno(), self._poll)
        # From here on every pause of the loop is a pause of the load.
        gc.collect()
        gc.freeze()
        # A script may leave cycles behind, with every exception for one.
        if self._driver is None:
            gc.disable()
        self._tell_state()

    def _poll(self) -> None:
        # The hottest line of the Python side: once per wake-up, never per message.
        if self._shard is not None and (told := self._shard.poll()):
            if told & SCRIPTS_TOLD and self._driver is not None:
                self._driver.drive()
            self._collect()

    def _collect(self) -> None:
        """Hands up finished intervals, and the state when it changed."""
        shard = self._shard
        if shard is None:
            return
        while (snapshot := shard.take()) is not None:
            self._outbox.put(snapshot)
        self._tell_state()
        if shard.state() == "done" and not self.over.done():
            self.over.set_result(None)

    def _tell_state(self) -> None:
        if self._shard is not None:
            self._outbox.put(pack(RecordType.STATE, self._shard.state().encode()))

    def _fail(self, context: dict[str, object]) -> None:
        error = context.get("exception")
        if not self.over.done():
            self.over.set_exception(error if isinstance(error, BaseException) else RuntimeError(context["message"]))
        if self._shard is not None:
            self._loop.remove_reader(self._shard.fileno())


async def serve(outbox: Outbox) -> None:
    """Runs a worker on standard input until it is done or the parent is gone."""
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=MAX_COMMAND_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    worker = Worker(outbox)
    obeying = asyncio.create_task(worker.obey(commands))
    await asyncio.wait({obeying, worker.over}, return_when=asyncio.FIRST_COMPLETED)
    if obeying.done():
        obeying.result()
        if not worker.over.done():
            # The parent is gone: nobody wants the rest.
            os._exit(1)
    obeying.cancel()
    worker.over.result()


def die_with(parent: int) -> None:
    """Asks the kernel to kill this process when its parent dies, and checks that it has not died before."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Entry point of the worker process."""
    die_with(int(sys.argv[1]))
    # The terminal's signals are for the parent: it tells its workers what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise_soft_fd_limit()
    ask_for_short_turns()
    outbox = Outbox(sys.stdout.fileno())
    try:
        uvloop.run(serve(outbox))
    except BaseException as error:
        outbox.put(pack(RecordType.ERROR, str(error).encode() or repr(error).encode()))
        raise
    finally:
        outbox.close()


if __name__ == "__main__":
    main()
