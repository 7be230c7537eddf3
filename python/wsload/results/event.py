"""One event of the timeline, as the run file keeps it."""

from enum import IntFlag
from typing import NamedTuple


class Flag(IntFlag):
    """What is special about an event's payload or place."""

    CUT = 1
    """It was longer than what is kept of it."""
    REDACTED = 2
    """A secret in it was replaced by `***NAME***`."""
    OUT_OF_REACH = 4
    """The connection's earlier events were not there any more."""


class Why(IntFlag):
    """Why an event was kept; reasons add up."""

    CONNECTION = 1
    """Its connection is recorded whole."""
    FAILURE = 2
    """It led to, or followed, a failure."""
    SLOW = 4
    """It led to a reply that took unusually long."""
    SAMPLE = 8
    """It is part of a sampled exchange."""


class Event(NamedTuple):
    """Something on a connection. In the order of the columns of the table `events`, but for its `id`."""

    at_ns: int
    """After the epoch: arrival in the kernel, or the instant it was handed to it."""
    connection: int
    """Slot over the whole run."""
    attempt: int
    """Which of the slot's connections, from 1."""
    seq: int
    """Which of that connection's events, from 0; where numbers are missing, events were not kept."""
    direction: str
    """`sent`, `received`, or empty for what became of the connection."""
    kind: str
    """connect, open, text, binary, ping, pong, close, failed, end, step."""
    name: str | None
    """Of the message."""
    size: int
    """Payload bytes, kept or not."""
    latency_ns: int | None
    """Of the exchange that it ends: from the intended send."""
    code: int | None
    """Of a close."""
    failure: str | None
    """Kind of a failure."""
    flags: int
    """Bits of `Flag`."""
    why: int
    """Bits of `Why`."""
    payload: bytes
    """What is kept of it; of `close` the reason, of `failed` what happened, of `open` the subprotocol."""

    @property
    def is_message(self) -> bool:
        """Whether it is a text or binary message."""
        return self.kind in {"text", "binary"}
