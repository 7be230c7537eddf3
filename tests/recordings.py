"""Run files with events, for the tests of everything that reads a timeline."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from samples import make_header, make_interval
from wsload.results import Event, RunFileWriter

EPOCH_UNIX_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def event(at_ms: float, direction: str = "", kind: str = "text", payload: bytes | str = b"", **fields: Any) -> Event:
    """An event of connection 0; its payload is whole unless `size` says otherwise."""
    data = payload.encode() if isinstance(payload, str) else payload
    given = {
        "connection": 0,
        "attempt": 1,
        "seq": 0,
        "name": None,
        "size": len(data),
        "latency_ns": None,
        "code": None,
        "failure": None,
        "flags": 0,
        "why": 1,
    }
    return Event(at_ns=round(at_ms * MS), direction=direction, kind=kind, payload=data, **(given | fields))


def sent(at_ms: float, payload: bytes | str, **fields: Any) -> Event:
    """A message that went out."""
    return event(at_ms, "sent", fields.pop("kind", "text"), payload, **fields)


def received(at_ms: float, payload: bytes | str, **fields: Any) -> Event:
    """A message that came in."""
    return event(at_ms, "received", fields.pop("kind", "text"), payload, **fields)


def numbered(events: Iterable[Event]) -> list[Event]:
    """The same with `seq` counted up in each connection."""
    seen: dict[tuple[int, int], int] = {}
    found = []
    for one in events:
        key = (one.connection, one.attempt)
        found.append(one._replace(seq=seen.get(key, 0)))
        seen[key] = seen.get(key, 0) + 1
    return found


def write(path: Path, events: Iterable[Event], **counters: int) -> Path:
    """A finished run file with these events."""
    writer = RunFileWriter.create(path, make_header())
    writer.write_epoch(5_000, EPOCH_UNIX_NS)
    interval = make_interval(0)
    writer.append([make_interval(0, counters=interval.counters | counters, events=tuple(events))])
    writer.finish("completed", "")
    return path


SESSION = numbered(
    [
        event(0, "", "connect"),
        event(1, "", "open", "chat"),
        sent(10, '{"type":"hello","n":1}', name="hello"),
        received(12, '{"type":"welcome","n":1.50,"s":"é"}', latency_ns=2 * MS, name="hello"),
        sent(20, b"\x00\x01\xff", kind="binary"),
        received(45, '{"type":"error","code":7}', latency_ns=25 * MS),
        event(50, "received", "close", "bye", code=1001),
        event(51, "", "failed", "the server closed", failure="unexpected_close"),
        event(5, "", "connect", connection=3),
        sent(30, "plain\ntext", connection=3),
        received(31, "evil \x1b[2J\x07 \u202e", connection=3, latency_ns=MS),
    ]
)
