"""Single measurements: the floor, wsload, memory per idle connection, start-up time."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT, busy_ns

EXAMPLES = ROOT / "target" / "release" / "examples"
WSLOAD = Path(sys.executable).parent / "wsload"
CLIENT_CPU, SERVER_CPU = 0, 1
SIZE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Case:
    """A closed loop of `connections` with `in_flight` messages each."""

    connections: int
    in_flight: int

    @property
    def name(self) -> str:
        """As `--only` takes it."""
        return f"closed-{self.connections}-{self.in_flight}"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of the client per round trip, ns, and how the run went. `foreign` is other processes' CPU, in cores."""

    round_trips: int
    cpu_ns: float
    user_ns: float
    wake_ups: int
    whole_tree_ns: float | None
    foreign: float


def build() -> None:
    """Builds the examples as releases."""
    command = ("cargo", "build", "--release", "--quiet", "--examples", "-p", "wsload-engine")
    subprocess.run(command, cwd=ROOT, check=True)


@contextmanager
def echo_server(core: int = SERVER_CPU) -> Iterator[int]:
    """The native echo server on a core of its own; gives its port."""
    command = (str(EXAMPLES / "echo_server"),)
    with subprocess.Popen(
        command,
        text=True,
        preexec_fn=on(core),  # noqa: PLW1509 - there are no threads
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield int(server.stdout.readline().rstrip().rstrip("/").rpartition(":")[2])
        finally:
            server.stdin.close()
            server.wait()


def floor(port: int, case: Case, seconds: int, *schedule: int) -> Cost:
    """One run of the floor; with `schedule` (messages per second, grain in ns) as an open loop."""
    numbers = (port, case.connections, case.in_flight, seconds, SIZE_BYTES, *schedule)
    arguments = [str(number) for number in numbers]
    output, own_ns, foreign = timed([str(EXAMPLES / "floor"), *arguments])
    result = json.loads(output)
    trips, user_ns = result["round_trips"], result["cpu_user_ns"]
    cpu_ns = user_ns + result["cpu_system_ns"]
    return Cost(trips, cpu_ns / trips, user_ns / trips, result["wake_ups"], own_ns / trips, foreign)


def wsload(port: int, case: Case, seconds: int) -> Cost:
    """One run of wsload with everything on: stamps, masks, checks, histograms, file."""
    flags = ["-c", str(case.connections), "--in-flight", str(case.in_flight), "-d", f"{seconds}s"]
    output, own_ns, foreign = run_wsload(port, flags)
    summary = json.loads(output)
    generator, messages = summary["generator"], summary["messages"]
    if messages["answered"] != messages["sent"] or summary["failures"] or generator["stamps_missing"]:
        raise SystemExit(f"{case.name}: not a clean run: {messages}, {summary['failures']}, {generator}")
    trips, user_ns = messages["answered"], generator["cpu_user_ns"]
    cpu_ns = user_ns + generator["cpu_system_ns"]
    return Cost(trips, cpu_ns / trips, user_ns / trips, generator["polls"], own_ns / trips, foreign)


def idle_rss_bytes(port: int, connections: int) -> int:
    """Resident memory of the worker that holds idle connections."""
    output, _, _ = run_wsload(port, ["-c", str(connections), "--idle", "-d", "2s"])
    summary = json.loads(output)
    if summary["connections"]["opened"] != connections:
        raise SystemExit(f"only {summary['connections']['opened']} of {connections} connections opened")
    return int(summary["generator"]["rss_bytes_max"])


def start_up_ms(arguments: list[str], rounds: int) -> float:
    """Median wall time of a short command."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def run_wsload(port: int, flags: list[str], target: str | None = None) -> tuple[str, int, float]:
    """`wsload run` of the server on a port or of a scenario file, one worker: JSON, CPU of the tree, foreign cores."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "bench.wsload")
        target = target or f"ws://127.0.0.1:{port}/"
        command = [str(WSLOAD), "run", target, "--workers", "1", "--format", "json", "-o", file]
        return timed([*command, *flags])


def timed(command: list[str]) -> tuple[str, int, float]:
    """Runs on the client's core; output, CPU of the process tree, and how many cores others used."""
    begin, own, busy = time.monotonic_ns(), children_ns(), busy_ns()
    done = subprocess.run(command, check=True, capture_output=True, text=True, preexec_fn=on(CLIENT_CPU))
    elapsed, own = time.monotonic_ns() - begin, children_ns() - own
    # The server's core is busy on our behalf: what is beyond it and our own is foreign.
    foreign = max((busy_ns() - busy - own) / elapsed - 1.0, 0.0)
    return done.stdout, own, foreign


def children_ns() -> int:
    """CPU time of processes that this one has started and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((usage.ru_utime + usage.ru_stime) * 1e9)


def on(cpu: int) -> Callable[[], None]:
    """Binds a process that is about to start to a core."""
    return lambda: os.sched_setaffinity(0, {cpu})
