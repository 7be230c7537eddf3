"""`python -m benchmarks.nodes`: what the nodes of a Ray cluster cost, the worker and whoever leads the run.

The cluster is made of node processes of Ray on this machine's loopback. Two questions:

- Does Ray cost the worker anything? One worker against the native echo server, a core each, on this machine alone and
  as the only worker of a node, in turns: CPU per message. The node process and Ray's actor, which stand beside the
  worker, are counted apart.
- What does a node cost the leader? Runs of 1, 2, 4 and 8 nodes with the same load on each: CPU of the leading process,
  bytes of the merged blocks that come up and the time to merge them, by node and interval.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.machine import describe

RESULTS = Path(__file__).parent / "results" / "nodes"
BOUND = 1.05
COUNTS = (1, 2, 4, 8)
RATE_PER_NODE = 200
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nodes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of the worker's cost (default: 5)")
    parser.add_argument("--seconds", type=int, default=5, help="of each of them (default: 5)")
    parser.add_argument("--leading", type=int, default=12, help="seconds of each run of many nodes (default: 12)")
    options = parser.parse_args()
    measure.build()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe()}
    with cluster() as add:
        add()
        raw["worker"] = worker_costs(options.rounds, options.seconds)
        raw["leader"] = []
        have = 1
        for count in COUNTS:
            for _ in range(count - have):
                add()
            have = count
            raw["leader"].append(leader_cost(count, options.leading))
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(show(raw))


@contextmanager
def cluster() -> Iterator[Callable[[], None]]:
    """A cluster without nodes; gives what adds one, at an address of its own."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    made = Cluster()
    quiet = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20}
    addresses = iter(range(2, 250))

    def add() -> None:
        made.add_node(node_ip_address=f"127.0.0.{next(addresses)}", **quiet)
        os.environ["RAY_ADDRESS"] = made.address

    try:
        yield add
    finally:
        made.shutdown()


def worker_costs(rounds: int, seconds: int) -> dict[str, list[dict[str, float]]]:
    """A worker alone and on a node, in turns."""
    found: dict[str, list[dict[str, float]]] = {"alone": [], "on a node": []}
    with measure.echo_server() as port:
        for number in range(rounds):
            for kind in list(found) if number % 2 else reversed(list(found)):
                found[kind].append(_worker_cost(port, seconds, ("--on", "ray", "--nodes", "1") * (kind != "alone")))
    return found


def _worker_cost(port: int, seconds: int, flags: tuple[str, ...]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(measure.WSLOAD), "run", f"ws://127.0.0.1:{port}/", "-c", "64", "--workers", "1", *flags]
        command += ["-d", f"{seconds + 2}s", "--format", "ndjson", "-o", f"{folder}/run.wsload"]
        intervals: list[dict[str, Any]] = []
        beside: list[int] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not intervals:
                    os.sched_setaffinity(process.pid, {measure.SERVER_CPU})
                    for pid in descendants(b"wsload.engine.worker"):
                        os.sched_setaffinity(pid, {measure.CLIENT_CPU})
                intervals.append(json.loads(line))
                beside.append(
                    sum(cpu_ticks(pid) for name in (b"wsload.engine.node", b"Agent") for pid in descendants(name))
                )
    if process.returncode or any(one["failures"] for one in intervals):
        raise SystemExit(f"{' '.join(command)}: not a clean run")
    full = [number for number, one in enumerate(intervals) if one["phase"] == "measured"][1 : seconds + 1]
    kept = [intervals[number]["counters"] for number in full]
    answered = sum(one["answered"] for one in kept)
    cpu_ns = sum(one["cpu_user_ns"] + one["cpu_system_ns"] for one in kept)
    beside_s = (beside[full[-1]] - beside[full[0]]) / TICKS_PER_S / (len(full) - 1)
    return {"answered": answered, "cpu_ns": cpu_ns / answered, "beside_s_per_interval": beside_s}


