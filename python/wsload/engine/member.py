"""A member of a fleet: a worker process of this machine, or a node with workers of its own."""

from collections.abc import AsyncIterator
from typing import Protocol

from wsload.engine.channel import RecordType


class Member(Protocol):
    """One worker, as its fleet sees it."""

    number: int
    state: str
    error: str
    """Why it is no good, as far as it or the fleet could say."""
    completed: int
    """Number of the last interval of which it has handed up everything."""
    open_connections: int
    silent_s: float
    """For how long nothing has been heard of it."""
    ended: bool
    joining: bool
    """It takes the place of another one, and is not as far as the rest yet."""

    @property
    def pid(self) -> int | None:
        """Its process, if it is one of this machine."""

    def send(self, **command: object) -> None:
        """Sends a command; one that is dead swallows it."""

    def records(self) -> AsyncIterator[tuple[RecordType, bytes]]:
        """What it says, to the end.

        Raises:
            ChannelError: what came is no record.
        """

    def give_up(self, why: str) -> None:
        """Kills it, unless it has ended; the first reason stays."""

    def kill(self) -> None:
        """Ends it without ado."""

    async def gone(self) -> None:
        """Waits until it is gone and its last words are read."""

    @property
    def is_done(self) -> bool:
        """Whether it ended as it should."""

    @property
    def last_words(self) -> str:
        """Why it ended, if anybody could say."""

    def obituary(self, count: int, connections: int, *, replaced: bool = False) -> str:
        """What a person should know of its loss; call it when it is gone."""
