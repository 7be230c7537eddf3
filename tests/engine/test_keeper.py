"""The file while the disk is full, and when it is lost."""

from pathlib import Path

import pytest

from samples import SECOND, make_header, make_interval
from wsload.engine.keeper import MAX_PENDING, Keeper
from wsload.errors import DiskFullError, RunFileError
from wsload.results import Event, Interval, Note, RunFile, RunFileWriter, read_summary

EVENT = Event(5, 1, 1, 0, "sent", "text", None, 2, None, None, None, 0, 1, b"hi")


class Disk:
    """A writer whose disk may be full."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full: Exception | None = None
        self.writer = RunFileWriter.create(path, make_header())
        self.writer.write_epoch(0, 1_700_000_000_000_000_000)
        append = RunFileWriter.append

        def maybe(writer: RunFileWriter, intervals: list[Interval]) -> None:
            if self.full:
                raise self.full
            append(writer, intervals)

        monkeypatch.setattr(RunFileWriter, "append", maybe)


FULL = DiskFullError("a.wsload: the disk is full")


def test_what_is_measured_meanwhile_gets_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Note] = []
    disk = Disk(tmp_path / "a.wsload", monkeypatch)
    keeper = Keeper(disk.writer, told.append)
    for number in range(10):
        disk.full = FULL if 3 <= number < 7 else None
        keeper.interval(make_interval(number, events=(EVENT._replace(seq=number),)))
    keeper.finish("completed", "")
    assert [(note.kind, note.at_ns) for note in told] == [
        ("recording_paused", 4 * SECOND),
        ("recording_resumed", 8 * SECOND),
    ]
    assert told[1].text.startswith("there is room again after 4 s: all intervals are in the file; 4 events of the")
    with RunFile.open(tmp_path / "a.wsload") as run:
        assert [interval.index for interval in run.intervals()] == list(range(10))
        assert run.notes() == told
        assert run.count_events() == 6
    assert keeper.error is None


def test_many_of_them_are_joined_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Note] = []
    disk = Disk(tmp_path / "a.wsload", monkeypatch)
    keeper = Keeper(disk.writer, told.append)
    disk.full = FULL
    count = 5 * MAX_PENDING
    for number in range(count):
        keeper.interval(make_interval(number))
    disk.full = None
    keeper.interval(make_interval(count))
    keeper.finish("completed", "")
    summary = read_summary(tmp_path / "a.wsload")
    assert summary.messages.sent == 100 * (count + 1)
    assert summary.verdict.intervals == count + 1
    with RunFile.open(tmp_path / "a.wsload") as run:
        course = list(run.intervals())
    assert len(course) <= MAX_PENDING + 1
    assert [one.start_ns for one in course[1:]] == [one.end_ns for one in course[:-1]]
    assert "the older ones joined" in told[1].text


def test_a_disk_that_stays_full_loses_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Note] = []
    disk = Disk(tmp_path / "a.wsload", monkeypatch)
    keeper = Keeper(disk.writer, told.append)
    disk.full = FULL
    keeper.interval(make_interval(0))
    keeper.finish("completed", "")
    assert [note.kind for note in told] == ["recording_paused", "file_lost"]
    assert keeper.error == "the disk is full"
    with RunFile.open(tmp_path / "a.wsload") as run:
        assert not run.finished


def test_any_other_trouble_loses_the_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Note] = []
    disk = Disk(tmp_path / "a.wsload", monkeypatch)
    keeper = Keeper(disk.writer, told.append)
    disk.full = RunFileError("a.wsload: disk I/O error")
    keeper.interval(make_interval(0))
    disk.full = None
    keeper.interval(make_interval(1))
    assert [note.kind for note in told] == ["file_lost"]
    assert keeper.error == "a.wsload: disk I/O error"
