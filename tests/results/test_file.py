"""The run file: what is committed stays, what is no run file is said to be none."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from samples import make_header, make_interval
from wsload.errors import RunFileError
from wsload.results import Note, RunFile, RunFileWriter, read_summary
from wsload.results.file import SCHEMA_VERSION

FIXTURES = Path(__file__).parent / "fixtures"


def written(path: Path) -> RunFileWriter:
    writer = RunFileWriter.create(path, make_header())
    writer.write_epoch(5_000, 1_700_000_000_000_000_000)
    writer.append([make_interval(0), make_interval(1)])
    writer.note(Note(7, "worker_lost", "worker 1 of 2 was lost"))
    return writer


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    written(path).finish("completed", "")
    with RunFile.open(path) as run:
        assert run.header == make_header()
        assert list(run.intervals()) == [make_interval(0), make_interval(1)]
        assert run.notes() == [Note(7, "worker_lost", "worker 1 of 2 was lost")]
        assert (run.finished, run.outcome, run.epoch_unix_ns) == (True, "completed", 1_700_000_000_000_000_000)
    assert sorted(tmp_path.iterdir()) == [path], "a finished run is one file"


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        writer = written(tmp_path / "a.wsload")
    finally:
        os.umask(old)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    writer.close()


def test_an_unfinished_run_can_be_read_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = written(path)
    summary = read_summary(path)
    assert (summary.finished, summary.outcome, summary.messages.sent) == (False, "unfinished", 200)
    writer.append([make_interval(2)])
    assert read_summary(path).messages.sent == 300
    writer.close()


def test_committed_intervals_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    script = (
        "import os, signal, sys; from pathlib import Path; from test_file import written;"
        "writer = written(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    here = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}"}
    done = subprocess.run([sys.executable, "-c", script, str(path)], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    with RunFile.open(path) as run:
        assert not run.finished
        assert [interval.index for interval in run.intervals()] == [0, 1]


def test_an_append_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = written(path)
    with pytest.raises(RunFileError):
        writer.append([make_interval(2), make_interval(1)])
    writer.finish("completed", "")
    with RunFile.open(path) as run:
        assert [interval.index for interval in run.intervals()] == [0, 1]


def test_a_full_disk_is_said_and_costs_nothing_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = written(path)
    (pages,) = writer._connection.execute("PRAGMA page_count").fetchone()
    writer._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RunFileError, match="the disk is full") as caught:
        writer.append([make_interval(index) for index in range(2, 400)])
    assert "Free some space" in caught.value.remedy
    writer.close()
    assert read_summary(path).messages.sent == 200


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    path.write_text("precious")
    with pytest.raises(RunFileError, match="exists already"):
        RunFileWriter.create(path, make_header())
    assert path.read_text() == "precious"


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="No such file or directory") as caught:
        RunFileWriter.create(tmp_path / "missing" / "a.wsload", make_header())
    assert "--output" in caught.value.remedy


def test_what_is_no_run_file_is_said_to_be_none(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    text, empty = tmp_path / "text", tmp_path / "empty"
    text.write_text("not a database at all, but long enough to be looked at " * 100)
    empty.touch()
    for path, what in (
        (tmp_path / "missing", "no such file"),
        (tmp_path, "no such file"),
        (text, "is not a wsload run file"),
        (empty, "is not a wsload run file"),
        (other, "is not a wsload run file"),
    ):
        with pytest.raises(RunFileError, match=what):
            read_summary(path)


def test_a_torn_file_is_said_to_be_torn(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    written(path).finish("completed", "")
    whole = path.read_bytes()
    for length in (100, 5_000, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(RunFileError):
            read_summary(path)


def test_a_newer_schema_asks_for_a_newer_wsload(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    written(path).finish("completed", "")
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(RunFileError, match=r"written by a newer wsload \(schema 2, this one reads up to 1\)"):
        read_summary(path)


def test_every_released_schema_stays_readable() -> None:
    for version in range(1, SCHEMA_VERSION + 1):
        summary = read_summary(FIXTURES / f"v{version}.wsload")
        assert (summary.outcome, summary.messages.sent, summary.seed) == ("completed", 200, "7f3a")
        assert summary.response_time is not None
        assert (summary.response_time.count, summary.response_time.min) == (4, 1_000)
