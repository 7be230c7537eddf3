"""The run file: one SQLite database per run. Its tables are described in docs/run-file.md.

Only this module opens one. A committed interval survives the death of anything: the file is in WAL mode while it
grows, and a reader sees every committed interval of a run that is still going on or was killed.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from wsload.errors import DiskFullError, RunFileError
from wsload.results.event import Event
from wsload.results.header import Header
from wsload.results.interval import Failure, Interval
from wsload.results.verdict import Reason
from wsload.results.widen import Widening

SCHEMA_VERSION = 1
APPLICATION_ID = 0x7773_6C64  # "wsld"
BUSY_TIMEOUT_S = 5.0
FINISH_TIMEOUT_MS = 500


@dataclass(frozen=True, slots=True)
class Note:
    """Something the engine had to say during the run, `at_ns` after the epoch."""

    at_ns: int
    kind: str
    text: str


class RunFileWriter:
    """Writes a run as it happens. Every method may raise RunFileError; the run may go on without its file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._widening: Widening | None = None

    def widen_with_age(self, budget_bytes: int) -> None:
        """From now on stored intervals are joined as they grow old, so that the file stays within a budget."""
        self._widening = Widening(budget_bytes)

    @classmethod
    def create(cls, path: Path, header: Header) -> Self:
        """Creates the file, mode 0600, and never overwrites one.

        Raises:
            RunFileError: it exists, or cannot be written there.
        """
        try:
            # SQLite would create it with the umask's mode: it must never have been readable by others.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            raise RunFileError(f"{path}: exists already", "Name another file with -o/--output.") from None
        except OSError as error:
            what = f"{path}: cannot be written: {error.strerror}"
            raise RunFileError(what, "Name a file in a folder you may write to with -o/--output.") from None
        with _reported(path):
            connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.executescript(f"BEGIN; {_schema()} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            writer = cls(path, connection)
            writer._put(header=header.model_dump_json())
        return writer

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Opens a file to go on with it: from now on it is unfinished again.

        Raises:
            RunFileError: it is no run file, or cannot be written.
        """
        with _reported(path):
            connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
            _check_schema(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("DELETE FROM meta WHERE key IN ('outcome', 'outcome_reason')")
            return cls(path, connection)

    def write_writer(self, writer: str) -> None:
        """Stores which process writes the file."""
        with _reported(self.path):
            self._put(writer=writer)

    def write_epoch(self, monotonic_ns: int, wall_unix_ns: int) -> None:
        """Stores the instant from which all times of the file count, on both clocks."""
        with _reported(self.path):
            self._put(epoch_monotonic_ns=str(monotonic_ns), epoch_unix_ns=str(wall_unix_ns))

    def append(self, intervals: Iterable[Interval]) -> None:
        """Stores intervals, all or none."""
        with _reported(self.path), self._transaction() as connection:
            for interval in intervals:
                _insert(connection, interval)
                if self._widening and interval.start_ns >= 0:
                    read, write = partial(_read_interval, connection), partial(_insert, connection)
                    self._widening.step(connection, interval.end_ns, read, write)

    def append_events(self, events: Iterable[Event]) -> None:
        """Stores events that belong to no interval, all or none."""
        with _reported(self.path), self._transaction() as connection:
            _insert_events(connection, events)

    def note(self, note: Note) -> None:
        """Stores a note."""
        with _reported(self.path):
            row = (note.at_ns, note.kind, note.text)
            self._connection.execute("INSERT INTO notes (at_ns, kind, text) VALUES (?, ?, ?)", row)

    def finish(self, outcome: str, reason: str) -> None:
        """Marks the run as over and leaves a single file behind."""
        with _reported(self.path):
            self._put(outcome=outcome, outcome_reason=reason)
            # Whoever reads the file at this moment keeps it from becoming one; it is complete all the same.
            self._connection.execute(f"PRAGMA busy_timeout = {FINISH_TIMEOUT_MS}")
            with contextlib.suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()

    def close(self) -> None:
        """Lets go of the file as it is: unfinished, unless `finish` came before."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _put(self, **values: str) -> None:
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled the transaction back already.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise


class RunFile:
    """A run file to read; the run may be over, going on, or have been killed."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        self.header = Header.model_validate_json(meta["header"])
        self.outcome: str | None = meta.get("outcome")
        self.outcome_reason: str = meta.get("outcome_reason", "")
        self.epoch_unix_ns = int(meta["epoch_unix_ns"]) if "epoch_unix_ns" in meta else None

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Opens a file for reading.

        Raises:
            RunFileError: there is none, it is something else, or a newer wsload wrote it.
        """
        if not path.is_file():
            raise RunFileError(f"{path}: no such file", "Name a file that `wsload run` has written.")
        with _reported(path), contextlib.closing(_connect(path)) as connection:
            _check_schema(path, connection)
            try:
                run = cls(path, connection)
            except (KeyError, ValueError, ValidationError):
                raise RunFileError(f"{path}: its header is damaged", "It cannot be read.") from None
            yield run

    @property
    def writer(self) -> str | None:
        """The process that writes the file, or did."""
        with _reported(self.path):
            row = self._connection.execute("SELECT value FROM meta WHERE key = 'writer'").fetchone()
            return None if row is None else str(row[0])

    def measured_ns(self) -> int:
        """How long the schedule has run after the warm-up, all parts together."""
        with _reported(self.path):
            query = """SELECT coalesce(sum(value), 0) FROM gauges JOIN intervals ON id = interval_id
                WHERE name = 'running_ns' AND NOT warmup AND start_ns >= 0"""
            (total,) = self._connection.execute(query).fetchone()
            return int(total)

    def last_attempt(self) -> int:
        """The greatest number of an attempt in the timeline, or 0."""
        with _reported(self.path):
            (number,) = self._connection.execute("SELECT coalesce(max(attempt), 0) FROM events").fetchone()
            return int(number)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end, however it ended."""
        return self.outcome is not None

    @property
    def end_ns(self) -> int:
        """Where the last committed interval ends; 0 when there is none."""
        with _reported(self.path):
            (end_ns,) = self._connection.execute("SELECT coalesce(max(end_ns), 0) FROM intervals").fetchone()
            return int(end_ns)

    def intervals(self, from_ns: int | None = None) -> Iterator[Interval]:
        """Committed intervals in order, all or those that begin at `from_ns` or later.

        Warm-up counts come before those of the same interval's rest.
        """
        query = (
            "SELECT id, idx, warmup, start_ns, end_ns FROM intervals WHERE ?1 IS NULL OR start_ns >= ?1"
            " ORDER BY idx, warmup DESC"
        )
        for row in self._connection.execute(query, (from_ns,)):
            yield _read_interval(self._connection, row)

    def notes(self) -> list[Note]:
        """Notes in order."""
        return [Note(*row) for row in self._connection.execute("SELECT at_ns, kind, text FROM notes ORDER BY id")]

    def events(
        self, where: str = "1", parameters: Iterable[object] = (), *, order: str = "at_ns, id", limit: int = -1
    ) -> Iterator[tuple[int, Event]]:
        """Events with their numbers, those for which an SQL condition over the columns of `events` holds."""
        columns = ", ".join(Event._fields)
        query = f"SELECT id, {columns} FROM events WHERE {where} ORDER BY {order} LIMIT {int(limit)}"  # noqa: S608 - ours
        with _reported(self.path):
            for number, *row in self._connection.execute(query, tuple(parameters)):
                yield number, Event._make(row)

    def count_events(self) -> int:
        """How many events the file has: none is ever taken out, so the last number tells."""
        with _reported(self.path):
            (count,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
            return int(count)

    def counter(self, name: str) -> int:
        """The sum of a counter over the whole file, warm-up and ramp included."""
        with _reported(self.path):
            query = "SELECT coalesce(sum(value), 0) FROM counters WHERE name = ?"
            (total,) = self._connection.execute(query, (name,)).fetchone()
            return int(total)

    def add_function(self, name: str, function: Callable[[bytes], bool]) -> None:
        """Makes a pure function of a payload known to conditions."""
        self._connection.create_function(name, 1, function, deterministic=True)


def _read_interval(connection: sqlite3.Connection, row: Sequence[int]) -> Interval:
    interval_id, index, warmup, start_ns, end_ns = row

    def rows(columns: str, table: str) -> sqlite3.Cursor:
        query = f"SELECT {columns} FROM {table} WHERE interval_id = ?"  # noqa: S608 - both are constants
        return connection.execute(query, (interval_id,))

    return Interval(
        index=index,
        warmup=bool(warmup),
        start_ns=start_ns,
        end_ns=end_ns,
        counters=dict(rows("name, value", "counters")),
        gauges=dict(rows("name, value", "gauges")),
        close_codes=dict(rows("code, count", "close_codes")),
        failures=tuple(Failure(*row) for row in rows("kind, detail, count, first_ns, example", "failures")),
        negotiated={(aspect, value): n for aspect, value, n in rows("aspect, value, count", "negotiated")},
        histograms={(m, name): blob for m, name, blob in rows("metric, message, encoded", "histograms")},
        suspicions=tuple(Reason.model_validate_json(text) for (text,) in rows("reason", "suspicions")),
    )


def _insert(connection: sqlite3.Connection, interval: Interval) -> None:
    row = (interval.index, int(interval.warmup), interval.start_ns, interval.end_ns)
    query = "INSERT INTO intervals (idx, warmup, start_ns, end_ns) VALUES (?, ?, ?, ?)"
    number = connection.execute(query, row).lastrowid
    for table, values in (
        ("counters", interval.counters),
        ("gauges", interval.gauges),
        ("close_codes", interval.close_codes),
    ):
        # A zero is what an absent row means.
        present = [(number, key, value) for key, value in values.items() if value]
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", present)  # noqa: S608 - constants
    histograms = [(number, *key, encoded) for key, encoded in interval.histograms.items()]
    connection.executemany("INSERT INTO histograms VALUES (?, ?, ?, ?)", histograms)
    negotiated = [(number, *key, count) for key, count in interval.negotiated.items()]
    connection.executemany("INSERT INTO negotiated VALUES (?, ?, ?, ?)", negotiated)
    failures = [(number, f.kind, f.detail, f.count, f.first_ns, f.example) for f in interval.failures]
    suspicions = [(number, reason.kind, reason.model_dump_json()) for reason in interval.suspicions]
    connection.executemany("INSERT INTO suspicions VALUES (?, ?, ?)", suspicions)
    connection.executemany("INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?)", failures)
    _insert_events(connection, interval.events)


def _insert_events(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    # An event may be kept for several reasons, one after the other.
    query = f"""INSERT INTO events ({", ".join(Event._fields)}) VALUES ({", ".join("?" * len(Event._fields))})
        ON CONFLICT (connection, attempt, seq) DO UPDATE SET why = why | excluded.why, flags = flags | excluded.flags"""  # noqa: S608 - names of columns
    connection.executemany(query, events)


def _connect(path: Path) -> sqlite3.Connection:
    """Opens for reading: through the WAL where there is one, and without touching a finished file."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        # A killed run's WAL in a folder that may not be written to: read what the main file holds.
        connection.close()
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    return connection


def _check_schema(path: Path, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID or version < 1:
        raise RunFileError(f"{path}: is not a wsload run file", "Name a file that `wsload run` has written.")
    if version > SCHEMA_VERSION:
        what = f"{path}: was written by a newer wsload (schema {version}, this one reads up to {SCHEMA_VERSION})"
        raise RunFileError(what, "Read it with the version that wrote it, or a later one.")


def _schema() -> str:
    return files("wsload.results").joinpath("schema.sql").read_text(encoding="utf-8")


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turns what SQLite says into what a person can use."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "not a database" in text or "malformed" in text:
            raise RunFileError(f"{path}: is not a wsload run file", "It may be torn or something else.") from None
        if "full" in text:
            raise DiskFullError(f"{path}: the disk is full", "Free some space, or write elsewhere.") from None
        remedy = "Check the disk and the folder's permissions."
        raise RunFileError(f"{path}: {text}", remedy) from None
