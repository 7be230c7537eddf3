"""Plays recorded connections against a service: with their own pacing, faster, or as fast as it goes."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wsload.client.link import Link, open_link
from wsload.errors import ClientError
from wsload.results import Event
from wsload.scenario import Plan
from wsload.timeline.script import Script, Step

SPIN_NS = 2_000_000
"""The loop's timers count in milliseconds: the rest is waited for by going round."""
BATCH = 64


@dataclass(frozen=True, slots=True)
class Pace:
    """When messages go out. `speed` 0: at once."""

    speed: float = 1.0
    wait_replies: bool = False
    reply_timeout_s: float = 5.0


@dataclass(slots=True)
class Replayed:
    """What came of it. Connections are numbered copy by copy."""

    epoch_unix_ns: int
    events: list[Event] = field(default_factory=list)
    lateness_ns: list[int] = field(default_factory=list)
    """How much later than recorded each message went out; not of those that waited for a reply."""
    unsent: int = 0
    failed: int = 0
    """Connections that could not be opened."""

    def received(self, connection: int) -> list[Event]:
        """The messages that a connection got."""
        return [e for e in self.events if e.connection == connection and e.is_message and e.direction == "received"]


class _Player:
    """One connection of a replay."""

    def __init__(self, steps: Sequence[Step], pace: Pace, lateness_ns: list[int]) -> None:
        self._steps = steps
        self._pace = pace
        self.start_ns = 0
        """When the recording begins anew, on the monotonic clock."""
        self._lateness_ns = lateness_ns
        self._next = 0
        self._due = 0
        self.got = 0
        self.link: Link | None = None

    @property
    def unsent(self) -> int:
        return len(self._steps) - self._next

    def come_due(self) -> None:
        """One more message may go out as far as its time is concerned."""
        self._due += 1
        self.pump()

    def pump(self) -> None:
        """Sends what is due and waits for no reply."""
        link = self.link
        while link is not None and link.is_open and self._next < self._due:
            step = self._steps[self._next]
            if self._pace.wait_replies and self.got < step.after:
                return
            self._next += 1
            if self._pace.speed and not self._pace.wait_replies:
                due_ns = self.start_ns + round(step.at_ns / self._pace.speed)
                self._lateness_ns.append(max(time.monotonic_ns() - due_ns, 0))
            link.send(step.kind, step.payload)


def run_replay(
    plan: Plan, scripts: Sequence[Script], pace: Pace, *, copies: int, variables: Mapping[str, str]
) -> Replayed:
    """Plays on a loop of its own, undisturbed by collections of garbage.

    Raises:
        ClientError: no connection could be opened.
    """
    import uvloop

    gc.collect()
    gc.disable()
    try:
        return uvloop.run(replay(plan, scripts, pace, copies=copies, variables=variables))
    finally:
        gc.enable()


async def replay(
    plan: Plan, scripts: Sequence[Script], pace: Pace, *, copies: int = 1, variables: Mapping[str, str] | None = None
) -> Replayed:
    """Plays every script `copies` times, all copies side by side.

    Raises:
        ClientError: no connection could be opened.
    """
    result = Replayed(time.time_ns())
    epoch_ns = time.monotonic_ns()
    players = [
        _Player(script.filled(variables or {}, copy), pace, result.lateness_ns)
        for copy in range(copies)
        for script in scripts
    ]
    errors: list[ClientError] = []

    def tell(event: Event) -> None:
        result.events.append(event)
        if event.is_message and event.direction == "received":
            player = players[event.connection]
            player.got += 1
            player.pump()

    async def begin(number: int) -> None:
        try:
            players[number].link = await open_link(plan, number, epoch_ns, tell)
        except ClientError as error:
            errors.append(error)
        else:
            players[number].pump()

    first_ns = min((_at(step.at_ns, pace) for script in scripts for step in script.steps), default=0)
    agenda = _agenda(scripts, copies, pace)
    # Connections that stood before the first message stand before it again, however long that takes.
    await asyncio.gather(*(begin(number) for at_ns, number, begins in agenda if begins and at_ns <= first_ns))
    start_ns = max(epoch_ns, time.monotonic_ns() - first_ns)
    for player in players:
        player.start_ns = start_ns
    rest = [entry for entry in agenda if not (entry[2] and entry[0] <= first_ns)]
    async with asyncio.TaskGroup() as tasks:
        await _play(rest, players, start_ns, lambda number: tasks.create_task(begin(number)))
    result.failed = len(errors)
    if errors and len(errors) == len(players):
        raise errors[0]
    await _settle(players, scripts, pace)
    result.unsent = sum(player.unsent for player in players)
    await asyncio.gather(*(player.link.close() for player in players if player.link is not None))
    result.events.sort(key=lambda event: (event.at_ns, event.connection, event.seq))
    return result


def _agenda(scripts: Sequence[Script], copies: int, pace: Pace) -> list[tuple[int, int, bool]]:
    """When which player has something to do, in order; true: it is to begin."""
    agenda = []
    for number in range(copies * len(scripts)):
        script = scripts[number % len(scripts)]
        agenda.append((_at(script.begin_ns, pace), number, True))
        agenda += [(_at(step.at_ns, pace), number, False) for step in script.steps]
    # Who begins at an instant comes before what is due then.
    return sorted(agenda, key=lambda entry: (entry[0], not entry[2]))


async def _play(
    agenda: Sequence[tuple[int, int, bool]],
    players: Sequence[_Player],
    start_ns: int,
    begin: Callable[[int], object],
) -> None:
    for served, (due_ns, number, begins) in enumerate(agenda, 1):
        while (wait_ns := due_ns - (time.monotonic_ns() - start_ns)) > 0:  # noqa: ASYNC110 - a clock is no event
            # Going round costs a core, and keeps the times.
            await asyncio.sleep((wait_ns - SPIN_NS) / 1e9 if wait_ns > SPIN_NS else 0)
        if begins:
            begin(number)
        else:
            players[number].come_due()
        if served % BATCH == 0:
            await asyncio.sleep(0)


async def _settle(players: Sequence[_Player], scripts: Sequence[Script], pace: Pace) -> None:
    """Waits for as many messages as were recorded, or until none has come for a while."""
    seen, deadline = -1, 0.0
    loop = asyncio.get_running_loop()
    while True:
        got = sum(player.got for player in players)
        if got != seen:
            seen, deadline = got, loop.time() + pace.reply_timeout_s
        owed = any(
            player.link is not None
            and player.link.is_open
            and (player.got < len(scripts[number % len(scripts)].received) or player.unsent)
            for number, player in enumerate(players)
        )
        if not owed or loop.time() >= deadline:
            return
        await asyncio.sleep(0.005)


def _at(at_ns: int, pace: Pace) -> int:
    return round(at_ns / pace.speed) if pace.speed else 0
