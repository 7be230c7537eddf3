"""`python -m benchmarks.idle`: connections held and messaged from one command, and whose memory they take.

The server is `wsload serve echo`; both ends lie on the loopback, each source address with its own ports. For the first
third of the time the connections are idle, then every one sends a message now and then. Memory is looked at at the end
of the first third and again when every one has sent: ours (parent and workers, shared pages divided by those who share
them), the server's, and the kernel's for both ends (its slabs and TCP pages, of the whole machine, against what they
were before).
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.measure import WSLOAD
from benchmarks.memory import children, kernel_bytes, proportional_bytes

RESULTS = Path(__file__).parent / "results" / "idle"
BOUND_BYTES = 2048
"""Of our memory for each idle connection."""
NAMES = (
    ("wsload: workers", "workers_bytes"),
    ("wsload: parent", "parent_bytes"),
    ("`wsload serve echo`", "server_bytes"),
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes, all processes of a kind together; `kernel_bytes` is what was added since the start, both ends."""

    parent_bytes: int
    workers_bytes: int
    server_bytes: int
    kernel_bytes: int


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--connections", type=int, default=100_000, help="how many (default: 100000)")
    parser.add_argument("--seconds", type=int, default=60, help="how long they are held (default: 60)")
    parser.add_argument("--server-workers", type=int, default=6, help="processes of the server (default: 6)")
    parser.add_argument("--sources", default="127.0.1.0/29", help="source addresses (default: 127.0.1.0/29, six)")
    parser.add_argument("--connect-rate", default="5k/s", help="how fast they are opened (default: 5k/s)")
    options = parser.parse_args()
    raw = measure(options)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(show(raw))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    before = kernel_bytes()
    count, seconds = options.connections, options.seconds
    third = seconds // 3
    rate = f"{-(-count // third)}/s"
    stages = (f"{third}s:0/s", f"0s:{rate}", f"{seconds - third}s:{rate}")
    flags = ["-c", str(count), *(word for stage in stages for word in ("--stage", stage)), "--format", "ndjson"]
    flags += ["--source-ip", options.sources, "--connect-rate", options.connect_rate]
    with tempfile.TemporaryDirectory() as folder, _serving(options.server_workers) as (url, server):
        command = [str(WSLOAD), "run", url, "-o", f"{folder}/idle.wsload", *flags]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            intervals = list(_until(run.stdout, count, third - 1))
            idle = _look(run.pid, server, before)
            # Every one has sent once in the second third.
            intervals += _until(run.stdout, count, 2 * third + 1)
            used = _look(run.pid, server, before)
            intervals += [json.loads(line) for line in run.stdout]
        if run.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {run.returncode}")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "machine": describe(),
        "command": ["wsload", "run", "ws://127.0.0.1:PORT/", *flags],
        "connections": count,
        "memory": {"idle": asdict(idle), "used": asdict(used)},
        **_sums(intervals, count, seconds),
    }


def _sums(intervals: list[dict[str, Any]], count: int, seconds: int) -> dict[str, Any]:
    """What the run itself says; anything that failed ends the measurement."""
    counters: dict[str, int] = {}
    for interval in intervals:
        for name, value in interval["counters"].items():
            counters[name] = counters.get(name, 0) + value
    schedule = [one for one in intervals if one["phase"] == "measured" and one["end_ns"] <= seconds * 10**9]
    held = [one["gauges"].get("open_connections", 0) for one in schedule]
    ramp = [one for one in intervals if one["phase"] == "ramp"]
    failures = [failure for one in intervals for failure in one["failures"]]
    if failures or min(held) < count or counters["answered"] != counters["sent"] or counters["sent"] < count:
        raise SystemExit(f"not a clean run: {min(held)} held, {counters}, {failures[:3]}")
    names = ("connects_opened", "sent", "answered", "polls")
    return {
        "held_intervals": len(held),
        "ramp_s": (ramp[-1]["end_ns"] - ramp[0]["start_ns"]) / 1e9 if ramp else 0.0,
        "counters": {name: counters.get(name, 0) for name in names},
    }


def _until(lines: Iterable[str], count: int, seconds: int) -> Iterator[dict[str, Any]]:
    """Reads intervals up to the one that ends so many seconds after the epoch."""
    for line in lines:
        interval = json.loads(line)
        yield interval
        if interval["phase"] == "measured" and interval["end_ns"] >= seconds * 10**9:
            if interval["gauges"].get("open_connections") != count:
                raise SystemExit(f"{interval['gauges'].get('open_connections')} of {count} connections are open")
            return


def _look(run: int, server: int, before: int) -> Memory:
    return Memory(
        parent_bytes=proportional_bytes(run),
        workers_bytes=sum(map(proportional_bytes, children(run))),
        server_bytes=sum(map(proportional_bytes, [server, *children(server)])),
        kernel_bytes=kernel_bytes() - before,
    )


@contextmanager
def _serving(workers: int) -> Iterator[tuple[str, int]]:
    command = [str(WSLOAD), "serve", "echo", "--port", "0", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1], server.pid
        finally:
            server.terminate()
            server.stdout.read()


def show(raw: dict[str, Any]) -> str:
    """The split as a table."""
    count, memory = raw["connections"], raw["memory"]
    ours = {when: found["parent_bytes"] + found["workers_bytes"] for when, found in memory.items()}
    half = {when: found["kernel_bytes"] // 2 for when, found in memory.items()}
    rows = [(whose, {when: found[name] for when, found in memory.items()}) for whose, name in NAMES]
    rows[2:2] = [("**wsload**", ours), ("kernel, our end (half)", half), ("kernel, the server's end (half)", half)]
    sent, answered = (raw["counters"][name] for name in ("sent", "answered"))
    lines = [
        f"{count:,} connections, opened in {raw['ramp_s']:.0f} s and held for {raw['held_intervals']} s.",
        f"Messages: {sent:,} sent, {answered:,} answered.",
        "",
        "| whose | idle | each | every one used | each |",
        "|---|---:|---:|---:|---:|",
    ]
    for whose, sizes in rows:
        cells = [cell for size in sizes.values() for cell in (f"{size / 1e6:,.0f} MB", f"{size / count:,.0f} B")]
        lines.append(f"| {whose} | {' | '.join(cells)} |")
    kept = "kept" if ours["idle"] <= BOUND_BYTES * count else "MISSED"
    return "\n".join([*lines, "", f"Bound: of wsload at most {BOUND_BYTES:,} B for each idle connection: {kept}."])


if __name__ == "__main__":
    main()
