"""Memory, descriptors, threads and CPU of processes, as /proc tells them: a few hundred microseconds for a handful."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LIFE_SHARE = 0.1
"""Of the memory of a group: a process that held so much takes a life of it along when it ends."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat after the name in parentheses, which may hold anything (proc(5)): the first is the third.
_USER, _SYSTEM, _THREADS, _START, _RSS = 11, 12, 17, 19, 21


@dataclass(frozen=True, slots=True)
class Process:
    """One process at a moment. `start` and `pid` together are its own: numbers are used again."""

    pid: int
    start: int
    name: str
    rss_bytes: int
    threads: int
    cpu_ns: int

    @property
    def identity(self) -> tuple[int, int]:
        """What no other process has."""
        return self.pid, self.start


def read_process(pid: int) -> Process | None:
    """A process, or None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    if fields[0] in "ZX":
        # Nothing is left of it but its exit code.
        return None
    return Process(
        pid=pid,
        start=int(fields[_START]),
        name=head.partition("(")[2],
        rss_bytes=int(fields[_RSS]) * _PAGE_BYTES,
        threads=int(fields[_THREADS]),
        cpu_ns=(int(fields[_USER]) + int(fields[_SYSTEM])) * _TICK_NS,
    )


def descriptors(pid: int) -> int | None:
    """How many a process has open; None where they are not for us to see."""
    folder = f"/proc/{pid}/fd"
    try:
        # Linux 6.2 tells their number as the folder's size; before, they must be counted.
        return os.stat(folder).st_size or len(os.listdir(folder))  # noqa: PTH116, PTH208 - once a second
    except OSError:
        return None


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        found += _children(one)
    return found


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return []


class Meter:
    """Readings of a group of processes, one after the other: CPU is what was used between two of them."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, int], Process] = {}
        self.lives = 0
        """1, and one more whenever a process that held a good part of the memory is gone: a restart."""

    def read(self, pids: Iterable[int]) -> dict[str, int]:
        """All of them together, by the names of `results.watched`; `processes` 0 when there are none any more."""
        found = [process for pid in pids if (process := read_process(pid)) is not None]
        cpu_ns = self._used_ns(found)
        self._note_lives(found)
        self._before = {process.identity: process for process in found}
        counted = [number for process in found if (number := descriptors(process.pid)) is not None]
        return {
            "processes": len(found),
            "rss_bytes": sum(process.rss_bytes for process in found),
            "threads": sum(process.threads for process in found),
            "fds": sum(counted),
            "cpu_ns": cpu_ns,
        }

    def _used_ns(self, found: list[Process]) -> int:
        if not self._before:
            return 0
        # A process that is new has used all of it since.
        before = {identity: process.cpu_ns for identity, process in self._before.items()}
        return sum(max(process.cpu_ns - before.get(process.identity, 0), 0) for process in found)

    def _note_lives(self, found: list[Process]) -> None:
        there = {process.identity for process in found}
        whole = sum(process.rss_bytes for process in self._before.values())
        gone = [process.rss_bytes for identity, process in self._before.items() if identity not in there]
        if found:
            self.lives = max(self.lives + (max(gone, default=0) > LIFE_SHARE * whole), 1)
