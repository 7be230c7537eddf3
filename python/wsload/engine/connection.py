"""What a scenario in Python sees: its connection, messages, and what goes wrong with them."""

import json
import random
import re
from collections.abc import AsyncIterator, Iterator, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self

from wsload._core import JsonPath, Scripts
from wsload.scenario.script import MESSAGE, OPENING
from wsload.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Generator

Outgoing = str | bytes | bytearray | dict[str, Any] | list[Any]
"""Text, a binary message, or what becomes a JSON text."""
Span = float | str
"""Seconds, or a text such as `200ms`."""

GONE, OTHER = 1, 2
_MOST_AT_ONCE = 64
"""Things a script does in a row before other connections have their turn."""
_SHOWN = 300


class ConnectionClosedError(Exception):
    """The connection is gone. What leaves a scenario with it has been counted already."""


class NoReplyError(TimeoutError):
    """The reply to a message has not come in time; it has been counted as unanswered."""


class NoMessageError(TimeoutError):
    """No message came while one was waited for."""


class ExpectationError(AssertionError):
    """A message is not what it should be."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came in."""

    data: bytes
    """Its payload."""
    is_text: bool

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.data.decode("utf-8", "replace")

    def json(self) -> Any:
        """The payload as JSON.

        Raises:
            ExpectationError: it is none.
        """
        try:
            return json.loads(self.data)
        except ValueError:
            raise ExpectationError(f"expected JSON, got {self.shown}") from None

    @property
    def shown(self) -> str:
        """Its beginning, for a person."""
        return self.text[:_SHOWN] + (" …" if len(self.data) > _SHOWN else "")

    def expect(
        self,
        *,
        type: Literal["text", "binary"] | None = None,  # noqa: A002 - as in scenario files
        equals: str | bytes | None = None,
        contains: str | bytes | None = None,
        regex: str | None = None,
        json: dict[str, Any] | None = None,
    ) -> Self:
        """Itself, if all that is given holds; `json`: JSONPath (RFC 9535) to the value that it must find.

        Raises:
            ExpectationError: what does not hold, with the message.
        """
        unmet = None
        if type is not None and self.is_text != (type == "text"):
            unmet = f"a {type} message"
        elif equals is not None and self.data != _bytes(equals):
            unmet = repr(equals)
        elif contains is not None and _bytes(contains) not in self.data:
            unmet = f"{contains!r} in it"
        elif regex is not None and not _pattern(regex).search(self.data):
            unmet = f"/{regex}/ in it"
        else:
            for path, wanted in (json or {}).items():
                if not any(_same(found, wanted) for found in _path(path).all(self.data)):
                    unmet = f"{path} == {wanted!r}"
                    break
        if unmet is not None:
            raise ExpectationError(f"expected {unmet}, got {self.shown}")
        return self


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _same(found: str, wanted: Any) -> bool:
    return bool(json.loads(found) == wanted)


@lru_cache(maxsize=1024)
def _pattern(expression: str) -> "re.Pattern[bytes]":
    return re.compile(expression.encode())


@lru_cache(maxsize=1024)
def _path(text: str) -> JsonPath:
    return JsonPath(text)


@lru_cache(maxsize=1024)
def span_ns(span: Span) -> int:
    """Nanoseconds of a time span.

    Raises:
        UsageError: a text that is none.
    """
    return parse_duration(span) if isinstance(span, str) else round(span * 1e9)


class Pending:
    """What a scenario waits for when it waits for its connection."""

    __slots__ = ()

    def __await__(self) -> "Generator[Self, Any, Any]":
        return (yield self)


PENDING = Pending()


