"""Events in the run file: as they were, each once, for any SQLite to read."""

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from recordings import SESSION, event, sent, write
from samples import make_header, make_interval
from wsload.errors import RunFileError
from wsload.results import RunFile, RunFileWriter, Why


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    with RunFile.open(write(tmp_path / "a.wsload", SESSION, events_seen=40)) as run:
        found = list(run.events())
        assert [one for _, one in found] == sorted(SESSION, key=lambda one: one.at_ns)
        assert run.count_events() == len(SESSION)
        assert (run.counter("events_seen"), run.counter("unheard_of")) == (40, 0)
        by_connection = run.events("connection = ?", [3], order="seq", limit=2)
        assert [one.kind for _, one in by_connection] == ["connect", "text"]


def test_an_event_kept_for_two_reasons_is_there_once_and_says_both(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    first, again = sent(1, "x", why=int(Why.SAMPLE)), sent(1, "x", why=int(Why.FAILURE), flags=4)
    writer = RunFileWriter.create(path, make_header())
    writer.append([make_interval(0, events=(first,)), make_interval(1, events=(again,))])
    writer.finish("completed", "")
    with RunFile.open(path) as run:
        ((_, found),) = run.events()
    assert found == first._replace(why=int(Why.SAMPLE | Why.FAILURE), flags=4)


def test_events_are_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(path, make_header())
    with pytest.raises(RunFileError):
        writer.append_events([sent(1, "x"), event(2, connection=None)])
    writer.close()
    with RunFile.open(path) as run:
        assert not list(run.events())


def test_a_reader_does_not_keep_a_run_from_ending(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(path, make_header())
    writer.append([make_interval(0, events=tuple(SESSION))])
    with RunFile.open(path) as run:
        reading = run.events()
        next(reading)
        writer.finish("completed", "")
    with RunFile.open(path) as run:
        assert (run.outcome, run.count_events()) == ("completed", len(SESSION))


def test_the_queries_of_the_page_work_in_plain_sqlite(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "run-file.md").read_text(encoding="utf-8")
    queries = [line.split('"')[1] for line in page.splitlines() if line.startswith("sqlite3 run.wsload")]
    assert len(queries) == 2
    path = write(tmp_path / "run.wsload", SESSION)
    for query in queries:
        with sqlite3.connect(path) as connection:
            connection.text_factory = bytes
            rows = connection.execute(query).fetchall()
        connection.close()
        assert rows
    assert rows[2] == (0.005, 3, b"", b"connect", b"")
    if shutil.which("sqlite3"):
        done = subprocess.run(["sqlite3", str(path), queries[1]], capture_output=True, check=True)
        assert b"hello" in done.stdout


def test_every_column_is_described(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "run-file.md").read_text(encoding="utf-8")
    path = write(tmp_path / "run.wsload", SESSION)
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
    connection.close()
    for column in columns:
        assert f"`{column}`" in page, column
