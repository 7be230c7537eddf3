"""CPU time and memory of everything a tool has started: all processes that descend from it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.machine import TICK_NS
from benchmarks.peers.tool import Command

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A tool at work, in a session of its own."""

    process: subprocess.Popen[str]
    output: Path

    def cpu_ns(self) -> int:
        """User and system time of its processes, of those that are no more as far as somebody has waited for them."""
        return sum(sum(map(int, stat[11:15])) for stat in self._members()) * TICK_NS

    def rss_bytes(self) -> int:
        """Resident memory; pages that processes share are counted for each."""
        return sum(int(stat[21]) * PAGE_BYTES for stat in self._members())

    def ended(self) -> bool:
        """Whether the process that was started is gone."""
        return self.process.poll() is not None

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code; None if it had to be killed after the time-out."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            return None

    def stop(self) -> None:
        """Kills all its processes: what was wanted of them has been measured."""
        until = time.monotonic() + GRACE_S
        while (members := self._members()) and time.monotonic() < until:
            for stat in members:
                with suppress(ProcessLookupError):
                    os.kill(int(stat[-1]), signal.SIGKILL)
            time.sleep(0.02)
        self.process.wait()

    def said(self) -> str:
        """Standard output so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def _members(self) -> list[list[str]]:
        """Fields of /proc/PID/stat from the state on, the pid at their end, of all that descend from the process."""
        known = {self.process.pid}
        found = []
        # Parents come first: a pid that wraps around is not to be expected within minutes.
        for pid, fields in sorted(_processes()):
            # Session and parent: some start their children in a session of their own, others let go of them.
            if pid in known or int(fields[1]) in known or int(fields[3]) == self.process.pid:
                known.add(pid)
                # A zombie holds nothing any more, and its time is its parent's once it has been waited for.
                if fields[0] != "Z":
                    found.append([*fields, str(pid)])
        return found


def _processes() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield int(folder.name), text.rpartition(")")[2].split()


@contextmanager
def started(command: Command, folder: Path, cpu: int) -> Iterator[Running]:
    """Starts a command on a core and ends what is left of it."""
    output = folder / "output"
    with output.open("w", encoding="utf-8") as out, (folder / "errors").open("w", encoding="utf-8") as errors:
        running = Running(_start(command, folder, (out, errors), cpu), output)
        try:
            yield running
        finally:
            running.stop()


def _start(command: Command, folder: Path, files: tuple[IO[str], IO[str]], cpu: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["taskset", "-c", str(cpu), *command.arguments],
        cwd=folder,
        env=os.environ | command.environment,
        stdin=subprocess.DEVNULL,
        stdout=files[0],
        stderr=files[1],
        text=True,
        start_new_session=True,
    )
