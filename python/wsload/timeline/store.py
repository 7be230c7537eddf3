"""Recordings that no load run made, as run files."""

import os
from pathlib import Path

from wsload.errors import UsageError
from wsload.results import Event, Header, RunFileWriter
from wsload.scenario import LoadModel, Scenario, build_plan
from wsload.timeline.har import export, read


def import_har(source: Path, output: Path) -> tuple[int, int]:
    """Writes the WebSocket connections of a HAR file to a new run file; how many connections and messages.

    Raises:
        UsageError: it is no HAR file with WebSocket messages, or holds what is none.
        RunFileError: the output exists or cannot be written.
    """
    recording = read(source)
    save(output, recording.url, recording.epoch_unix_ns, recording.events, source=source.name)
    return recording.connections, sum(event.is_message for event in recording.events)


def save(output: Path, url: str, epoch_unix_ns: int, events: list[Event], *, source: str) -> None:
    """Writes events to a new run file, with `source` as its label.

    Raises:
        UsageError: the URL is none of a WebSocket service.
        RunFileError: the output exists or cannot be written.
    """
    writer = RunFileWriter.create(output, make_header(url, events, source))
    try:
        writer.write_epoch(0, epoch_unix_ns)
        writer.append_events(events)
        writer.finish("completed", "")
    finally:
        writer.close()


def save_har(output: Path, url: str, epoch_unix_ns: int, events: list[Event]) -> None:
    """Writes events to a new HAR file, mode 0600.

    Raises:
        UsageError: the file exists or cannot be written.
    """
    document = export(make_header(url, events, "wsload"), epoch_unix_ns, events)
    try:
        descriptor = os.open(output, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(document)
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror}", "Name another file with -o/--output.") from None


def make_header(url: str, events: list[Event], source: str) -> Header:
    """The header of a file that no load run made."""
    connections = len({event.connection for event in events}) or 1
    length_ns = max([event.at_ns for event in events], default=0)
    load = LoadModel(connections=connections, idle=True, duration_ns=max(length_ns, 1))
    scenario = Scenario(target=url, load=load, record=None, seed=0)
    return Header.describe(scenario, build_plan(scenario), {"source": source}, 1)
