"""Locust, headless, on websocket-client and gevent."""

import csv
from typing import ClassVar

from benchmarks.peers.tool import SCRIPTS, Command, Job, Latency, Tool, in_home, said

BINARY = in_home("locust", "bin", "locust")


class Locust(Tool):
    """A user for each connection, in one process."""

    name: ClassVar[str] = "locust"
    what: ClassVar[str] = (
        "a user for each connection on websocket-client and gevent, `constant_pacing`, `request` events"
    )
    install: ClassVar[tuple[str, ...]] = (
        "python3 -m venv locust",
        "locust/bin/pip install --quiet locust websocket-client wsaccel",
    )

    def version(self) -> str | None:
        """Of the package."""
        return said([BINARY, "--version"], r"locust (\d\S+)")

    def command(self, job: Job) -> Command:
        """All users at once."""
        users = ["--headless", "-u", str(job.connections), "-r", str(job.connections), "-t", f"{job.seconds}s"]
        quiet = ["--only-summary", "--csv", str(job.folder / "locust"), "--skip-log", "--loglevel", "ERROR"]
        environment = {"URL": job.url, "CONNECTIONS": str(job.connections), "INTERVAL_S": str(job.interval_s)}
        return Command([BINARY, "-f", str(SCRIPTS / "locustfile.py"), *users, *quiet], environment)

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """Its CSV of totals, in whole ms."""
        with (job.folder / "locust_stats.csv").open(encoding="utf-8") as lines:
            row = next(row for row in csv.DictReader(lines) if row["Name"] == "Aggregated")
        values = [row[name] for name in ("50%", "95%", "99%")]
        return Latency(*(None if value == "N/A" else float(value) for value in values))
