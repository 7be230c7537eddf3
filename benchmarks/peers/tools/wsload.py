"""wsload: the command a user types, everything on."""

import json
from importlib.metadata import version
from typing import ClassVar

from benchmarks.measure import WSLOAD
from benchmarks.peers.tool import Command, Job, Latency, Tool


class Wsload(Tool):
    """One worker."""

    name: ClassVar[str] = "wsload"
    what: ClassVar[str] = "`wsload run`, one worker, run file and all checks on"
    source: ClassVar[str] = "make setup"
    max_in_flight: ClassVar[int] = 1_000

    def version(self) -> str | None:
        """Of the package."""
        return version("wsload")

    def command(self, job: Job) -> Command:
        """Flags only."""
        load = {
            "closed": ["--in-flight", str(job.in_flight)],
            "open": ["--rate", f"{job.rate}/s"],
            "idle": ["--idle"],
        }[job.kind]
        file = str(job.folder / "run.wsload")
        common = ["-c", str(job.connections), "-d", f"{job.seconds}s", "--workers", "1", "--format", "json", "-o", file]
        return Command([str(WSLOAD), "run", job.url, *common, *load])

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """Response time: from when a message was due."""
        times = json.loads(output)["response_time"]
        return Latency(*(times[name] / 1e6 for name in ("p50", "p95", "p99")))
