"""The fleet: starts workers, keeps them in step, merges what they measured, survives the loss of any of them."""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Protocol

from wsload import _core
from wsload.engine.channel import ChannelError, RecordType
from wsload.engine.member import Member
from wsload.engine.merger import Merger
from wsload.engine.process import STATES, LocalWorkers
from wsload.engine.resolve import Address, UnresolvedError, resolve
from wsload.engine.successors import Entry, Successors
from wsload.errors import EngineError
from wsload.results import Interval, Note
from wsload.scenario import Plan
from wsload.units import format_duration

START_TIMEOUT_S = 30.0
"""Until every worker is set up."""
RESOLVE_AGAIN_S = 60.0
"""How long an answer of the resolver is used: connections opened later go to what it says then."""
CONNECT_MARGIN_NS = 20_000_000
EPOCH_MARGIN_NS = 50_000_000
CLOSE_TIMEOUT_S = 2.0
"""How long the engine waits for servers to end a closing handshake."""
GRACE_S = 5.0
"""How much longer than it should take a worker may need to end."""
TICK_S = 0.5


class Sink(Protocol):
    """Who is told what happens, in order, on the fleet's loop. An exception of its ends the run."""

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


class Recruits(Protocol):
    """Where the members of a fleet come from."""

    margin_ns: int
    """What a command needs to reach them, beyond what it takes on one machine."""
    silence_s: float
    """They hand up an interval every second; one of which nothing is heard for this long is killed."""

    async def start(self, number: int, count: int, plan: Plan) -> Member:
        """Starts member `number` of `count` and gives it its plan.

        Raises:
            EngineError: it cannot be started.
        """

    async def watch(self, sink: Sink, fleet: "Fleet") -> None:
        """Goes on beside the run, for what only these members need."""


@dataclass(frozen=True, slots=True)
class FleetManner:
    """What a long run has that a short one has not."""

    replace: bool = False
    """Lost workers are replaced."""
    again: bool = False
    """The connections have been open before, in an earlier part of the run."""