class Variables(MutableMapping[str, str]):
    """Variables of a connection, as texts. What is set lives as long as the connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def __getitem__(self, name: str) -> str:
        value = self._connection.core.variable(self._connection.index, self._place(name))
        if value is None:
            raise KeyError(f"the variable {name} holds nothing")
        return value.decode()

    def __setitem__(self, name: str, value: str) -> None:
        self._connection.core.set_variable(self._connection.index, self._place(name), str(value).encode())

    def __delitem__(self, name: str) -> None:
        raise TypeError("a variable cannot be removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._connection.shared.variables)

    def __len__(self) -> int:
        return len(self._connection.shared.variables)

    def _place(self, name: str) -> int:
        place = self._connection.shared.variables.get(name)
        if place is None:
            known = ", ".join(self._connection.shared.variables) or "none"
            raise KeyError(f"there is no variable {name}: declare it in variables=… (there are {known})")
        return place


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a worker share."""

    core: Scripts
    names: dict[str, int]
    variables: dict[str, int]
    seed: int
    connections: int
    reply_timeout_ns: int
    iterates: bool
    matches: dict[str | tuple[str, str], int]


class Slot:
    """A connection's place in the run: what lives on when it is opened again."""

    __slots__ = ("ids", "index", "number", "random", "shared")

    def __init__(self, shared: Shared, index: int) -> None:
        self.shared = shared
        self.index = index
        self.number = shared.core.number_of(index)
        self.ids = 0
        self.random: random.Random | None = None


