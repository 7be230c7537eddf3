"""Nodes as their leader sees them: processes with a crew of their own, led by a fleet with another clock."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Self

import pytest
import uvloop

from engine.conftest import Peer
from engine.support import SECOND, Remembering, children, ends_within, make_plan
from wsload import _core
from wsload.engine import fleet as fleet_module
from wsload.engine.channel import RecordType
from wsload.engine.fleet import Fleet
from wsload.engine.process import WorkerProcess
from wsload.errors import EngineError
from wsload.scenario import Plan, build_plan
from wsload.scenario.source import Inputs, Overrides, load_script_scenario

AHEAD_NS = 3_600 * SECOND
"""How much more the leader's clock would show than that of the nodes."""

SCRIPT = """
import wsload

@wsload.script(target="ws://127.0.0.1:9/", load={"connections": 4, "iterations": 12})
async def talk(ws):
    async for _ in ws.iterations():
        await ws.request("hello", name="talk")
"""


class NodeProcess(WorkerProcess):
    """A node of this machine, whose clock is made to differ."""

    @classmethod
    async def join(cls, number: int, count: int, plan: Plan, crew: int) -> Self:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-P", "-m", "wsload.engine.node", str(os.getpid()))
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        node = cls(number, process)
        order = {"worker": number, "workers": count, "crew": crew, "ahead_ns": AHEAD_NS, "name": f"node {number + 1}"}
        text = SCRIPT if plan.program and plan.program.script else None
        node.send(do="plan", plan=json.loads(plan.to_json()), script=text, **order)
        return node

    def send(self, **command: object) -> None:
        if isinstance(at_ns := command.get("at_ns"), int):
            command["at_ns"] = at_ns + AHEAD_NS
        super().send(**command)

    async def records(self) -> AsyncIterator[tuple[RecordType, bytes]]:
        async for record_type, payload in super().records():
            if record_type is RecordType.INTERVAL:
                yield record_type, _core.Interval.merge([payload]).encode(-AHEAD_NS)
            else:
                yield record_type, payload


class Nodes:
    """Recruits: nodes of two workers each."""

    margin_ns = 0
    silence_s = 25.0

    def __init__(self) -> None:
        self.joined: list[NodeProcess] = []

    async def start(self, number: int, count: int, plan: Plan) -> NodeProcess:
        self.joined.append(await NodeProcess.join(number, count, plan, crew=2))
        return self.joined[-1]

    async def watch(self, *_: object) -> None:
        pass


class Acting(Remembering):
    """Does something, once, when connections of all nodes have been open for a moment of the run."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act

    def on_state(self, state: str) -> None:
        super().on_state(state)
        if state == "running":
            self.act()


def run_nodes(plan: Plan, sink: Remembering, nodes: Nodes | None = None) -> Fleet:
    async def run() -> Fleet:
        fleet = Fleet(plan, 2, sink, recruits=nodes or Nodes())
        await fleet.run()
        return fleet

    try:
        return uvloop.run(run())
    finally:
        assert children() == []


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def counted(sink: Remembering, name: str) -> int:
    return sum(interval.counters[name] for interval in sink.intervals)


def test_nodes_share_a_run_as_workers_do(echo_server: Peer) -> None:
    sink = Remembering()
    # Each worker opens its second connection after 2 s, so there is an interval before the epoch.
    plan = make_plan(echo_server.url, connections=7, iterations=70, duration_ns=None, connect_rate_per_s=2.0)
    fleet = run_nodes(plan, sink)
    assert not fleet.lost_all
    assert sink.notes == []
    # Every slot is somebody's and nobody's twice.
    assert counted(sink, "connects_opened") == 7
    assert (counted(sink, "sent"), counted(sink, "answered"), echo_server.messages) == (70, 70, 70)
    assert 0 < sink.ramp[-1] <= 7
    assert [interval.index for interval in sink.intervals] == list(range(len(sink.intervals)))
    # Instants are the leader's: none is an hour away.
    assert all(abs(interval.end_ns) < 60 * SECOND for interval in sink.intervals)
    assert sink.states[-1] == "done"


def test_a_worker_of_a_node_that_is_lost_is_told_and_the_others_go_on(echo_server: Peer) -> None:
    nodes = Nodes()
    sink = Acting(lambda: os.kill(children_of(nodes.joined[1].pid)[0], signal.SIGKILL))
    fleet = run_nodes(make_plan(echo_server.url, connections=8, rate_per_s=200.0), sink, nodes)
    assert not fleet.lost_all
    (note,) = sink.notes
    assert note.kind == "worker_lost"
    # Workers 2 and 4 of four are the second node's.
    assert note.text.startswith("node 2: worker 2 of 4 (process ")
    assert note.text.endswith("was lost: killed by signal SIGKILL; its 2 connections are missing from then on")
    assert 0 < counted(sink, "sent") < 200


def test_a_node_that_is_lost_takes_its_workers_along(echo_server: Peer) -> None:
    nodes = Nodes()
    workers: list[int] = []

    def kill() -> None:
        workers.extend(children_of(nodes.joined[0].pid))
        os.kill(nodes.joined[0].pid, signal.SIGKILL)

    sink = Acting(kill)
    fleet = run_nodes(make_plan(echo_server.url, connections=8, rate_per_s=200.0), sink, nodes)
    assert not fleet.lost_all
    (note,) = sink.notes
    assert "its 4 connections are missing from then on" in note.text
    assert len(workers) == 2
    assert all(ends_within(worker, 10) for worker in workers)


@pytest.mark.parametrize("how", ["stop", "abort"])
def test_a_stop_reaches_the_workers_of_all_nodes(echo_server: Peer, how: str) -> None:
    fleets: list[Fleet] = []

    async def run() -> None:
        sink = Acting(lambda: fleets[0].stop() if how == "stop" else fleets[0].abort())
        plan = make_plan(echo_server.url, connections=4, rate_per_s=100.0, duration_ns=60 * SECOND)
        fleets.append(Fleet(plan, 2, sink, recruits=Nodes()))
        await asyncio.wait_for(fleets[0].run(), 20)
        assert sink.notes == []

    uvloop.run(run())
    assert children() == []


def test_a_node_whose_workers_cannot_start_says_why(echo_server: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "TICK_S", 0.05)
    plan = make_plan(echo_server.url, connections=4)
    assert plan.message is not None
    message = plan.message.model_copy(update={"payload": b"{{$nonsense}}", "template": True})
    with pytest.raises(EngineError, match=r"^no worker could be started: .*nonsense"):
        run_nodes(plan.model_copy(update={"message": message}), Remembering())


def test_a_script_comes_from_the_leader_and_leaves_nothing(
    echo_server: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, temporary = tmp_path / "talk.py", tmp_path / "temporary"
    file.write_text(SCRIPT, encoding="utf-8")
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    plan = build_plan(load_script_scenario(file, Inputs(), Overrides({"target": echo_server.url})))
    # The nodes have no such file.
    file.unlink()
    sink = Remembering()
    run_nodes(plan, sink)
    assert sink.notes == []
    assert (counted(sink, "answered"), echo_server.messages) == (12, 12)
    assert list(temporary.iterdir()) == []
