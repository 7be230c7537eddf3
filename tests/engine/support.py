"""What the tests of the engine share: plans, interval blocks, a sink that remembers, processes to wait for."""

import json
import os
import select
import struct
from dataclasses import dataclass, field
from pathlib import Path

from wsload import _core
from wsload.results import Interval, Note
from wsload.scenario import LoadModel, Plan, Scenario, build_plan

SECOND = 10**9


def make_plan(
    url: str = "ws://127.0.0.1:9/echo", reply_timeout_ns: int = SECOND, **load: int | float | bool | None
) -> Plan:
    """A plan as the command line would make it; `load` holds fields of LoadModel."""
    model = LoadModel.model_validate({"connections": 1, "duration_ns": SECOND, **load})
    return build_plan(Scenario(target=url, reply_timeout_ns=reply_timeout_ns, load=model, seed=7))


@dataclass
class Span:
    """Which interval a block is of."""

    index: int
    start_ns: int
    end_ns: int
    warmup: bool = False


def make_block(span: Span, open_connections: int = 0, **counters: int) -> bytes:
    """A block without histograms, written from its description in `interval/block.rs`."""
    header = {
        "index": span.index,
        "warmup": span.warmup,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "counters": dict.fromkeys(_core.COUNTERS, 0) | counters,
        "gauges": dict.fromkeys(_core.GAUGES, 0) | {"open_connections": open_connections},
        "close_codes": {},
        "failures": [],
        "negotiated": [],
        "histograms": [],
        "event_names": [],
        "event_bytes": 0,
    }
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text


@dataclass
class Remembering:
    """A sink that keeps what it is told, in order."""

    states: list[str] = field(default_factory=list)
    ramp: list[int] = field(default_factory=list)
    epochs: list[tuple[int, int]] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def on_state(self, state: str) -> None:
        self.states.append(state)

    def on_ramp(self, open_connections: int) -> None:
        self.ramp.append(open_connections)

    def on_epoch(self, monotonic_ns: int, unix_ns: int) -> None:
        self.epochs.append((monotonic_ns, unix_ns))

    def on_interval(self, interval: Interval) -> None:
        self.intervals.append(interval)

    def on_note(self, note: Note) -> None:
        self.notes.append(note)

    def sent(self) -> list[int]:
        """Messages sent, by interval."""
        return [interval.counters["sent"] for interval in self.intervals]


def children() -> list[int]:
    """Processes that this one has started and not waited for."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()]


def ends_within(pid: int, seconds: float) -> bool:
    """Whether a process, not necessarily a child, ends in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
