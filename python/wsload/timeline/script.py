"""Recorded connections as scripts that can be played again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from wsload.errors import UsageError
from wsload.results import Event, Flag, RunFile

_SECRET = re.compile(rb"\*\*\*([^*\r\n]+)\*\*\*")


@dataclass(frozen=True, slots=True)
class Step:
    """A message to send, `at_ns` after the recording's first connection began, once `after` replies have come."""

    at_ns: int
    kind: str
    payload: bytes
    after: int


@dataclass(frozen=True, slots=True)
class Script:
    """One recorded connection: when it began, what it sent, what it got."""

    connection: int
    attempt: int
    begin_ns: int
    steps: tuple[Step, ...]
    received: tuple[Event, ...]

    @property
    def needs(self) -> frozenset[str]:
        """Names of secrets that the recording does not hold."""
        found = {name.decode() for step in self.steps for name in _SECRET.findall(step.payload)}
        return frozenset(found)

    def filled(self, variables: Mapping[str, str], copy: int) -> tuple[Step, ...]:
        """The steps with secrets put in; `{copy}` in a value is the number of the copy."""

        def value(match: re.Match[bytes]) -> bytes:
            given = variables.get(match[1].decode())
            return match[0] if given is None else given.replace("{copy}", str(copy)).encode()

        return tuple(Step(s.at_ns, s.kind, _SECRET.sub(value, s.payload), s.after) for s in self.steps)


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


def missing_variables(scripts: Sequence[Script], redacted: bool, variables: Mapping[str, str]) -> list[str]:
    """Names of the secrets that the recording needs and nobody has given."""
    needed = frozenset().union(*(script.needs for script in scripts)) if redacted else frozenset()
    return sorted(needed - set(variables))


def has_secrets(run: RunFile) -> bool:
    """Whether secrets were replaced in what was sent."""
    return next(run.events("flags & ?", [int(Flag.REDACTED)], limit=1), None) is not None


def _script(events: list[Event]) -> Script:
    steps, received = [], []
    for event in events:
        if not event.is_message:
            continue
        if event.direction == "received":
            received.append(event)
            continue
        if event.flags & Flag.CUT:
            kept = f"of a message of {event.size} bytes only {len(event.payload)} were kept"
            raise UsageError(
                f"connection {event.connection}: {kept}",
                "Record again with a greater --record-payload, or leave the connection out with --conn.",
            )
        steps.append(Step(event.at_ns, event.kind, event.payload, len(received)))
    first = events[0]
    return Script(first.connection, first.attempt, first.at_ns, tuple(steps), tuple(received))


def _shifted(script: Script, begin_ns: int) -> Script:
    steps = tuple(Step(s.at_ns - begin_ns, s.kind, s.payload, s.after) for s in script.steps)
    return Script(script.connection, script.attempt, script.begin_ns - begin_ns, steps, script.received)


def _nothing(run: RunFile, incomplete: int) -> UsageError:
    if incomplete:
        what = f"{run.path}: no connection was recorded whole, {incomplete} in part"
        remedy = "Record with --record-connections 1/1, or play connections as far as they were kept with --conn."
        return UsageError(what, remedy)
    return UsageError(f"{run.path}: holds no connection with messages", "Record some: `wsload run` does by default.")
