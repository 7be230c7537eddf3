"""Many machines: one Ray actor on each node starts a node process there and relays its bytes.

Ray finds the nodes, starts the actors, carries bytes and tells of losses. What is distributed about a run is small:
commands down, one merged block per node and interval up, instants moved by each node's clock offset.
"""

import asyncio
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsload import __version__
from wsload.engine import capacity, limits
from wsload.engine.channel import RecordType, read_record
from wsload.engine.process import STATES
from wsload.errors import EngineError, LimitError, UsageError
from wsload.results import Note
from wsload.scenario import Plan

if TYPE_CHECKING:
    from wsload.engine.fleet import Fleet, Sink

ACTOR_TIMEOUT_S = 60.0
"""Until an actor is there and answers: Ray may have to start a process for it."""
CLOCK_ROUNDS = 16
CLOCK_AGAIN_S = 60.0
DRIFT_NS = 20_000_000
"""A clock that has moved this far is noted, and again at each doubling."""
MARGIN_NS = 200_000_000
"""What a command may need to reach a node."""
SILENCE_S = 25.0
"""Longer than a worker may be silent: a node that waits for one of its own gives it up first."""
READ_BYTES = 1 << 20
STDERR_TAIL_BYTES = 4096
GROUPS = ("send", "read", "clock")
"""Methods that do not wait for one another; calls of the same one keep their order."""


QUIET = {
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # a command to a node that is gone is no error: its loss is told once
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # what Ray has to say of it would stand amid the result on standard output
}
"""Settings of Ray, read when it is imported."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which nodes to run on: `address` None is the cluster that this machine belongs to, `nodes` None all of them."""

    address: str | None = None
    nodes: int | None = None


@dataclass(frozen=True, slots=True)
class Offset:
    """How much more this machine's monotonic clock shows than a node's, and how far that may be off."""

    ahead_ns: int
    error_ns: int


class Agent:
    """The actor on a node. Its process is the parent of the node process, which ends with it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the actor

    def versions(self) -> tuple[str, str]:
        """Of wsload and of Python, which must be the leader's."""
        return __version__, platform.python_version()

    def machine(self) -> limits.Machine:
        """What this machine can hold."""
        limits.raise_soft_fd_limit()
        return limits.machine()

    def check(self, plan: str, connections: int, workers: int) -> tuple[str, str] | None:
        """What does not fit this machine of its share of the plan, and the remedy."""
        share = Plan.model_validate_json(plan).model_copy(update={"connections": connections})
        try:
            capacity.check(share, workers, limits.machine())
        except LimitError as error:
            return error.what, error.remedy
        return None

    def clock(self) -> int:
        """This machine's monotonic clock, ns."""
        return time.monotonic_ns()

    def start(self) -> None:
        """Starts the node process."""
        command = (sys.executable, "-P", "-m", "wsload.engine.node", str(os.getpid()))
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=self._stderr, bufsize=0, start_new_session=True
            )
        finally:
            self._started.set()

    def send(self, line: bytes) -> None:
        """Passes a command on."""
        self._started.wait()
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            rest = memoryview(line)
            while rest:
                rest = rest[self._process.stdin.write(rest) :]

    def read(self) -> bytes:
        """What the node process has said; waits until there is something; nothing at the end."""
        self._started.wait()
        if self._process is None or self._process.stdout is None:
            return b""
        return os.read(self._process.stdout.fileno(), READ_BYTES)

    def last_words(self) -> str:
        """The end of what it complained about."""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(size - STDERR_TAIL_BYTES, 0))
        return self._stderr.read().decode(errors="replace").strip().rpartition("\n")[2]


