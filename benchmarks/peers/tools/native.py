"""Tools in C, and the floor."""

import json
import re
from typing import ClassVar

from benchmarks.measure import EXAMPLES, SIZE_BYTES
from benchmarks.peers.tool import MESSAGE, Command, Job, Latency, Tool, in_home, said


class Floor(Tool):
    """A bare loop that measures nothing."""

    name: ClassVar[str] = "floor"
    what: ClassVar[str] = "no tool: a bare epoll loop that measures nothing (`rust/wsload-engine/examples/floor.rs`)"
    source: ClassVar[str] = "cargo build --release --examples -p wsload-engine"
    jobs: ClassVar[frozenset[str]] = frozenset({"closed"})
    max_in_flight: ClassVar[int] = 1_000

    def version(self) -> str | None:
        """It has none."""
        return "" if (EXAMPLES / "floor").exists() else None

    def command(self, job: Job) -> Command:
        """Numbers."""
        numbers = (job.port, job.connections, job.in_flight, job.seconds, SIZE_BYTES)
        return Command([str(EXAMPLES / "floor"), *map(str, numbers)])


class Gcannon(Tool):
    """A closed loop on io_uring."""

    name: ClassVar[str] = "gcannon"
    what: ClassVar[str] = "io_uring, one thread, `--ws`, response times in a histogram"
    source: ClassVar[str] = "build MDA2AV/gcannon against liburing 2.5 or later and put the binary into .peers/bin"
    jobs: ClassVar[frozenset[str]] = frozenset({"closed"})
    max_in_flight: ClassVar[int] = 64

    def version(self) -> str | None:
        """It is in the report of a run."""
        return said([BINARIES["gcannon"], "http://127.0.0.1:1/", "-c", "1", "-t", "1", "-d", "1s", "--json"], VERSION)

    def command(self, job: Job) -> Command:
        """One thread, as wsload's one worker."""
        load = ["-c", str(job.connections), "-t", "1", "-d", f"{job.seconds}s", "-p", str(job.in_flight)]
        url = f"http://127.0.0.1:{job.port}/"
        return Command([BINARIES["gcannon"], url, "--ws", "--ws-msg", MESSAGE, *load, "--json"])

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """In µs."""
        times = json.loads(output)["latency_us"]
        return Latency(p50=times["p50"] / 1e3, p99=times["p99"] / 1e3)


class Tcpkali(Tool):
    """A schedule per connection; it cannot wait for a reply, so there is no closed loop."""

    name: ClassVar[str] = "tcpkali"
    what: ClassVar[str] = (
        "`--ws`, one thread, a rate for each connection, markers in the messages for the response time"
    )
    source: ClassVar[str] = "build satori-com/tcpkali and put the binary into .peers/bin"
    jobs: ClassVar[frozenset[str]] = frozenset({"open", "idle"})
    warm_up_s: ClassVar[float] = 2.0

    def version(self) -> str | None:
        """Of the binary."""
        return said([BINARIES["tcpkali"], "--version"], r"version (\S+)")

    def command(self, job: Job) -> Command:
        """A marker takes 31 bytes of a message."""
        common = ["--ws", "-c", str(job.connections), "--connect-rate", "20k", "-T", f"{job.seconds}s", "-w", "1"]
        load = []
        if job.kind == "open":
            rate = job.rate / job.connections
            load = ["-r", f"{rate:g}", "--nagle", "off", "--write-combine", "off"]
            load += ["-em", MESSAGE[:1] + r"\{message.marker}", "--latency-percentiles", "50,95,99"]
        return Command([BINARIES["tcpkali"], *common, *load, f"127.0.0.1:{job.port}"])

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """A line of percentiles in ms."""
        found = re.search(r"Message latency at percentiles: ([\d.]+)/([\d.]+)/([\d.]+)", output)
        return Latency(*map(float, found.groups())) if found else None


BINARIES = {name: in_home("bin", name) for name in ("gcannon", "tcpkali")}
VERSION = r'"version": "(\S+)"'