class Connection:
    """One WebSocket connection of the run. Everything awaited here is timed in the engine."""

    __slots__ = ("_burst", "_iterating", "_slot", "closing", "core", "index", "number", "shared")

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self.shared = slot.shared
        self.core = slot.shared.core
        self.index = slot.index
        self.number: int = slot.number
        """Its number over the whole run, from 0: the same on any number of workers."""
        self._burst = 0
        self._iterating = not slot.shared.iterates
        self.closing = False

    @property
    def variables(self) -> Variables:
        """Values of the scenario's variables on this connection: given, of its data row, captured by rules, or set."""
        return Variables(self)

    @property
    def random(self) -> random.Random:
        """Draws the same values whenever the seed is the same, on any number of workers; goes on over reconnects."""
        if self._slot.random is None:
            self._slot.random = random.Random(f"{self.shared.seed}:{self.number}")  # noqa: S311 - to be repeated
        return self._slot.random

    def next_id(self) -> int:
        """A number that no other message of the run has."""
        self._slot.ids += 1
        return (self._slot.ids - 1) * self.shared.connections + self.number

    async def send(self, message: Outgoing, *, name: str | None = None) -> None:
        """Sends a message to which no reply is awaited. A dict or a list goes out as JSON.

        Raises:
            ConnectionClosedError: it is gone.
        """
        await self._turn()
        self._send(message, name, None, None)

    async def send_json(self, value: Any, *, name: str | None = None) -> None:
        """Sends any value as JSON.

        Raises:
            ConnectionClosedError: it is gone.
        """
        await self._turn()
        self._send(_dumps(value), name, None, None)

    async def request(
        self,
        message: Outgoing,
        *,
        match: str | tuple[str, str] | None = None,
        name: str | None = None,
        within: Span | None = None,
    ) -> Message:
        """Sends a message and waits for its reply, whose time is recorded under `name`.

        Args:
            message: text, bytes, or what becomes JSON.
            match: how its reply is told, as for --match: `json:$.id`, `regex:…`, `echo`; or a pair: in what is sent, in
                what is received. By default the next message that no rule takes is the reply.
            name: of the exchange.
            within: how long the reply may take; the scenario's reply time-out by default.

        Raises:
            NoReplyError: it has not come in time.
            ConnectionClosedError: the connection is gone.
        """
        await self._turn()
        within_ns = self.shared.reply_timeout_ns if within is None else span_ns(within)
        self._send(message, name, within_ns, None if match is None else self._match(match))
        found = await PENDING
        if found is None:
            raise NoReplyError(f"no reply within {within_ns / 1e9:g} s")
        return Message(found[1], found[0])

    async def receive(self, *, within: Span | None = None) -> Message:
        """The next message that no rule takes. Up to 32 messages that came earlier are kept for it.

        Raises:
            NoMessageError: none came in time.
            ConnectionClosedError: the connection is gone.
        """
        await self._turn()
        within_ns = self.shared.reply_timeout_ns if within is None else span_ns(within)
        found = self.core.receive(self.index, within_ns)
        if found is None:
            found = await PENDING
            if found is None:
                raise NoMessageError(f"no message within {within_ns / 1e9:g} s")
        elif len(found) == 1:
            raise ConnectionClosedError
        return Message(found[1], found[0])

    async def expect(self, *, within: Span | None = None, **what: Any) -> Message:
        """The next message, which must be as `Message.expect` says.

        Raises:
            ExpectationError: it is another.
            NoMessageError, ConnectionClosedError: as for `receive`.
        """
        try:
            return (await self.receive(within=within)).expect(**what)
        except NoMessageError as error:
            wanted = ", ".join(f"{key}={value!r}" for key, value in what.items()) or "a message"
            raise ExpectationError(f"expected {wanted}: {error}") from None

    async def iterations(self) -> AsyncIterator[int]:
        """Waits for the schedule to begin the next iteration, again and again until the run or the connection ends.

        Yields:
            The number of the iteration on this connection, from 0.
        """
        if not self.shared.iterates:
            raise RuntimeError("call ws.iterations() in the file of the scenario itself")
        number = 0
        while True:
            await self._turn()
            begun = self.core.iterate(self.index)
            self._iterating = True
            if begun == GONE:
                return
            if begun != OTHER:
                try:
                    await PENDING
                except ConnectionClosedError:
                    return
            yield number
            number += 1

    async def think(self, span: Span) -> None:
        """Waits. Unlike `asyncio.sleep`, on the engine's clock.

        Raises:
            ConnectionClosedError: the connection went meanwhile.
        """
        await self._wait(self.core.think(self.index, span_ns(span)))

    async def ping(self) -> None:
        """Sends a control ping."""
        self._done(self.core.ping(self.index))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection. The scenario begins anew when it is opened again."""
        self.closing = True
        await self._wait(self.core.close(self.index, code, reason))

    async def reconnect(self) -> None:
        """Closes the connection and has it opened again at once, where the scenario begins anew."""
        self.closing = True
        await self._wait(self.core.reconnect(self.index))

    async def _turn(self) -> None:
        """Lets others have theirs, now and then."""
        self._burst += 1
        if self._burst > _MOST_AT_ONCE:
            self._burst = 0
            await self._wait(self.core.think(self.index, 0))

    def waited(self) -> None:
        """It has waited: others had their turn."""
        self._burst = 0

    async def _wait(self, asked: int) -> None:
        self._done(asked)
        await PENDING

    def _done(self, asked: int) -> None:
        if asked == GONE:
            raise ConnectionClosedError

    def _send(self, message: Outgoing, name: str | None, within_ns: int | None, match: int | None) -> None:
        text = not isinstance(message, bytes | bytearray)
        if isinstance(message, bytes | bytearray):
            payload = bytes(message)
        else:
            payload = message.encode() if isinstance(message, str) else _dumps(message)
        asked = self.core.send(self.index, payload, text, self._name(name), within_ns, match)
        if asked == GONE:
            raise ConnectionClosedError
        if asked == OTHER:
            raise ValueError(f"match: the message has no such part: {payload[:_SHOWN]!r}")

    def _name(self, name: str | None) -> int:
        if name is None:
            name = MESSAGE if self._iterating else OPENING
        place = self.shared.names.get(name)
        if place is None:
            raise ValueError(f'name: {name!r} is not known before the run; list it: @wsload.script(names=["{name}"])')
        return place

    def _match(self, match: str | tuple[str, str]) -> int:
        known = self.shared.matches.get(match)
        if known is None:
            sent, received = (match, match) if isinstance(match, str) else match
            known = self.shared.matches[match] = self.core.match_by(sent, received)
        return known


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