class RayNode:
    """A node as its fleet sees it: commands in, records out, and how it ended."""

    def __init__(self, agent: Any, name: str, offset: Offset) -> None:
        self.number = 0
        self.state = STATES[0]
        self.error = ""
        self.completed = -1
        self.open_connections = 0
        self.silent_s = 0.0
        self.ended = False
        self.joining = False
        self.agent = agent
        self.name = name
        self.offset = offset
        self._stream: asyncio.StreamReader
        self._pulling: asyncio.Task[None] | None = None

    @property
    def pid(self) -> None:
        """Its processes are not this machine's."""

    def start(self, number: int, count: int, crew: int, plan: Plan) -> None:
        """Starts the node process as worker `number` of `count`, itself of `crew` workers."""
        self.number = number
        self.agent.start.remote()
        order = {"worker": number, "workers": count, "crew": crew, "ahead_ns": self.offset.ahead_ns, "name": self.name}
        self.send(do="plan", plan=json.loads(plan.to_json()), script=_script(plan), **order)
        self._stream = asyncio.StreamReader()
        self._pulling = asyncio.create_task(self._pull())

    def send(self, **command: object) -> None:
        """Sends a command; a dead node swallows it."""
        if not self.ended:
            self.agent.send.remote(json.dumps(command).encode() + b"\n")

    async def records(self) -> AsyncIterator[tuple[RecordType, bytes]]:
        """What it says, to the end.

        Raises:
            ChannelError: what came is no record.
        """
        while (record := await read_record(self._stream)) is not None:
            self.silent_s = 0.0
            yield record

    def give_up(self, why: str) -> None:
        """Kills it, unless it has ended; the first reason stays."""
        if not self.ended:
            self.error = self.error or why
            self.kill()

    def kill(self) -> None:
        """Ends the actor, with it the node process, with that the workers. Does not wait: the network may be gone."""
        import ray

        ray.kill(self.agent)
        if self._pulling is not None:
            self._pulling.cancel()

    async def gone(self) -> None:
        """Waits until nothing more will come."""
        if self._pulling is not None:
            await asyncio.wait({self._pulling})

    @property
    def is_done(self) -> bool:
        """Whether it ended as it should."""
        return self.state == "done"

    @property
    def last_words(self) -> str:
        """Why it ended, if anybody could say."""
        return self.error

    def obituary(self, count: int, connections: int, *, replaced: bool = False) -> str:  # noqa: ARG002 - a member's
        """What a person should know of its loss; nodes are not replaced."""
        slots = len(range(self.number, connections, count))
        missing = "its connection is" if slots == 1 else f"its {slots:,} connections are"
        text = f"{self.name} was lost; {missing} missing from then on"
        return text + (f" ({self.last_words})" if self.last_words else "")

    async def _pull(self) -> None:
        """Asks for more until there is no more, or no actor."""
        from ray.exceptions import RayError

        try:
            while piece := await _answer(self.agent.read.remote()):
                self._stream.feed_data(piece)
            if not self.is_done and not self.error:
                self.error = await _answer(self.agent.last_words.remote())
        except RayError as error:
            self.error = self.error or _why(error)
        finally:
            self._stream.feed_eof()


