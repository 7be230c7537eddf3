"""k6, on `k6/websockets`."""

import json
from typing import ClassVar

from benchmarks.peers.tool import SCRIPTS, Command, Job, Latency, Tool, in_home, said

BINARY = in_home("bin", "k6")


class K6(Tool):
    """One virtual user for up to a hundred connections."""

    name: ClassVar[str] = "k6"
    what: ClassVar[str] = (
        "`k6/websockets`, up to 100 connections on a virtual user's event loop, a Trend for the response time"
    )
    install: ClassVar[tuple[str, ...]] = ('GOBIN="$PWD/bin" go install go.k6.io/k6@latest',)
    warm_up_s: ClassVar[float] = 1.5

    def version(self) -> str | None:
        """Of the binary."""
        return said([BINARY, "version"], r"v(\d\S+)")

    def command(self, job: Job) -> Command:
        """The script takes the job from the environment."""
        per_vu = next(size for size in (100, 64, 50, 20, 10, 1) if job.connections % size == 0)
        environment = {
            "URL": job.url,
            "CONNECTIONS": str(job.connections),
            "PER_VU": str(per_vu),
            "SECONDS": str(job.seconds),
            "INTERVAL_MS": str(round(job.interval_s * 1e3)),
        }
        switches = ["--quiet", "--no-usage-report", "--summary-export", str(job.folder / "summary.json")]
        given = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
        return Command([BINARY, "run", *switches, *given, str(SCRIPTS / "k6.js")], {"K6_NO_USAGE_REPORT": "true"})

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """The script's Trend."""
        metrics = json.loads((job.folder / "summary.json").read_text(encoding="utf-8"))["metrics"]
        times = metrics.get("response", {})
        return Latency(*(times.get(name) for name in ("med", "p(95)", "p(99)")))
