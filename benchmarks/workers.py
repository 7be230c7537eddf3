"""`python -m benchmarks.workers`: what a second worker adds.

One worker and its server share a core; two workers and two servers share two, each worker with the server of its own
core. So whatever the servers take is taken from each worker alike, and a message costs a worker as much as before or
more: the throughput of two workers, servers counted out, is twice the CPU per message of one by that of two. Rounds are
interleaved. Messages per second of wall time stand beside it: they hold the parent process as well, and what others
did on the machine meanwhile.

Where Linux groups processes by session (`kernel.sched_autogroup_enabled`), the group of two workers has half its
weight on each core, and so has that of two servers: they then interrupt each other after fewer messages than one of
each do, which is of this arrangement and not of the workers. The result says whether it was so; `sysctl` turns it off
for the while.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.machine import busy_ns, describe
from benchmarks.memory import children

RESULTS = Path(__file__).parent / "results" / "workers"
AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")
BOUND = 1.8
CONNECTIONS = 64
"""For each worker."""
IN_FLIGHT = (1, 16)


@dataclass(frozen=True, slots=True)
class Round:
    """One run: messages answered, what they cost the workers, and how busy others were, in cores."""

    messages: int
    worker_cpu_ns: int
    wall_ns: int
    foreign: float


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each kind (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="of each run (default: 4)")
    options = parser.parse_args()
    measure.build()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "in_flight": {}}
    raw["autogroup"] = AUTOGROUP.read_text(encoding="ascii").strip() if AUTOGROUP.exists() else None
    for in_flight in IN_FLIGHT:
        rounds: dict[str, list[dict[str, Any]]] = {"1": [], "2": []}
        for number in range(options.rounds):
            for workers in (1, 2) if number % 2 else (2, 1):
                rounds[str(workers)].append(asdict(run(workers, in_flight, options.seconds)))
        raw["in_flight"][str(in_flight)] = rounds
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(show(raw))


def run(workers: int, in_flight: int, seconds: int) -> Round:
    """So many workers, each with a server on its core."""
    busy, own = busy_ns(), measure.children_ns()
    begin = time.monotonic_ns()
    with ExitStack() as servers:
        ports = [servers.enter_context(measure.echo_server(core)) for core in range(workers)]
        intervals = _intervals(ports, in_flight, seconds)
    elapsed = time.monotonic_ns() - begin
    foreign = (busy_ns() - busy - (measure.children_ns() - own)) / elapsed
    # The first second is for the caches and the clocks of the cores.
    kept = [one for one in intervals if one["phase"] == "measured" and one["counters"]["answered"]][1:-1]
    counters = {name: sum(one["counters"].get(name, 0) for one in kept) for name in kept[0]["counters"]}
    cpu_ns = sum(one["counters"]["cpu_user_ns"] + one["counters"]["cpu_system_ns"] for one in kept)
    return Round(counters["answered"], cpu_ns, kept[-1]["end_ns"] - kept[0]["start_ns"], max(foreign, 0.0))


def _intervals(ports: list[int], in_flight: int, seconds: int) -> list[dict[str, Any]]:
    """Slots take turns over the workers as over the addresses: worker and server of a core keep to each other."""
    ends = [word for port in ports for word in ("--connect-to", f"127.0.0.1:{port}")]
    workers = len(ports)
    with tempfile.TemporaryDirectory() as folder:
        command = [str(measure.WSLOAD), "run", "ws://127.0.0.1/", *ends, "-c", str(CONNECTIONS * workers)]
        command += ["--workers", str(workers), "--in-flight", str(in_flight), "-d", f"{seconds + 2}s"]
        command += ["--format", "ndjson", "-o", f"{folder}/workers.wsload"]
        cores = set(range(workers))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            os.sched_setaffinity(process.pid, cores)
            assert process.stdout is not None
            intervals: list[dict[str, Any]] = []
            for line in process.stdout:
                if not intervals:
                    for core, pid in enumerate(sorted(children(process.pid))):
                        os.sched_setaffinity(pid, {core})
                intervals.append(json.loads(line))
    if process.returncode or any(one["failures"] for one in intervals):
        raise SystemExit(f"{' '.join(command)}: not a clean run")
    return intervals


def show(raw: dict[str, Any]) -> str:
    """Both ratios, medians over the rounds."""
    lines = [
        "| in flight | one worker | two workers | throughput, servers counted out | by the clock | foreign |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    kept = True
    for in_flight, rounds in raw["in_flight"].items():
        one, two = ([each["worker_cpu_ns"] / each["messages"] for each in rounds[key]] for key in ("1", "2"))
        first, second = ([each["messages"] / each["wall_ns"] for each in rounds[key]] for key in ("1", "2"))
        gain = statistics.median(2 * a / b for a, b in zip(one, two, strict=True))
        clock = statistics.median(b / a for a, b in zip(first, second, strict=True))
        foreign = statistics.median(each["foreign"] for key in ("1", "2") for each in rounds[key])
        kept = kept and gain >= BOUND
        costs = " | ".join(f"{statistics.median(costs) / 1e3:.2f} µs" for costs in (one, two))
        lines.append(f"| {in_flight} | {costs} | {gain:.2f} × | {clock:.2f} × | {foreign:.2f} cores |")
    return "\n".join([*lines, "", f"Bound: two workers at least {BOUND} × one: {'kept' if kept else 'MISSED'}."])


if __name__ == "__main__":
    main()