class RayNodes:
    """The nodes of a cluster that take part in a run: recruits of a fleet."""

    margin_ns = MARGIN_NS
    silence_s = SILENCE_S

    def __init__(self, nodes: Sequence[RayNode], machines: Sequence[limits.Machine]) -> None:
        self.nodes = nodes
        self._machines = machines
        self._crew_size = 0

    @property
    def cpus(self) -> int:
        """Of all nodes together."""
        return sum(machine.cpus for machine in self._machines)

    def plan_workers(self, plan: Plan, asked: int | None) -> int:
        """Workers of each node, the same number on all; looks whether each node can hold its share.

        Raises:
            UsageError: the run cannot be shared out, or its share does not fit a node.
        """
        count = len(self.nodes)
        alone = {"--serialize-connects": plan.max_opening == 1, "--publishers": plan.publishers is not None}
        for flag in (flag for flag, holds in alone.items() if holds):
            raise UsageError(f"--on: {flag} takes one worker that sees all connections", "Run it on one machine.")
        if plan.connections < count:
            what = f"--nodes: {count} nodes for {plan.connections} connection{'s' * (plan.connections != 1)}"
            raise UsageError(what, f"Use --nodes {plan.connections}, or more connections.")
        share = -(-plan.connections // count)
        wanted = asked or max(capacity.workers_needed(share, machine) for machine in self._machines)
        self._crew_size = min(wanted, plan.connections // count)
        self._check(plan, share)
        return self._crew_size * count

    async def start(self, number: int, count: int, plan: Plan) -> RayNode:
        """Starts a node's process."""
        node = self.nodes[number]
        node.start(number, count, self._crew_size, plan)
        return node

    async def watch(self, sink: "Sink", fleet: "Fleet") -> None:
        """Says who takes part, and measures clocks again each minute."""
        parts = [
            f"{node.name} ({machine.cpus} cores, clock ±{node.offset.error_ns / 1e6:.2f} ms)"
            for node, machine in zip(self.nodes, self._machines, strict=True)
        ]
        crew_words = f"{self._crew_size} worker{'s' * (self._crew_size != 1)}"
        sink.on_note(Note(0, "nodes", f"{crew_words} on each of: {'; '.join(parts)}"))
        limits_ns = {node.name: DRIFT_NS for node in self.nodes}
        while True:
            await asyncio.sleep(CLOCK_AGAIN_S)
            for node in (node for node in self.nodes if not node.ended):
                drift_ns = await _drift(node)
                if abs(drift_ns) >= limits_ns[node.name]:
                    limits_ns[node.name] = 2 * abs(drift_ns)
                    text = f"{node.name}: its clock has moved {drift_ns / 1e6:+.1f} ms against this machine's"
                    sink.on_note(Note(fleet.since_epoch_ns, "clock", text))

    def close(self) -> None:
        """Lets go of the cluster; actors and what they started end."""
        import ray

        for node in self.nodes:
            with contextlib.suppress(Exception):
                ray.kill(node.agent)
        ray.shutdown()

    def _check(self, plan: Plan, share: int) -> None:
        import ray

        text = plan.to_json()
        asked = [node.agent.check.remote(text, share, self._crew_size) for node in self.nodes]
        for node, found in zip(self.nodes, ray.get(asked, timeout=ACTOR_TIMEOUT_S), strict=True):
            if found is not None:
                what, remedy = found
                raise LimitError(f"{what} (on {node.name})", remedy)


def join(cluster: Cluster) -> RayNodes:
    """Connects to a cluster, starts an actor on each node, and measures its clock.

    Raises:
        UsageError: there is no Ray, no cluster, or not so many nodes; a node has another wsload.
        EngineError: an actor does not start.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        from ray.exceptions import RayError
    except ModuleNotFoundError:
        raise UsageError("--on: Ray is not installed", "pip install 'wsload[ray]', here and on every node.") from None
    _connect(cluster)
    try:
        chosen = _choose(cluster)
        agents = [_agent(node["NodeID"]) for node in chosen]
        names = [f"node {number + 1} of {len(chosen)} ({_address(node)})" for number, node in enumerate(chosen)]
        _check_versions(agents, names)
        machines = ray.get([agent.machine.remote() for agent in agents], timeout=ACTOR_TIMEOUT_S)
        offsets = [_offset(agent) for agent in agents]
    except RayError as error:
        ray.shutdown()
        remedy = "wsload must be installed on every node, in the same version; `ray status` shows the cluster."
        raise EngineError(f"--on: a node did not answer: {_why(error)}", remedy) from None
    except BaseException:
        ray.shutdown()
        raise
    nodes = [RayNode(*parts) for parts in zip(agents, names, offsets, strict=True)]
    return RayNodes(nodes, machines)


def _connect(cluster: Cluster) -> None:
    import ray

    try:
        ray.init(address=cluster.address or "auto", log_to_driver=False, logging_level="ERROR", configure_logging=True)
    except (ConnectionError, ValueError, RuntimeError, ImportError) as error:
        where = cluster.address or "on this machine"
        remedy = "Start one by `ray start --head`, or name one: --on ray://HOST:10001."
        raise UsageError(f"--on: no Ray cluster answers {where}: {_why(error)}", remedy) from None


def _choose(cluster: Cluster) -> list[dict[str, Any]]:
    import ray

    alive = sorted((node for node in ray.nodes() if node["Alive"]), key=_address)
    count = cluster.nodes or len(alive)
    if count > len(alive):
        plural = "s" * (len(alive) != 1)
        raise UsageError(f"--nodes: {count}, and the cluster has {len(alive)} node{plural}", "Add nodes, or use fewer.")
    return alive[:count]


def _agent(node: str) -> Any:
    """An actor on a certain node, and nowhere else."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    for name in GROUPS:
        ray.method(concurrency_group=name)(getattr(Agent, name))
    remote = ray.remote(num_cpus=0, max_restarts=0, concurrency_groups=dict.fromkeys(GROUPS, 1))(Agent)
    return remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()


def _check_versions(agents: Sequence[Any], names: Sequence[str]) -> None:
    import ray

    mine = (__version__, platform.python_version())
    for name, theirs in zip(
        names, ray.get([agent.versions.remote() for agent in agents], timeout=ACTOR_TIMEOUT_S), strict=True
    ):
        if theirs[0] != mine[0]:
            what = f"--on: {name} has wsload {theirs[0]}, this machine {mine[0]}"
            raise UsageError(what, f"Install the same there: pip install 'wsload[ray]=={mine[0]}'.")


def _offset(agent: Any) -> Offset:
    """The tightest of some exchanges; the node's reading lies somewhere between question and answer."""
    import ray

    found = []
    for _ in range(CLOCK_ROUNDS):
        asked_ns = time.monotonic_ns()
        there_ns = ray.get(agent.clock.remote(), timeout=ACTOR_TIMEOUT_S)
        found.append(_between(asked_ns, there_ns, time.monotonic_ns()))
    return min(found, key=lambda offset: offset.error_ns)


async def _drift(node: RayNode) -> int:
    """How far a node's clock has moved since the start, ns; 0 if it cannot be told."""
    from ray.exceptions import RayError

    found = []
    for _ in range(CLOCK_ROUNDS):
        asked_ns = time.monotonic_ns()
        try:
            there_ns = await _answer(node.agent.clock.remote())
        except RayError:
            return 0
        found.append(_between(asked_ns, there_ns, time.monotonic_ns()))
    now = min(found, key=lambda offset: offset.error_ns)
    moved_ns = now.ahead_ns - node.offset.ahead_ns
    return moved_ns if abs(moved_ns) > now.error_ns + node.offset.error_ns else 0


def _between(asked_ns: int, there_ns: int, answered_ns: int) -> Offset:
    return Offset((asked_ns + answered_ns) // 2 - there_ns, (answered_ns - asked_ns) // 2)


def _script(plan: Plan) -> str | None:
    """The text of a scenario in Python, which the command has read before."""
    script = plan.program.script if plan.program else None
    return None if script is None else Path(script.path).read_text(encoding="utf-8")


async def _answer(reference: Any) -> Any:
    """Awaits an object of Ray on any loop."""
    return await asyncio.wrap_future(reference.future())


def _address(node: dict[str, Any]) -> str:
    return str(node["NodeManagerAddress"])


def _why(error: BaseException) -> str:
    """What it comes to; an exception of an actor's method stands in one of Ray's."""
    match type(error).__name__:
        case "ActorDiedError":
            return "its Ray actor died"
        case "ActorUnavailableError":
            return "its Ray actor cannot be reached"
        case "GetTimeoutError":
            return f"its Ray actor did not start within {ACTOR_TIMEOUT_S:g} s"
    cause = getattr(error, "cause", None) or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__
