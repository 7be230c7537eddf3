"""What a load tool is to this benchmark: how it is had, how it is told what to do, what it says at the end."""

import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from benchmarks.machine import ROOT

HOME = ROOT / ".peers"
"""Where tools are installed; git ignores it."""
SCRIPTS = Path(__file__).parent / "scripts"
MESSAGE = "x" * 32
PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class Job:
    """The work: `connections` to a port for `seconds`. `folder` is the tool's to write to."""

    kind: Literal["closed", "open", "idle"]
    port: int
    connections: int
    seconds: int
    folder: Path
    in_flight: int = 1
    rate: int = 0
    """Messages per second over all connections of an open loop."""

    @property
    def url(self) -> str:
        """The server."""
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def interval_s(self) -> float:
        """Between messages of a connection: 0 for a closed loop, -1 for none at all."""
        return {"closed": 0.0, "idle": -1.0, "open": self.connections / max(self.rate, 1)}[self.kind]


@dataclass(frozen=True, slots=True)
class Command:
    """What is started."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times in ms as the tool prints them, None for what it does not print."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Tool(ABC):
    """One load tool. Subclasses are stateless."""

    name: ClassVar[str]
    what: ClassVar[str]
    """A line for the page: how its script goes about the work."""
    install: ClassVar[tuple[str, ...]] = ()
    """Shell commands, run in `HOME`."""
    source: ClassVar[str] = ""
    """Said where there are no such commands: what to build and where to put it."""
    jobs: ClassVar[frozenset[str]] = frozenset({"closed", "open", "idle"})
    max_in_flight: ClassVar[int] = 1
    warm_up_s: ClassVar[float] = 1.0
    """From all connections being open to the measurement; longer for what compiles itself on the way."""

    @abstractmethod
    def version(self) -> str | None:
        """As it says itself; None where it is not installed."""

    @abstractmethod
    def command(self, job: Job) -> Command:
        """The command of a job; writes what it needs into the job's folder."""

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """What it says of response times, from what it printed and wrote; None if it says nothing."""
        return None

    def does(self, job_kind: str, in_flight: int) -> bool:
        """Whether it can do such work."""
        return job_kind in self.jobs and in_flight <= self.max_in_flight


def said(arguments: list[str], pattern: str, environment: dict[str, str] | None = None) -> str | None:
    """A version in what a command prints; None if the command is not there."""
    if shutil.which(arguments[0]) is None:
        return None
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=False, env=os.environ | (environment or {}), timeout=60
    )
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else None


def in_home(*parts: str) -> str:
    """A path of the folder of installed tools."""
    return str(HOME.joinpath(*parts))


def fresh(path: Path, sources: list[Path], build: Callable[[], None]) -> None:
    """Builds what is missing or older than its sources."""
    if not path.exists() or path.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        build()
