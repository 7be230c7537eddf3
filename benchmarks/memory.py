"""`python -m benchmarks.memory`: bytes per connection and per process, from which `doctor` makes its forecast.

Slopes between two numbers of connections, of resident memory that is not shared with other processes; the kernel's
share from its slabs and its count of TCP pages, both ends of the loopback counted. How many recorders of intervals a
worker has at the moment is worth half a megabyte: where a connection costs little, the numbers lie far apart, and the
median of three rounds counts.
"""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measure, secured
from benchmarks.machine import describe

RESULTS = Path(__file__).parent / "results" / "memory"
FEW = 1_000
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """Private memory of the parent and its worker, and the kernel's, while connections are held."""

    parent_bytes: int
    worker_bytes: int
    kernel_bytes: int


def main() -> None:
    """Entry point."""
    measure.build()
    with tempfile.TemporaryDirectory() as folder:
        raw: dict[str, Any] = {
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            "machine": describe(),
            "held": _all(Path(folder)),
        }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    show(raw)


def show(raw: dict[str, Any]) -> None:
    """What one connection costs, and what is there without any."""
    for name, held in raw["held"].items():
        few, many = map(int, held)
        first, second = (medians(rounds) for rounds in held.values())
        each = {key: (second[key] - first[key]) / (many - few) for key in first}
        base = first["worker_bytes"] - each["worker_bytes"] * few
        print(
            f"{name:30} worker {each['worker_bytes']:9,.0f} B each, {base / 1e6:5.1f} MB without any;"
            f" parent {second['parent_bytes'] / 1e6:5.1f} MB; kernel {each['kernel_bytes'] / 2:6,.0f} B each end"
        )


def medians(rounds: list[dict[str, int]]) -> dict[str, float]:
    """The middle of several looks, figure by figure."""
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


@dataclass(frozen=True, slots=True)
class _Case:
    """Connections of a kind: arguments of the server (none: the native one), flags, how many and how often."""

    server: list[str]
    scheme: str
    flags: list[str]
    many: int = 5_000
    rounds: int = 1


def _cases(folder: Path) -> dict[str, _Case]:
    files = secured.make_files(folder)
    tls = ["tls", files["cert.pem"], files["key.pem"]]
    used = ["--rate-per-conn", "0.5/s"]
    context_free = "server_no_context_takeover,client_no_context_takeover"
    return {
        "plain, used": _Case([], "ws", [*used, "--no-record"], 16_000, 3),
        "plain, used, recording": _Case([], "ws", used, 16_000, 3),
        "TLS, used": _Case(tls, "wss", ["--cacert", files["ca.pem"], *used, "--no-record"]),
        "deflate, used": _Case(["deflate"], "ws", ["--compress", "on", *used, "--no-record"]),
        "deflate without context, used": _Case(["deflate"], "ws", ["--compress", context_free, *used, "--no-record"]),
    }


def _all(folder: Path) -> dict[str, dict[str, list[dict[str, int]]]]:
    held: dict[str, dict[str, list[dict[str, int]]]] = {}
    for name, case in _cases(folder).items():
        held[name] = {str(count): [] for count in (FEW, case.many)}
        for _ in range(case.rounds):
            for count in (FEW, case.many):
                with secured.python_server(*case.server) if case.server else measure.echo_server() as port:
                    url = f"{case.scheme}://localhost:{port}/"
                    held[name][str(count)].append(asdict(_hold(url, count, case.flags)))
    return held


def _hold(url: str, count: int, flags: list[str]) -> Held:
    """Runs until every connection is open and has been used, and looks."""
    before = kernel_bytes()
    with _running(url, count, flags) as (parent, worker):
        return Held(private_bytes(parent), private_bytes(worker), kernel_bytes() - before)


@contextmanager
def _running(url: str, count: int, flags: list[str]) -> Iterator[tuple[int, int]]:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(measure.WSLOAD), "run", url, "-c", str(count), "-d", "60s", "--workers", "1"]
        command += ["--format", "ndjson", "-o", f"{folder}/memory.wsload", *flags]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            try:
                _await_full(run.stdout, count)
                yield run.pid, children(run.pid)[0]
            finally:
                run.terminate()
                run.stdout.read()


def _await_full(lines: Iterator[str], count: int) -> None:
    """Reads intervals until all connections are open and three more are over."""
    full = 0
    for line in lines:
        interval = json.loads(line)
        full += interval["gauges"].get("open_connections") == count
        if full > 3:
            time.sleep(SETTLE_S)
            return
    raise SystemExit(f"the connections never were {count} at once")


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


def private_bytes(pid: int) -> int:
    """Resident memory that a process has to itself."""
    return _rollup(pid, "Private_Clean:", "Private_Dirty:")


def proportional_bytes(pid: int) -> int:
    """Resident memory, pages that are shared divided by those who share them."""
    return _rollup(pid, "Pss:")


def _rollup(pid: int, *names: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(names))


def kernel_bytes() -> int:
    """The kernel's objects, sockets among them, and the pages in which TCP holds data. Of the whole machine."""
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    slab = int(meminfo["Slab"].split()[0]) << 10
    tcp = Path("/proc/net/sockstat").read_text(encoding="ascii").partition("TCP:")[2].split("\n")[0].split()
    return slab + int(tcp[tcp.index("mem") + 1]) * 4096


if __name__ == "__main__":
    main()
