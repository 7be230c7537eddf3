"""A node: one machine of several, with a crew of its own. Started as `python -m wsload.engine.node PARENT_PID`.

To the fleet that leads the run a node is one worker: it obeys the same commands and hands up the same records, those
of its workers merged. Worker `i` of `k` on node `n` of `N` is worker `n + i N` of `k N`, so the node has the slots `s`
with `s mod N = n`, as a worker of that number would.

Instants come and go on the leader's clock. They are moved by one offset for the whole run, so that intervals keep the
same bounds and numbers on every node even if clocks drift apart meanwhile.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from wsload import _core
from wsload.engine.channel import MAX_COMMAND_BYTES, RecordType, pack
from wsload.engine.fleet import Fleet
from wsload.engine.limits import raise_soft_fd_limit
from wsload.engine.member import Member
from wsload.engine.outbox import Outbox
from wsload.engine.worker import die_with
from wsload.errors import EngineError, WsloadError
from wsload.results import Interval, Note
from wsload.scenario import Plan


class Node(Fleet):
    """A fleet that does not lead itself: a leader says when, and what was measured goes up merged.

    It is its own sink, and most of what a sink is told the merged intervals say as well.
    """

    def __init__(self, order: dict[str, object], commands: asyncio.StreamReader, outbox: Outbox) -> None:
        match order:
            case {
                "do": "plan",
                "plan": dict(plan),
                "worker": int(number),
                "workers": int(count),
                "crew": int(crew),
                "ahead_ns": int(ahead_ns),
                "name": str(name),
            }:
                self._folder = tempfile.TemporaryDirectory(prefix="wsload-node-")
                self._unpack(plan, order.get("script"))
                super().__init__(Plan.model_validate(plan), crew * count, self)
                self._numbers = range(number, crew * count, count)
                self._ahead_ns, self._name = ahead_ns, name
            case _:
                raise ValueError(f"no plan: {list(order)}")
        self._outbox = outbox
        self._commands = commands

    def on_state(self, state: str) -> None:
        """Tells the leader; that it is done is said at the very end, for it may mean that all were lost."""
        if state != "done":
            self._outbox.put(pack(RecordType.STATE, state.encode()))

    def on_ramp(self, open_connections: int) -> None:
        """The leader counts for itself."""

    def on_epoch(self, monotonic_ns: int, unix_ns: int) -> None:
        """It is the leader's."""

    def on_interval(self, interval: Interval) -> None:
        """They go up as they are merged."""

    def on_note(self, note: Note) -> None:
        """A worker is lost: the others go on, and the leader notes it."""
        self._outbox.put(pack(RecordType.LOSS, f"{self._name}: {note.text}".encode()))

    def _unpack(self, plan: dict[str, Any], script: object) -> None:
        """Puts the leader's script where this node's workers find it."""
        if isinstance(script, str):
            place = plan["program"]["script"]
            path = Path(self._folder.name) / Path(place["path"]).name
            path.write_text(script, encoding="utf-8")
            place["path"] = str(path)

    async def _play(self, tasks: asyncio.TaskGroup) -> None:
        """Starts the workers and does as the leader says until they are done."""
        for number in self._numbers:
            worker = await self._recruits.start(number, self._count, self._plan)
            self._workers.append(worker)
            tasks.create_task(self._read(worker))
        obeying = tasks.create_task(self._obey())
        await self._reach("done")
        obeying.cancel()
        if self.lost_all:
            reasons = sorted({worker.last_words for worker in self._workers} - {""})
            raise EngineError("; ".join(reasons) or "no worker is left")
        self._outbox.put(pack(RecordType.STATE, b"done"))

    async def _resolve_again(self) -> None:
        """Addresses come from the leader."""

    def _take_interval(self, worker: Member, alone: _core.Interval) -> None:
        super()._take_interval(worker, alone)
        self._hand_on()

    def _hand_on(self) -> None:
        """Hands up intervals of the whole node as they are complete, those before the epoch too."""
        for merged in self._complete():
            self._outbox.put(pack(RecordType.INTERVAL, merged.encode(self._ahead_ns)))

    async def _obey(self) -> None:
        while line := await self._commands.readline():
            self._pass_on(json.loads(line))
        # The leader is gone: nobody wants the rest, and workers end with this process.
        self._folder.cleanup()
        os._exit(1)

    def _pass_on(self, command: dict[str, object]) -> None:
        if isinstance(at_ns := command.get("at_ns"), int):
            command["at_ns"] = at_ns - self._ahead_ns
        if command["do"] == "connect":
            # The look-up was one, so one worker counts it.
            resolve_ns = command.pop("resolve_ns", None)
            self._reporting = True
            for worker in self._workers:
                counted = resolve_ns if worker.number == self._numbers[0] else None
                worker.send(**command, resolve_ns=counted)
            return
        self._tell(**command)
        if command["do"] == "go" and isinstance(epoch_ns := command["at_ns"], int):
            self._epoch_ns = epoch_ns


async def serve(outbox: Outbox) -> None:
    """Runs a node on standard input."""
    commands = asyncio.StreamReader(limit=MAX_COMMAND_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    if line := await commands.readline():
        await Node(json.loads(line), commands, outbox).run()


def main() -> None:
    """Entry point of the node process."""
    die_with(int(sys.argv[1]))
    # Signals are for the leader: it tells its nodes what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise_soft_fd_limit()
    outbox = Outbox(sys.stdout.fileno())
    try:
        uvloop.run(serve(outbox))
    except WsloadError as error:
        outbox.put(pack(RecordType.ERROR, error.what.encode()))
        sys.exit(1)
    except BaseException as error:
        outbox.put(pack(RecordType.ERROR, str(error).encode() or repr(error).encode()))
        raise
    finally:
        outbox.close()


if __name__ == "__main__":
    main()
