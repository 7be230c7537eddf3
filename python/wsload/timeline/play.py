"""The run that plays a recording: its plan, and how it kept the recording's times."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from wsload import _core
from wsload.errors import UsageError
from wsload.results import Event, RunFile
from wsload.scenario import Plan, Recording, ReplayLoad, Scenario, build_plan
from wsload.timeline.script import Script, Step

MAX_SCRIPT_BYTES = 160 << 20
LEAST_PAYLOAD_BYTES = 64 << 10
MAX_PAYLOAD_BYTES = 1 << 20
EVENT_BYTES = 256
LEAST_LIMIT_BYTES = 64 << 20
MAX_LIMIT_BYTES = 1 << 40
PURSES = 4 * 16
"""Whole connections may take a quarter of the limit, and in one interval a sixteenth of that."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When messages go out. `speed` 0: at once."""

    speed: float = 1.0
    wait_replies: bool = False


def recording_of(scripts: Sequence[Script], copies: int) -> Recording:
    """Everything is kept: room for several times what was recorded, and payloads longer than any of then."""
    events = [event for script in scripts for event in script.received]
    sizes = [event.size for event in events] + [len(step.payload) for script in scripts for step in script.steps]
    longest = max([*sizes, LEAST_PAYLOAD_BYTES // 2])
    expected = copies * sum(size + EVENT_BYTES for size in sizes)
    return Recording(
        one_in=1,
        on_error=False,
        on_close=False,
        slow_quantile=None,
        payload_bytes=min(2 * longest, MAX_PAYLOAD_BYTES),
        limit_bytes=min(max(4 * expected * PURSES, LEAST_LIMIT_BYTES * PURSES), MAX_LIMIT_BYTES),
    )


def plan_of(
    scenario: Scenario, scripts: Sequence[Script], pace: Pace, *, copies: int, variables: Mapping[str, str]
) -> Plan:
    """The scenario's plan, with the recording in the place of its load.

    Raises:
        UsageError: the recording is too long to be handed to workers.
    """
    names = sorted({step.name for script in scripts for step in script.messages})
    script = json.dumps({"parts": [_part(script, names, variables) for script in scripts]}, separators=(",", ":"))
    if len(script) > MAX_SCRIPT_BYTES:
        what = f"the recording takes {len(script) >> 20} MiB as a script"
        raise UsageError(what, f"{MAX_SCRIPT_BYTES >> 20} MiB is the most: choose connections with --conn.")
    answered = any(place is not None for script in scripts for place in script.answers)
    plan = build_plan(scenario)
    updates: dict[str, object] = {
        "load": ReplayLoad(speed=pace.speed, wait_replies=pace.wait_replies, names=tuple(names), script=script),
        "message": None,
        "matching": "order" if answered else "none",
        "duration_ns": None,
        "iterations": max(copies * sum(len(script.messages) for script in scripts), 1),
    }
    if plan.record is not None:
        updates["record"] = plan.record.model_copy(update={"exchanges": 0})
    return plan.model_copy(update=updates)


def _part(script: Script, names: Sequence[str], variables: Mapping[str, str]) -> dict[str, object]:
    answered = set(script.answers)
    steps = [
        {"at_ns": step.at_ns, "after": step.after, "act": _act(step, names, variables, answered=number in answered)}
        for number, step in enumerate(script.steps)
    ]
    pairs = zip(script.received, script.answers, strict=True)
    received = [{"key": _core.payload_key(event.payload), "answers": place} for event, place in pairs]
    closed = script.closed_by_server
    return {"begin_ns": script.begin_ns, "steps": steps, "received": received, "closed_by_server": closed}


def _act(step: Step, names: Sequence[str], variables: Mapping[str, str], *, answered: bool) -> object:
    if step.kind == "end":
        return "end"
    if step.kind == "close":
        return {"close": {"code": step.code, "reason": step.payload.decode(errors="ignore")}}
    if step.kind == "ping":
        return {"ping": {"payload": _base64(step.payload)}}
    message = {
        "binary": step.kind == "binary",
        "name": names.index(step.name),
        "pieces": [_base64(piece) for piece in step.pieces(variables)],
        "stored": _base64(step.payload) if step.secret else None,
        "answered": answered,
    }
    return {"send": message}


def _base64(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


def messages_by_connection(run: RunFile, connections: int, direction: str) -> Iterator[list[Event]]:
    """The messages that each connection sent or received, in order."""
    where = "direction = ? AND kind IN ('text', 'binary')"
    events = (event for _, event in run.events(where, [direction], order="connection, attempt, seq"))
    groups = groupby(events, lambda event: event.connection)
    number = -1
    for connection, group in groups:
        for _ in range(number + 1, connection):
            yield []
        yield list(group)
        number = connection
    for _ in range(number + 1, connections):
        yield []


def lateness_ns(run: RunFile, scripts: Sequence[Script], speed: float, connections: int) -> list[int]:
    """How much later than recorded each message went out, in order of size."""
    steps = [step.at_ns for script in scripts for step in script.steps if step.kind in {"text", "binary", "ping"}]
    origin_ns = min(steps, default=0)
    late: list[int] = []
    for number, out in enumerate(messages_by_connection(run, connections, "sent")):
        planned = scripts[number % len(scripts)].messages
        late += [
            event.at_ns - round((step.at_ns - origin_ns) / speed) for event, step in zip(out, planned, strict=False)
        ]
    return sorted(late)
