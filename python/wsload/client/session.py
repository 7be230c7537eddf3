"""A conversation: lines in, events out, over one connection."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

from wsload.client.commands import HELP, Close, Filter, Help, Ping, Send, parse
from wsload.client.link import Link, open_link
from wsload.errors import UsageError
from wsload.results import Event
from wsload.scenario import Plan


class Expectation(Protocol):
    """What must be found in a message."""

    def holds(self, payload: bytes) -> bool:
        """Whether it is."""


@dataclass(slots=True)
class Wishes:
    """What a script waits for after its last line: expressions that must be found in what comes, in order."""

    expect: tuple[tuple[str, Expectation], ...] = ()
    """As they were written, and ready to be looked for."""
    wait_s: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What came of a conversation."""

    epoch_unix_ns: int = 0
    events: list[Event] = field(default_factory=list)
    missing: str | None = None
    """The first expectation that was not met."""


class Conversation:
    """Takes commands and collects events; `show` gets each event with its number, `say` what is to be told a person."""

    def __init__(self, plan: Plan, show: Callable[[int, Event], None], say: Callable[[str], None]) -> None:
        self._plan = plan
        self._show = show
        self._say = say
        self._filter = ""
        self._epoch_ns = time.monotonic_ns()
        self._heard = asyncio.Event()
        self.outcome = Outcome(time.time_ns())
        self.link: Link | None = None

    async def open(self) -> None:
        """Opens the connection.

        Raises:
            ClientError: it cannot be opened.
        """
        self.link = await open_link(self._plan, 0, self._epoch_ns, self._take)

    @property
    def status(self) -> str:
        """One line about how it goes."""
        events = self.outcome.events
        sent = sum(event.is_message and event.direction == "sent" for event in events)
        received = sum(event.is_message and event.direction == "received" for event in events)
        state = "open" if self.link and self.link.is_open else "closed"
        shown = f" · only with {self._filter!r}" if self._filter else ""
        target = self._plan.target
        return f"{target.host_header}{target.resource} · {state} · {sent} sent, {received} received{shown}"

    async def obey(self, line: str) -> bool:
        """Does what a line says; false when the connection is to be closed or is over.

        Raises:
            UsageError: the line says nothing that can be done.
        """
        command = parse(line)
        link = self.link
        if link is None or not link.is_open:
            return False
        match command:
            case Send(kind, payload):
                link.send(kind, payload)
            case Ping(payload):
                link.ping(payload)
            case Close(code, reason):
                await link.close(code, reason)
                return False
            case Filter(text):
                self._filter = text
            case Help():
                self._say(HELP)
        return True

    async def wait_for(self, wishes: Wishes) -> None:
        """Waits until all that is expected has come, or the time is over; without expectations, for the whole time."""
        deadline = asyncio.get_running_loop().time() + wishes.wait_s
        while (missing := self._missing(wishes)) or not wishes.expect:
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0 or self.link is None or self.link.over.done():
                self.outcome.missing = missing
                return
            self._heard.clear()
            waiters = {asyncio.ensure_future(self._heard.wait()), asyncio.ensure_future(asyncio.shield(self.link.over))}
            _, pending = await asyncio.wait(waiters, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            for waiter in pending:
                waiter.cancel()

    async def close(self) -> None:
        """Closes what is still open."""
        if self.link is not None:
            await self.link.close()

    def _missing(self, wishes: Wishes) -> str | None:
        rest = list(wishes.expect)
        for event in self.outcome.events:
            if rest and event.is_message and event.direction == "received" and rest[0][1].holds(event.payload):
                rest.pop(0)
        return rest[0][0] if rest else None

    def _take(self, event: Event) -> None:
        event = event._replace(latency_ns=self._latency(event))
        self.outcome.events.append(event)
        if not (event.is_message and self._filter.encode() not in event.payload):
            self._show(len(self.outcome.events), event)
        self._heard.set()

    def _latency(self, event: Event) -> int | None:
        """Since the last message that went out, if this is the first that came after it."""
        if not event.is_message or event.direction == "sent":
            return None
        last = next((one for one in reversed(self.outcome.events) if one.is_message), None)
        return event.at_ns - last.at_ns if last and last.direction == "sent" else None


async def converse_by_lines(conversation: Conversation, wishes: Wishes) -> Outcome:
    """A script's conversation: lines of standard input, then what it waits for.

    Raises:
        ClientError: the connection cannot be opened.
        UsageError: a line says nothing that can be done.
    """
    await conversation.open()
    going = True
    try:
        async for line in _lines():
            going = await conversation.obey(line)
            if not going:
                break
        if going or wishes.expect:
            await conversation.wait_for(wishes)
    finally:
        await conversation.close()
    return conversation.outcome


async def converse_at_terminal(conversation: Conversation, complain: Callable[[UsageError], None]) -> Outcome:
    """A person's conversation, with history, a status line, and what comes printed above what is being typed.

    Raises:
        ClientError: the connection cannot be opened.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.patch_stdout import patch_stdout

    keys = KeyBindings()
    keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
    session: PromptSession[str] = PromptSession(
        "> ", bottom_toolbar=lambda: conversation.status, key_bindings=keys, refresh_interval=0.5
    )
    with patch_stdout(raw=True):
        await conversation.open()
        assert conversation.link is not None  # noqa: S101 - for the type checker
        conversation.link.over.add_done_callback(
            lambda _: session.app.exit(exception=EOFError) if session.app.is_running else None
        )
        going = True
        while going:
            try:
                going = await conversation.obey(await session.prompt_async())
            except UsageError as error:
                complain(error)
            except (EOFError, KeyboardInterrupt):
                going = False
        await conversation.close()
    return conversation.outcome


async def _lines() -> AsyncIterator[str]:
    """Lines of standard input, whatever it is: a pipe, a file, nothing."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(queue.put_nowait, line.removesuffix("\n"))
        loop.call_soon_threadsafe(queue.put_nowait, None)

    # The connection may end before standard input does: nobody waits for this thread.
    threading.Thread(target=read, daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line
