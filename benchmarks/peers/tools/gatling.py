"""Gatling, its Java DSL."""

import re
import subprocess
from pathlib import Path
from typing import ClassVar

from benchmarks.peers.tool import HOME, SCRIPTS, Command, Job, Latency, Tool, fresh, in_home

LIBRARIES = HOME / "gatling" / "lib"
CLASSES = HOME / "gatling" / "classes"
POM = SCRIPTS / "gatling.pom.xml"


class Gatling(Tool):
    """A virtual user for each connection."""

    name: ClassVar[str] = "gatling"
    what: ClassVar[str] = (
        "the `ws` DSL in Java: `sendText(…).await(…).on(checkTextMessage(…))`, `pace` in the open loop"
    )
    install: ClassVar[tuple[str, ...]] = (
        f"mvn -q -B -f '{POM}' dependency:copy-dependencies -DoutputDirectory=\"$PWD/gatling/lib\"",
    )
    warm_up_s: ClassVar[float] = 4.0

    def version(self) -> str | None:
        """Of its library."""
        jar = next(LIBRARIES.glob("gatling-app-*.jar"), None)
        return jar.stem.rpartition("-")[2] if jar else None

    def command(self, job: Job) -> Command:
        """Compiled once; then plain Java."""
        source = SCRIPTS / "Load.java"
        fresh(CLASSES / "Load.class", [source], lambda: _compile(source))
        environment = {
            "URL": f"ws://127.0.0.1:{job.port}",
            "CONNECTIONS": str(job.connections),
            "SECONDS": str(job.seconds),
            "INTERVAL_MS": str(round(job.interval_s * 1e3)),
        }
        java = ["java", "-Xmx2g", "--add-opens=java.base/java.lang=ALL-UNNAMED", "-cp", f"{CLASSES}:{LIBRARIES}/*"]
        return Command([*java, "io.gatling.app.Gatling", "-s", "Load", "-rf", in_folder(job)], environment)

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """The table it prints, whole ms; its connects are in the same figures, one for each connection."""
        found = [re.search(rf"response time {mark} percentile \(ms\)\s*\|\s*([\d,]+)", output) for mark in PERCENTILES]
        return Latency(*(float(one[1].replace(",", "")) if one else None for one in found))


PERCENTILES = ("50th", "95th", "99th")


def in_folder(job: Job) -> str:
    """Where it writes its log and report."""
    return str(job.folder / "gatling")


def _compile(source: Path) -> None:
    CLASSES.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-cp", in_home("gatling", "lib", "*"), "-d", str(CLASSES), str(source)], check=True)
