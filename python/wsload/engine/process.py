"""A worker process as its parent sees it: commands in, records out, and how it ended."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Self

from wsload.engine.channel import RecordType, read_record
from wsload.errors import EngineError
from wsload.scenario import Plan

# -P: a file in the user's folder that is named like a module must not take that module's place.
COMMAND = (sys.executable, "-P", "-m", "wsload.engine.worker")
STDERR_TAIL_BYTES = 4096
STATES = ("starting", "idle", "connecting", "ready", "running", "draining", "closing", "done")
"""What a worker goes through, in order; `idle`: it is set up and awaits the word to connect."""
SILENCE_S = 15.0
"""A worker hands up an interval every second; after this long without one it is taken for dead."""


class WorkerProcess:
    """One worker. It is killed by whoever gives it up, never by going out of scope."""

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        self.number = number
        self.state = STATES[0]
        self.error = ""
        """Why it is no good, as far as it or the fleet could say."""
        self.completed = -1
        """Number of the last interval of which it has handed up everything."""
        self.open_connections = 0
        self.silent_s = 0.0
        """For how long nothing has been heard of it."""
        self.ended = False
        self.joining = False
        """It takes the place of another one, and is not as far as the rest yet."""
        self._process = process
        self._stderr_tail = b""
        self._stderr = asyncio.create_task(self._keep_stderr())

    @classmethod
    async def start(cls, number: int, count: int, plan: Plan) -> Self:
        """Starts worker `number` of `count` and gives it its plan.

        Raises:
            EngineError: the system starts no process.
        """
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *COMMAND, str(os.getpid()), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"a worker process cannot be started: {error.strerror}") from None
        worker = cls(number, process)
        worker.send(do="plan", plan=json.loads(plan.to_json()), worker=number, workers=count)
        return worker

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def send(self, **command: object) -> None:
        """Sends a command; a dead worker's pipe swallows it."""
        if self._process.stdin is not None and not self.ended and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def records(self) -> AsyncIterator[tuple[RecordType, bytes]]:
        """What it says, to the end of its pipe.

        Raises:
            ChannelError: what came is no record.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        while (record := await read_record(self._process.stdout)) is not None:
            self.silent_s = 0.0
            yield record

    def give_up(self, why: str) -> None:
        """Kills it, unless it has ended; the first reason stays."""
        if not self.ended:
            self.error = self.error or why
            self.kill()

    def kill(self) -> None:
        """Ends it without ado."""
        if self._process.returncode is None:
            try:
                os.kill(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    async def gone(self) -> None:
        """Waits until the process is gone and its last words are read."""
        await self._process.wait()
        await self._stderr
        if self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(OSError):
                await self._process.stdin.wait_closed()

    @property
    def is_done(self) -> bool:
        """Whether it ended as it should."""
        return self.state == "done"

    @property
    def last_words(self) -> str:
        """Why it ended, if anybody could say: the last line of a traceback is what it comes to."""
        return self.error or self._stderr_tail.decode(errors="replace").strip().rpartition("\n")[2]

    def obituary(self, count: int, connections: int, *, replaced: bool = False) -> str:
        """What a person should know of its loss; call it when the process is gone."""
        code = self._process.returncode or 0
        how = f"killed by signal {_signal_name(-code)}" if code < 0 else f"exit code {code}"
        slots = len(range(self.number, connections, count))
        missing = "its connection is" if slots == 1 else f"its {slots:,} connections are"
        text = f"worker {self.number + 1} of {count} (process {self._process.pid}) was lost: {how}"
        until = "until it is replaced" if replaced else "from then on"
        return f"{text}; {missing} missing {until}" + (f" ({self.last_words})" if self.last_words else "")

    async def _keep_stderr(self) -> None:
        """Reads its complaints, so that the pipe never fills, and keeps the end of them."""
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        while piece := await self._process.stderr.read(STDERR_TAIL_BYTES):
            self._stderr_tail = (self._stderr_tail + piece)[-STDERR_TAIL_BYTES:]


class LocalWorkers:
    """Workers that are processes of this machine."""

    margin_ns = 0
    silence_s = SILENCE_S
    start = staticmethod(WorkerProcess.start)

    async def watch(self, *_: object) -> None:
        """They need no care of their own."""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