class Fleet:
    """One run, on this machine's cores unless `recruits` come from elsewhere."""

    def __init__(
        self,
        plan: Plan,
        workers: int,
        sink: Sink,
        manner: FleetManner = FleetManner(),
        recruits: Recruits | None = None,
    ) -> None:
        self._plan = plan
        self._count = workers
        self._sink = sink
        self._recruits: Recruits = recruits or LocalWorkers()
        self._workers: list[Member] = []
        self._manner = manner
        self._successors = Successors(plan, workers) if manner.replace else None
        self._tasks: asyncio.TaskGroup | None = None
        self._starting = 0
        """Successors whose process is not there yet."""
        self._last: tuple[int, int] | None = None
        """The last interval that was handed on: its number and its end."""
        self._merger = Merger()
        self._epoch_ns: int | None = None
        self._addresses: list[Address] = []
        self._state = STATES[0]
        self._changed = asyncio.Event()
        self._stop_asked = asyncio.Event()
        self._patience_s = math.inf
        """How much longer workers may take, for what they are doing now."""
        self._reporting = False
        """Whether workers owe an interval every second."""

    @property
    def stopping(self) -> bool:
        """Whether the run was told to end early."""
        return self._stop_asked.is_set()

    async def run(self) -> None:
        """Runs the plan to its end.

        Raises:
            EngineError: no worker could be started.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                beside = (self._watch(), self._resolve_again(), self._recruits.watch(self._sink, self))
                aside = [tasks.create_task(task) for task in beside]
                await self._play(tasks)
                for task in aside:
                    task.cancel()
        except BaseExceptionGroup as errors:
            # Whatever failed first is the reason; the rest was cancelled for it.
            raise errors.exceptions[0] from None
        finally:
            for worker in self._workers:
                worker.kill()
            for worker in self._workers:
                await worker.gone()

    def stop(self) -> None:
        """Stops sending; replies are awaited, connections closed."""
        self._stop_asked.set()
        self._tell(do="stop")
        self._end_within(self._plan.reply_timeout_ns / 1e9 + CLOSE_TIMEOUT_S + GRACE_S)

    def abort(self) -> None:
        """Ends at once, with what was measured so far."""
        self._stop_asked.set()
        self._tell(do="abort")
        self._end_within(GRACE_S)

    @property
    def pids(self) -> list[int]:
        """Processes of the workers that are there, on this machine."""
        return [worker.pid for worker in self._workers if worker.pid is not None and not worker.ended]

    @property
    def since_epoch_ns(self) -> int:
        """How long the schedule has been under way; 0 before."""
        return 0 if self._epoch_ns is None else time.monotonic_ns() - self._epoch_ns

    @property
    def lost_all(self) -> bool:
        """Whether no worker came to its end."""
        return not any(worker.is_done for worker in self._workers)

    async def _play(self, tasks: asyncio.TaskGroup) -> None:
        """Takes all workers through the run in step."""
        self._end_within(START_TIMEOUT_S)
        for number in range(self._count):
            worker = await self._recruits.start(number, self._count, self._plan)
            self._workers.append(worker)
            tasks.create_task(self._read(worker))
            if self.stopping:
                # The signal came before this one could be told.
                worker.send(do="abort")
                break
        await self._reach("idle")
        if not self.stopping:
            self._require_workers()
            self._patience_s = math.inf
            await self._connect()
            self._reporting = True
        await self._reach("ready")
        self._begin()
        await self._reach("done")

    async def _connect(self) -> None:
        """Resolves the target, once for all workers, and lets them begin at one instant.

        Not in the workers: resolving starts threads that stay, and cost every later system call.
        """
        begin_ns = time.monotonic_ns()
        asked = asyncio.create_task(resolve(self._plan))
        stopped = asyncio.create_task(self._stop_asked.wait())
        await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not asked.done():
            asked.cancel()
            return
        try:
            addresses = asked.result()
        except UnresolvedError as error:
            reason = str(error)
        else:
            self._addresses = addresses
            resolve_ns = time.monotonic_ns() - begin_ns
            at_ns = time.monotonic_ns() + CONNECT_MARGIN_NS + self._recruits.margin_ns
            for worker in self._workers:
                # The look-up was one, so one worker counts it.
                counted = resolve_ns if worker.number == 0 else None
                first = 0 if self._manner.again else None
                worker.send(do="connect", at_ns=at_ns, addresses=addresses, resolve_ns=counted, first_index=first)
            return
        self._tell(do="fail_dns", at_ns=time.monotonic_ns(), reason=reason)

    async def _read(self, worker: Member) -> None:
        """Takes in a worker's records until its pipe ends."""
        try:
            async for record_type, payload in worker.records():
                self._take(worker, record_type, payload)
        except ChannelError as error:
            worker.give_up(str(error))
        await worker.gone()
        worker.ended = True
        self._hand_on()
        if not worker.is_done:
            at_ns = self.since_epoch_ns
            entry = self._entry(worker.number)
            text = worker.obituary(self._count, self._plan.connections, replaced=entry is not None)
            self._sink.on_note(Note(at_ns, "worker_lost", text))
            if entry and self._tasks:
                self._starting += 1
                self._tasks.create_task(self._replace(worker.number, entry, at_ns))
        self._tell_state()
        self._changed.set()

    def _entry(self, number: int) -> Entry | None:
        """Where a successor of worker `number` falls in, if there is to be one."""
        if self._successors is None or self.stopping or self._epoch_ns is None or self._last is None:
            return None
        return self._successors.entry(number, self._last, time.monotonic_ns(), self._epoch_ns)

    async def _replace(self, number: int, entry: Entry, lost_ns: int) -> None:
        """Puts a worker in the place of a lost one; its connections and its schedule begin anew."""
        try:
            worker = await self._recruits.start(number, self._count, entry.plan)
        except EngineError as error:
            self._sink.on_note(Note(lost_ns, "worker_not_replaced", f"worker {number + 1}: {error.what}"))
            return
        finally:
            self._starting -= 1
            self._changed.set()
        worker.completed, worker.joining = entry.first_index - 1, True
        self._workers[number] = worker
        worker.send(do="connect", at_ns=entry.at_ns, addresses=self._addresses, first_index=entry.first_index)
        worker.send(do="go", at_ns=entry.epoch_ns)
        if self.stopping:
            worker.send(do="stop")
        epoch_ns = self._epoch_ns or 0
        span = format_duration(entry.epoch_ns - epoch_ns - lost_ns)
        text = f"worker {number + 1} of {self._count} was replaced: its part of the schedule was not sent for {span}"
        self._sink.on_note(Note(entry.epoch_ns - epoch_ns, "worker_replaced", text))
        await self._read(worker)

    def _take(self, worker: Member, record_type: RecordType, payload: bytes) -> None:
        match record_type:
            case RecordType.STATE:
                state = payload.decode(errors="replace")
                if state not in STATES:
                    raise ChannelError(f"it says that its state is {state!r}")
                worker.state = state
                self._tell_state()
                self._changed.set()
            case RecordType.ERROR:
                worker.error = payload.decode(errors="replace")
            case RecordType.LOSS:
                self._sink.on_note(Note(self.since_epoch_ns, "worker_lost", payload.decode(errors="replace")))
            case RecordType.INTERVAL:
                self._take_interval(worker, self._merger.add(payload, worker.completed))

    def _take_interval(self, worker: Member, alone: _core.Interval) -> None:
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
        for merged in self._complete():
            self._last = merged.index, merged.end_ns
            interval = Interval.from_core(merged, self._epoch_ns)
            self._sink.on_interval(self._successors.place(interval) if self._successors else interval)

    def _complete(self) -> list[_core.Interval]:
        """Intervals to which nobody can add any more."""
        return self._merger.complete(worker.completed for worker in self._workers if not worker.ended)

    def _begin(self) -> None:
        """Sets the epoch: the same instant on all workers. A run that was stopped before gets one, too."""
        margin_ns = 0 if self.stopping else EPOCH_MARGIN_NS + self._recruits.margin_ns
        now_ns, unix_ns = time.monotonic_ns(), time.time_ns()
        self._epoch_ns = now_ns + margin_ns
        self._tell(do="go", at_ns=self._epoch_ns)
        self._sink.on_epoch(self._epoch_ns, unix_ns + margin_ns)
        self._hand_on()
        if self._plan.duration_ns is not None:
            length_s = (self._plan.warmup_ns + self._plan.duration_ns + self._plan.reply_timeout_ns) / 1e9
            self._end_within(length_s + CLOSE_TIMEOUT_S + GRACE_S)

    async def _reach(self, state: str) -> None:
        """Waits until every worker has come to a state or has ended; `done` means that all have ended."""
        place = STATES.index(state)
        while self._starting or any(
            not w.ended and (state == "done" or STATES.index(w.state) < place) for w in self._workers
        ):
            self._changed.clear()
            await self._changed.wait()

    async def _watch(self) -> None:
        """Kills workers that take too long or fall silent, for the others wait for them.

        Time is counted in ticks of our own: after a pause of this process, workers must not be taken for dead
        because their records were not read.
        """
        while True:
            await asyncio.sleep(TICK_S)
            self._patience_s -= TICK_S
            for worker in self._workers:
                worker.silent_s = worker.silent_s + TICK_S if self._reporting else 0.0
                if self._patience_s <= 0:
                    worker.give_up("it took too long and was killed")
                elif worker.silent_s >= self._recruits.silence_s:
                    worker.give_up(f"nothing was heard of it for {self._recruits.silence_s:g} s and it was killed")

    async def _resolve_again(self) -> None:
        """Looks the name up now and then, so that a long run follows a service that moves."""
        names = ", ".join(dial.host for dial in self._plan.dials)
        while True:
            await asyncio.sleep(RESOLVE_AGAIN_S)
            try:
                found = await resolve(self._plan)
            except UnresolvedError:
                # The last answer is still the best there is.
                continue
            if self._addresses and set(found) != set(self._addresses):
                self._addresses = found
                self._tell(do="addresses", addresses=found)
                at_ns = 0 if self._epoch_ns is None else time.monotonic_ns() - self._epoch_ns
                self._sink.on_note(
                    Note(at_ns, "moved", f"{names} now resolves to {', '.join(host for host, _ in found)}")
                )

    def _end_within(self, seconds: float) -> None:
        """Shortens what workers may take; never lengthens it."""
        self._patience_s = min(self._patience_s, seconds)

    def _tell(self, **command: object) -> None:
        for worker in self._workers:
            worker.send(**command)

    def _tell_state(self) -> None:
        """Tells the sink when the last worker has come to a new state."""
        running = STATES.index("running")
        for worker in self._workers:
            worker.joining = worker.joining and STATES.index(worker.state) < running
        states = [worker.state for worker in self._workers if not worker.ended and not worker.joining]
        if not states and (self._starting or any(worker.joining for worker in self._workers if not worker.ended)):
            return
        state = min(states, key=STATES.index, default="done")
        if state != self._state:
            self._state = state
            self._sink.on_state(state)

    def _require_workers(self) -> None:
        if all(worker.ended for worker in self._workers):
            reasons = sorted({worker.last_words for worker in self._workers} - {""})
            raise EngineError(f"no worker could be started: {'; '.join(reasons) or 'no reason given'}")