@dataclass
class Traffic:
    """What came up from nodes, and how long merging it took."""

    blocks: int = 0
    block_bytes: int = 0
    merge_ns: int = 0
    times: list[int] = field(default_factory=list)


def leader_cost(count: int, seconds: int) -> dict[str, float]:
    """A run led by this process, on `count` nodes."""
    from wsload.engine import fleet, merger
    from wsload.engine.ray import Cluster
    from wsload.engine.runner import RunRequest, execute
    from wsload.scenario import LoadModel, Scenario

    traffic = Traffic()

    class Counting(merger.Merger):
        def add(self, payload: bytes, *rest: Any) -> Any:
            begin_ns = time.thread_time_ns()
            try:
                return super().add(payload, *rest)
            finally:
                traffic.blocks += 1
                traffic.block_bytes += len(payload)
                traffic.merge_ns += time.thread_time_ns() - begin_ns

    fleet_module: Any = fleet
    fleet_module.Merger = Counting
    watch = Watching()
    try:
        with measure.echo_server() as port, tempfile.TemporaryDirectory() as folder:
            load = LoadModel(connections=16 * count, rate_per_s=RATE_PER_NODE * count, duration_ns=seconds * 10**9)
            scenario = Scenario(target=f"ws://127.0.0.1:{port}/", load=load)
            request = RunRequest(scenario, Path(folder) / "run.wsload", workers=1, on=Cluster(nodes=count))
            summary = execute(request, watch, heed_signals=False).summary
    finally:
        fleet_module.Merger = merger.Merger
    if summary.messages.answered != summary.messages.due:
        raise SystemExit(f"{count} nodes: not a clean run")
    first, last = watch.used_s[1], watch.used_s[-2]
    return {
        "nodes": count,
        "leader_s_per_interval": (last - first) / (len(watch.used_s) - 3),
        "bytes_per_block": traffic.block_bytes / traffic.blocks,
        "merge_ns_per_block": traffic.merge_ns / traffic.blocks,
    }


class Watching:
    """A listener that reads this process's CPU time at each interval."""

    def __init__(self) -> None:
        self.used_s: list[float] = []

    def on_interval(self, _: Any) -> None:
        """Reads it."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.used_s.append(used.ru_utime + used.ru_stime)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def descendants(word: bytes) -> list[int]:
    """Processes that come from this one and have a word in their command line."""
    parents: dict[int, int] = {}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            if word in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue

    def ours(pid: int) -> bool:
        while pid in parents:
            if pid == os.getpid():
                return True
            pid = parents[pid]
        return False

    return [pid for pid in found if ours(pid)]


def cpu_ticks(pid: int) -> int:
    """User and system time of a process, in ticks of the kernel; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])


def show(raw: dict[str, Any]) -> str:
    """Both tables, and the ratio against its bound."""
    alone, there = ([one["cpu_ns"] for one in raw["worker"][kind]] for kind in ("alone", "on a node"))
    ratio = statistics.median(b / a for a, b in zip(alone, there, strict=True))
    beside = statistics.median(one["beside_s_per_interval"] for one in raw["worker"]["on a node"])
    lines = [
        f"worker: {statistics.median(alone):,.0f} ns per message alone, {statistics.median(there):,.0f} ns on a node",
        f"{ratio:.3f} ×, bound {BOUND} × ({'kept' if ratio <= BOUND else 'MISSED'})",
        f"node process and actor beside it: {beside * 1e3:.1f} ms of CPU per interval",
        "",
        "| nodes | leader's CPU per interval | a block | merging it |",
        "|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one['nodes']} | {one['leader_s_per_interval'] * 1e3:.1f} ms | {one['bytes_per_block']:,.0f} B "
        f"| {one['merge_ns_per_block'] / 1e3:.0f} µs |"
        for one in raw["leader"]
    ]
    first, last = raw["leader"][0], raw["leader"][-1]
    slope = (last["leader_s_per_interval"] - first["leader_s_per_interval"]) / (last["nodes"] - first["nodes"])
    lines += ["", f"a node more costs the leader {slope * 1e3:.2f} ms of CPU per interval"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
