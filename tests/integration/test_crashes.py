"""What a soak loses when anything dies: the open interval at most, and what it says of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO

import pytest

from engine.support import ends_within
from serving import serving
from soaking import Record, counted, is_open, soaking
from wsload.results import RunFile, Summary, read_summary

COUNT = 20
LOAD = ("-c", str(COUNT), "--rate", "200/s", "--workers", "2")


def workers(pid: int) -> list[int]:
    """The processes that a soak has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in children.read_text(encoding="ascii").split()]


def starts(file: Path) -> dict[int, int]:
    with RunFile.open(file) as run:
        return {interval.index: interval.start_ns for interval in run.intervals()}


def resume(file: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wsload", "soak", "--resume", str(file), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def notes(summary: Summary) -> list[str]:
    return [note.kind for note in summary.notes]


@pytest.mark.parametrize("seen", [1, 2, 3])
def test_a_killed_soak_keeps_every_interval_that_was_over_and_goes_on(seen: int, tmp_path: Path) -> None:
    file = tmp_path / "a.wsload"
    printed: list[Record] = []
    with serving() as server:
        with soaking(server.url, *LOAD, "-d", "5s", file=file) as soak:
            printed.extend(soak.until(lambda _: True) for _ in range(seen + 1))
            children = workers(soak.process.pid)
            soak.process.kill()
            assert all(ends_within(pid, 5) for pid in children)
        before = read_summary(file)
        assert before.outcome == "unfinished"
        kept = starts(file)
        assert {one["index"]: one["start_ns"] for one in printed}.items() <= kept.items()
        # One more may have been over before the signal came.
        assert len(kept) <= len(printed) + 1
        sent = before.messages.sent

        went_on = resume(file, "--quiet")
        assert went_on.returncode == 0, went_on.stderr
    after = read_summary(file)
    assert (after.outcome, notes(after)) == ("completed", ["gap"])
    assert kept.items() <= starts(file).items()
    # The whole of its time was measured; what was under way when it was killed is in neither part.
    assert after.duration_ns == pytest.approx(5e9, rel=0.01)
    assert after.messages.sent == pytest.approx(1000, abs=2)
    assert after.messages.answered == pytest.approx(1000, abs=2)
    assert after.messages.sent > sent
    assert (after.connections.opened, after.connections.reconnects) == (COUNT, COUNT)
    assert starts(file) == dict(sorted(starts(file).items(), key=lambda one: one[1]))


def test_what_is_over_or_going_on_cannot_be_resumed(tmp_path: Path) -> None:
    with serving() as server:
        with soaking(server.url, *LOAD, file=tmp_path / "a.wsload") as soak:
            soak.until(is_open(COUNT))
            twice = resume(tmp_path / "a.wsload")
            assert (twice.returncode, twice.stderr.splitlines()[0]) == (
                2,
                f"error: --resume: {tmp_path / 'a.wsload'}: process {soak.process.pid} is writing it",
            )
        flags = ("-d", "1s", "--rate", "20/s")
        with soaking(server.url, *flags, file=tmp_path / "b.wsload") as soak:
            soak.process.communicate(timeout=30)
        over = resume(tmp_path / "b.wsload")
        assert over.returncode == 2
        assert "it has measured all of its time" in over.stderr
        other = resume(tmp_path / "a.wsload", "--rate", "5/s")
        assert "--rate: a run that goes on stays what it is" in other.stderr
    missing = resume(tmp_path / "c.wsload")
    assert missing.returncode == 2
    assert "no such file" in missing.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_dies_is_replaced(count: int, tmp_path: Path) -> None:
    file = tmp_path / "a.wsload"
    load = ("-c", str(COUNT), "--rate", "200/s", "--workers", str(count))
    with serving() as server, soaking(server.url, *load, file=file) as soak:
        soak.until(is_open(COUNT))
        os.kill(workers(soak.process.pid)[-1], signal.SIGKILL)
        soak.until(counted("reconnects", COUNT // count))
        # Once it has fallen in, the whole schedule is sent again.
        soak.until(lambda record: bool(record["counters"].get("answered", 0) >= 199))
        summary = soak.stop()
    assert notes(summary) == ["worker_lost", "worker_replaced"]
    assert "until it is replaced" in summary.notes[0].text
    assert (summary.connections.opened, summary.connections.reconnects) == (COUNT, COUNT // count)
    assert summary.messages.sent == summary.messages.answered
    with RunFile.open(file) as run:
        course = [(one.index, one.start_ns, one.end_ns) for one in run.intervals()]
    # Alone, nobody reports in between; with another one there is no gap.
    gaps = [now[1] - before[2] for before, now in pairwise(course) if now[1] != before[2]]
    assert len(gaps) == (1 if count == 1 else 0)
    assert course == sorted(set(course))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 3 MiB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def wait_for(stream: IO[str], words: str) -> None:
    said = []
    for line in stream:
        said.append(line)
        if words in line:
            return
    raise AssertionError("".join(said))


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own takes root")
def test_while_the_disk_is_full_intervals_wait_in_memory(tmp_path: Path) -> None:
    with serving() as server, small_disk(tmp_path / "disk") as disk:
        file = disk / "a.wsload"
        words = ["soak", server.url, *LOAD, "-d", "60s", "--every", "1s", "-o", str(file)]
        command = [sys.executable, "-m", "wsload", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            wait_for(process.stderr, " 20 of 20 open ")
            fill(disk / "filler")
            wait_for(process.stderr, "the disk is full: intervals are kept in memory until there is room")
            # Some more intervals end meanwhile.
            for _ in range(2):
                wait_for(process.stderr, " 20 of 20 open ")
            (disk / "filler").unlink()
            wait_for(process.stderr, "there is room again")
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 143, err
        summary = read_summary(file)
        course = sorted(starts(file).items())
    assert notes(summary) == ["recording_paused", "recording_resumed"]
    assert summary.messages.sent == summary.messages.answered == summary.messages.due
    assert f"{summary.messages.sent:,} sent" in out
    # No interval is missing.
    assert [index for index, _ in course] == list(range(course[-1][0] + 1))


def fill(path: Path) -> None:
    """Takes all the room there is."""
    with path.open("wb", buffering=0) as filler:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    filler.write(b"\0" * size)
            except OSError:
                continue
