"""Recorded connections as scripts that can be played again."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from wsload.errors import UsageError
from wsload.results import Event, Flag, RunFile

_SECRET = re.compile(rb"\*\*\*([^*\r\n]+)\*\*\*")
UNNAMED = "message"
SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1012)})
NORMAL = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a connection did `at_ns` after the recording's first connection began.

    `after` messages had come by then.
    """

    at_ns: int
    kind: str
    """text, binary, ping, close or end, which is nothing but the end of the recording."""
    payload: bytes
    after: int
    name: str = UNNAMED
    code: int = NORMAL
    secret: bool = False
    """Names of secrets stand in the payload in the place of their values."""

    @property
    def is_message(self) -> bool:
        """Whether it sends a text or binary message."""
        return self.kind in {"text", "binary"}

    def pieces(self, variables: Mapping[str, str]) -> list[bytes]:
        """The payload with secrets put in, cut where the number of a copy stands: `{copy}` in a value."""
        if not self.secret:
            return [self.payload]

        def value(match: re.Match[bytes]) -> bytes:
            given = variables.get(match[1].decode(errors="replace"))
            return match[0] if given is None else b"\0copy\0".join(part.encode() for part in given.split("{copy}"))

        return _SECRET.sub(value, self.payload).split(b"\0copy\0")


@dataclass(frozen=True, slots=True)
class Script:
    """One recorded connection: when it began, what it did, what it got, and which message each of these answered."""

    connection: int
    attempt: int
    begin_ns: int
    steps: tuple[Step, ...]
    received: tuple[Event, ...]
    answers: tuple[int | None, ...] = ()
    """By message received: the step that it answers."""
    closed_by_server: bool = False

    @property
    def messages(self) -> list[Step]:
        """What it sent."""
        return [step for step in self.steps if step.is_message]

    @property
    def needs(self) -> frozenset[str]:
        """Names of secrets that the recording does not hold."""
        names = (name for step in self.steps if step.secret for name in _SECRET.findall(step.payload))
        return frozenset(name.decode(errors="replace") for name in names)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What of a file can be played."""

    scripts: tuple[Script, ...]
    incomplete: int
    """Connections of which events are missing."""


def read_scripts(run: RunFile, connections: Sequence[tuple[int, int | None]]) -> Recorded:
    """The connections of a recording that were kept whole, or those asked for as far as they were kept.

    Raises:
        UsageError: there is nothing to play, or a message was cut.
    """

    def connection(event: Event) -> tuple[int, int]:
        return event.connection, event.attempt

    events = (event for _, event in run.events(order="connection, attempt, seq"))
    scripts, incomplete = [], 0
    for key, group in groupby(events, connection):
        own = list(group)
        wanted = any(slot == key[0] and attempt in {None, key[1]} for slot, attempt in connections)
        if connections and not wanted:
            continue
        if not any(event.is_message for event in own):
            continue
        if not connections and own[-1].seq != len(own) - 1:
            incomplete += 1
            continue
        scripts.append(_script(own))
    if not scripts:
        raise _nothing(run, incomplete)
    begin_ns = min(script.begin_ns for script in scripts)
    return Recorded(tuple(_shifted(script, begin_ns) for script in scripts), incomplete)


def missing_variables(scripts: Sequence[Script], variables: Mapping[str, str]) -> list[str]:
    """Names of the secrets that the recording needs and nobody has given."""
    needed = frozenset().union(*(script.needs for script in scripts))
    return sorted(needed - set(variables))


def _script(events: list[Event]) -> Script:
    steps: list[Step] = []
    received: list[Event] = []
    closing = closed_by_server = False
    for event in events:
        if event.direction == "received" and event.is_message:
            received.append(event)
        elif closing:
            continue
        elif event.direction == "received" and event.kind == "close":
            closing = closed_by_server = True
        elif event.direction == "sent" and (step := _step(event, len(received))):
            # A Close is told with the instant at which its turn began.
            steps.append(replace(step, at_ns=max(step.at_ns, steps[-1].at_ns)) if steps else step)
            closing = event.kind == "close"
    if not steps or steps[-1].kind != "close":
        steps.append(Step(max(event.at_ns for event in events), "end", b"", len(received)))
    first = events[0]
    answers = tuple(_answers(steps, received, events))
    return Script(
        first.connection, first.attempt, first.at_ns, tuple(steps), tuple(received), answers, closed_by_server
    )


def _step(event: Event, after: int) -> Step | None:
    """What is to be done again; pongs answer pings by themselves."""
    if event.is_message and event.flags & Flag.CUT:
        kept = f"of a message of {event.size} bytes only {len(event.payload)} were kept"
        raise UsageError(
            f"connection {event.connection}: {kept}",
            "Record again with a greater --record-payload, or leave the connection out with --conn.",
        )
    if event.kind not in {"text", "binary", "ping", "close"}:
        return None
    code = event.code if event.code in SENDABLE or 3000 <= (event.code or 0) < 5000 else NORMAL
    secret = bool(event.flags & Flag.REDACTED)
    return Step(event.at_ns, event.kind, event.payload, after, event.name or UNNAMED, code or NORMAL, secret)


def _answers(steps: Sequence[Step], received: Sequence[Event], events: Sequence[Event]) -> Iterator[int | None]:
    """Which step each message answers, as far as the recording shows it.

    A reply has a latency, so the instant of its message's intended send is known: the first message from then on that
    has no answer yet is the one. Without latencies, as in a HAR file, a strict exchange of one for one shows it.
    """
    waiting = [number for number, step in enumerate(steps) if step.is_message]
    if not any(event.latency_ns is not None for event in received):
        ways = [event.direction for event in events if event.is_message]
        in_turn = all(way == ("received" if place % 2 else "sent") for place, way in enumerate(ways))
        yield from (waiting.pop(0) if in_turn and waiting else None for _ in received)
        return
    for event in received:
        found = None
        if event.latency_ns is not None:
            intended_ns = event.at_ns - event.latency_ns
            out = (number for number in waiting if intended_ns <= steps[number].at_ns <= event.at_ns)
            found = next(out, None)
        if found is not None:
            waiting.remove(found)
        yield found


def _shifted(script: Script, begin_ns: int) -> Script:
    steps = tuple(replace(step, at_ns=step.at_ns - begin_ns) for step in script.steps)
    return replace(script, begin_ns=script.begin_ns - begin_ns, steps=steps)


def _nothing(run: RunFile, incomplete: int) -> UsageError:
    if incomplete:
        what = f"{run.path}: no connection was recorded whole, {incomplete} in part"
        remedy = "Record with --record-connections 1/1, or play connections as far as they were kept with --conn."
        return UsageError(what, remedy)
    return UsageError(f"{run.path}: holds no connection with messages", "Record some: `wsload run` does by default.")
