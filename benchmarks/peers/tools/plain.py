"""Scripts on plain client libraries: what one writes when no tool is at hand."""

import importlib.metadata
import json
from typing import ClassVar

from benchmarks.peers.tool import PYTHON, SCRIPTS, Command, Job, Latency, Tool


class Plain(Tool):
    """`scripts/plain_NAME.py`, in this project's environment."""

    source: ClassVar[str] = "make setup"

    def version(self) -> str | None:
        """Of the library."""
        try:
            return importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            return None

    def command(self, job: Job) -> Command:
        """The job as arguments."""
        script = str(SCRIPTS / f"plain_{self.name}.py")
        return Command([PYTHON, script, job.url, str(job.connections), str(job.seconds), str(job.interval_s)])

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """Printed as JSON."""
        return Latency(**json.loads(output))


class Picows(Plain):
    """Callbacks."""

    name: ClassVar[str] = "picows"
    what: ClassVar[str] = "a script of callbacks on uvloop, response times in an array"


class Aiohttp(Plain):
    """Tasks."""

    name: ClassVar[str] = "aiohttp"
    what: ClassVar[str] = "a script with a task for each connection on uvloop, response times in an array"


class Websockets(Plain):
    """Tasks."""

    name: ClassVar[str] = "websockets"
    what: ClassVar[str] = "a script with a task for each connection on uvloop, no compression, no keep-alive"
