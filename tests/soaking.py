"""A soak as a process of its own that is watched interval by interval, for tests that do something to its server."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsload.results import Summary, read_summary

Record = dict[str, Any]


@dataclass
class Soak:
    """A running soak."""

    process: subprocess.Popen[str]
    file: Path

    def until(self, holds: Callable[[Record], bool]) -> Record:
        """Reads intervals until one is as wanted."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            record: Record = json.loads(line)
            if holds(record):
                return record
        raise AssertionError(f"it ended before: {self.process.stderr and self.process.stderr.read()}")

    def stop(self) -> Summary:
        """Ends it; what its file holds."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 143, err
        return read_summary(self.file)


@contextmanager
def soaking(url: str, *flags: str, file: Path, inside: Sequence[str] = ()) -> Iterator[Soak]:
    """A soak of a minute at most that prints its intervals; `inside` is a command that runs it elsewhere."""
    words = [sys.executable, "-m", "wsload", "soak", url, "-d", "60s", "--format", "ndjson", "-o", str(file), *flags]
    pipe = subprocess.PIPE
    with subprocess.Popen([*inside, *words], stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Soak(process, file)
        finally:
            process.kill()


def is_open(count: int) -> Callable[[Record], bool]:
    """Whether so many connections are open at an interval's end, in the schedule."""

    def holds(record: Record) -> bool:
        return record["phase"] != "ramp" and int(record["gauges"].get("open_connections", 0)) == count

    return holds


def counted(counter: str, count: int) -> Callable[[Record], bool]:
    """Whether a counter has come to so much, all intervals together."""
    total = 0

    def holds(record: Record) -> bool:
        nonlocal total
        total += int(record["counters"].get(counter, 0))
        return total >= count

    return holds
