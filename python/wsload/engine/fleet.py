"""The fleet: starts workers, keeps them in step, merges what they measured, survives the loss of any of them."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from wsload import _core
from wsload.engine.channel import ChannelError, RecordType, read_record
from wsload.errors import EngineError
from wsload.results import Interval, Note
from wsload.scenario import Plan

START_TIMEOUT_S = 30.0
CONNECT_MARGIN_NS = 20_000_000
EPOCH_MARGIN_NS = 50_000_000
CLOSE_TIMEOUT_S = 2.0
"""How long the engine waits for servers to end a closing handshake."""
GRACE_S = 5.0
"""How much longer than it should take a worker may need to end."""
STDERR_TAIL_BYTES = 2048
_STATES = ("starting", "idle", "connecting", "ready", "running", "draining", "closing", "done")


class Sink(Protocol):
    """Who is told what happens, in order, on the fleet's loop."""

    def on_state(self, state: str) -> None:
        """The whole fleet has come to a state: connecting, running, draining, closing."""

    def on_ramp(self, open_connections: int) -> None:
        """Connections open so far, before the epoch, once per interval."""

    def on_epoch(self, monotonic_ns: int, unix_ns: int) -> None:
        """The schedule begins at this instant; all intervals, the ramp's first, come afterwards."""

    def on_interval(self, interval: Interval) -> None:
        """An interval, merged over all workers."""

    def on_note(self, note: Note) -> None:
        """Something a person should know."""


@dataclass
class WorkerProcess:
    """A worker as the parent sees it."""

    number: int
    process: asyncio.subprocess.Process
    state: str = "starting"
    error: str = ""
    completed: int = -1
    """Number of the last interval of which it has handed up everything."""
    open_connections: int = 0
    ended: bool = False
    stderr_tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=8))

    def send(self, **command: object) -> None:
        """Sends a command; a dead worker's pipe swallows it."""
        if self.process.stdin is not None and not self.ended:
            self.process.stdin.write(json.dumps(command).encode() + b"\n")

    @property
    def is_done(self) -> bool:
        """Whether it ended as it should."""
        return self.state == "done"


