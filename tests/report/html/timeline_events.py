"""Run files with messages in them."""

from pathlib import Path

from report.export_samples import HOSTILE
from report.html.pages import busy_interval
from samples import SECOND, make_header
from wsload.results import Event, RunFileWriter


def numbered(number: int, *, padding: str = "", last: bool = False) -> Event:
    """One event a tenth of a second after the other, over ten connections: sent and received in turn."""
    word = "odd one" if number % 2 else "even one"
    text = f"number {number}! {word} {HOSTILE if last else ''}{padding}".encode()
    binary = number == 500
    payload = b"\x00\x01\xff" if binary else text
    return Event(
        at_ns=number * SECOND // 10,
        connection=number % 10,
        attempt=1,
        seq=number // 10,
        direction="received" if number % 2 else "sent",
        kind="binary" if binary else "text",
        name="say",
        size=len(payload),
        latency_ns=80_000 if number % 2 else None,
        code=None,
        failure=None,
        flags=0,
        why=1,
        payload=payload,
    )


def begun(path: Path, count: int, *, padding: str = "", seconds: int = 3) -> RunFileWriter:
    """The file of a run that goes on, with so many of them."""
    writer = RunFileWriter.create(path, make_header())
    writer.append([busy_interval(second) for second in range(seconds)])
    writer.append_events(numbered(number, padding=padding, last=number == count - 1) for number in range(count))
    return writer


def write_events(path: Path, count: int, *, padding: str = "") -> Path:
    """The file of a run that is over."""
    begun(path, count, padding=padding).finish("completed", "")
    return path
