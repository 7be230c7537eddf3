"""Recordings that no load run made, as run files."""

from pathlib import Path

from wsload.results import Event, Header, RunFileWriter
from wsload.scenario import LoadModel, Scenario, build_plan
from wsload.timeline.har import read


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
    connections = len({event.connection for event in events}) or 1
    length_ns = max([event.at_ns for event in events], default=0)
    load = LoadModel(connections=connections, idle=True, duration_ns=max(length_ns, 1))
    scenario = Scenario(target=url, load=load, record=None, seed=0)
    header = Header.describe(scenario, build_plan(scenario), {"source": source}, 1)
    writer = RunFileWriter.create(output, header)
    try:
        writer.write_epoch(0, epoch_unix_ns)
        writer.append_events(events)
        writer.finish("completed", "")
    finally:
        writer.close()