class Merger:
    """Collects the workers' blocks and gives out intervals that are complete, in order."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, bool], list[bytes]] = {}

    def add(self, block: bytes) -> _core.Interval:
        """Takes a block; gives back what it says by itself."""
        alone = _core.Interval.merge([block])
        self._blocks.setdefault((alone.index, not alone.warmup), []).append(block)
        return alone

    def complete(self, workers: list[WorkerProcess]) -> list[_core.Interval]:
        """Intervals to which no worker can add any more: each has handed up its part or has ended."""
        last = min((worker.completed for worker in workers if not worker.ended), default=None)
        ready = sorted(key for key in self._blocks if last is None or key[0] <= last)
        return [_core.Interval.merge(self._blocks.pop(key)) for key in ready]


class Fleet:
    """One run on this machine's cores."""

    def __init__(self, plan: Plan, workers: int, sink: Sink) -> None:
        self._plan = plan
        self._count = workers
        self._sink = sink
        self._workers: list[WorkerProcess] = []
        self._merger = Merger()
        self._epoch_ns: int | None = None
        self._state = "starting"
        self._changed = asyncio.Event()
        self._kill_at: float | None = None
        self.stopping = False

    async def run(self) -> None:
        """Runs the plan to its end.

        Raises:
            EngineError: no worker could be started.
        """
        readers: list[asyncio.Task[None]] = []
        try:
            for number in range(self._count):
                worker = await self._start(number)
                self._workers.append(worker)
                readers += [
                    asyncio.create_task(self._read(worker)),
                    asyncio.create_task(_drain_stderr(worker)),
                ]
            await self._reach("idle", START_TIMEOUT_S)
            self._require_workers()
            await self._connect()
            await self._reach("ready")
            self._begin()
            await self._reach("done")
        finally:
            for worker in self._workers:
                _kill(worker)
            await asyncio.gather(*readers)
            for worker in self._workers:
                await worker.process.wait()
            self._hand_on()

    def stop(self) -> None:
        """Stops sending; replies are awaited, connections closed."""
        self.stopping = True
        self._tell(do="stop")
        self._end_within(self._plan.reply_timeout_ns / 1e9 + CLOSE_TIMEOUT_S + GRACE_S)

    def abort(self) -> None:
        """Ends at once, with what was measured so far."""
        self.stopping = True
        self._tell(do="abort")
        self._end_within(GRACE_S)

    @property
    def lost_all(self) -> bool:
        """Whether no worker came to its end."""
        return not any(worker.is_done for worker in self._workers)

    async def _start(self, number: int) -> WorkerProcess:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "wsload.engine.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"a worker process cannot be started: {error.strerror}") from None
        worker = WorkerProcess(number, process)
        plan = json.loads(self._plan.to_json())
        worker.send(do="plan", plan=plan, worker=number, workers=self._count)
        return worker

    async def _connect(self) -> None:
        """Resolves the target, once for all workers, and lets them begin at one instant.

        Not in the workers: resolving starts threads that stay, and cost every later system call.
        """
        host, port = self._plan.target.host, self._plan.target.port
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            reason = f"{host}: {error.strerror or error}"
            self._tell(do="fail_dns", at_ns=time.monotonic_ns(), reason=reason)
            return
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        at_ns = time.monotonic_ns() + CONNECT_MARGIN_NS
        self._tell(do="connect", at_ns=at_ns, addresses=[[address, port] for address in addresses])

    async def _read(self, worker: WorkerProcess) -> None:
        """Takes in a worker's records until its pipe ends."""
        assert worker.process.stdout is not None  # noqa: S101 - it was asked for
        try:
            while (record := await read_record(worker.process.stdout)) is not None:
                self._take(worker, *record)
        except (ChannelError, ValueError) as error:
            worker.error = str(error)
            _kill(worker)
        worker.ended = True
        await worker.process.wait()
        if not worker.is_done:
            self._note_loss(worker)
        self._hand_on()
        self._changed.set()

    def _take(self, worker: WorkerProcess, record_type: RecordType, payload: bytes) -> None:
        match record_type:
            case RecordType.STATE:
                worker.state = payload.decode()
                self._tell_state()
                self._changed.set()
            case RecordType.ERROR:
                worker.error = payload.decode(errors="replace")
            case RecordType.INTERVAL:
                alone = self._merger.add(payload)
                self._take_interval(worker, alone)

    def _take_interval(self, worker: WorkerProcess, alone: _core.Interval) -> None:
        if self._epoch_ns is None:
            worker.completed = alone.index
            worker.open_connections = alone.gauges["open_connections"]
            self._sink.on_ramp(sum(worker.open_connections for worker in self._workers))
            return
        # During the warm-up there is one block per interval; afterwards late replies to warm-up messages come in a
        # block of their own, before the one that completes the interval.
        if not alone.warmup or alone.end_ns <= self._epoch_ns + self._plan.warmup_ns:
            worker.completed = alone.index
            self._hand_on()

    def _hand_on(self) -> None:
        """Gives complete intervals to the sink. Before the epoch is known they can only be counted."""
        if self._epoch_ns is None:
            return
        for merged in self._merger.complete(self._workers):
            self._sink.on_interval(Interval.from_core(merged, self._epoch_ns))

    def _begin(self) -> None:
        """Sets the epoch: the same instant on all workers. A run that was stopped before gets one, too."""
        margin_ns = 0 if self.stopping else EPOCH_MARGIN_NS
        now_ns, unix_ns = time.monotonic_ns(), time.time_ns()
        self._epoch_ns = now_ns + margin_ns
        self._tell(do="go", at_ns=self._epoch_ns)
        self._sink.on_epoch(self._epoch_ns, unix_ns + margin_ns)
        self._hand_on()
        if self._plan.duration_ns is not None and not self.stopping:
            length_s = (self._plan.warmup_ns + self._plan.duration_ns + self._plan.reply_timeout_ns) / 1e9
            self._end_within(length_s + CLOSE_TIMEOUT_S + GRACE_S)

    async def _reach(self, state: str, timeout_s: float | None = None) -> None:
        """Waits until every worker has come to a state, or has ended; kills those that overstay."""
        if timeout_s is not None:
            self._end_within(timeout_s)
        place = _STATES.index(state)
        while any(not w.ended and (_STATES.index(w.state) < place or state == "done") for w in self._workers):
            self._changed.clear()
            left = None if self._kill_at is None else self._kill_at - time.monotonic()
            if left is not None and left <= 0:
                self._kill_overdue()
                left = None
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                continue
        if timeout_s is not None:
            self._kill_at = None

    def _kill_overdue(self) -> None:
        self._kill_at = None
        for worker in self._workers:
            if not worker.ended:
                worker.error = worker.error or "it did not end in time and was killed"
                _kill(worker)

    def _end_within(self, seconds: float) -> None:
        self._kill_at = time.monotonic() + seconds
        self._changed.set()

    def _tell(self, **command: object) -> None:
        for worker in self._workers:
            worker.send(**command)

    def _tell_state(self) -> None:
        """Tells the sink when the last worker has come to a new state."""
        state = min((w.state for w in self._workers if not w.ended), key=_STATES.index, default="done")
        if state != self._state:
            self._state = state
            self._sink.on_state(state)

    def _require_workers(self) -> None:
        if all(worker.ended for worker in self._workers):
            reasons = {
                worker.error or b"".join(worker.stderr_tail).decode(errors="replace") for worker in self._workers
            }
            raise EngineError(f"no worker could be started: {'; '.join(sorted(reasons)) or 'no reason given'}")

    def _note_loss(self, worker: WorkerProcess) -> None:
        code = worker.process.returncode or 0
        how = f"killed by signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        slots = len(range(worker.number, self._plan.connections, self._count))
        tail = b"".join(worker.stderr_tail)[-STDERR_TAIL_BYTES:].decode(errors="replace").strip()
        text = (
            f"worker {worker.number + 1} of {self._count} (process {worker.process.pid}) was lost: {how};"
            f" its {slots:,} connections are missing from then on"
        )
        why = worker.error or tail.rpartition("\n")[2]
        at_ns = 0 if self._epoch_ns is None else time.monotonic_ns() - self._epoch_ns
        self._sink.on_note(Note(at_ns, "worker_lost", f"{text} ({why})" if why else text))


async def _drain_stderr(worker: WorkerProcess) -> None:
    """Keeps the last of what a worker complains about."""
    assert worker.process.stderr is not None  # noqa: S101 - it was asked for
    while piece := await worker.process.stderr.read(STDERR_TAIL_BYTES):
        worker.stderr_tail.append(piece)


def _kill(worker: WorkerProcess) -> None:
    if worker.process.returncode is None:
        try:
            os.kill(worker.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
