"""What the plain scripts share: response times in an array, and a pace."""

import asyncio
import json
import time
from array import array
from collections import deque
from collections.abc import Awaitable, Callable


class Times:
    """Response times, a double each."""

    def __init__(self) -> None:
        self.all = array("d")
        self.now = time.perf_counter

    def add(self, begin: float) -> None:
        """A reply to what was sent at `begin`."""
        self.all.append(self.now() - begin)

    def print(self) -> None:
        """Median and percentiles in ms, as JSON."""
        ordered = sorted(self.all)
        at = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
        print(
            json.dumps(
                {name: ordered[int(share * len(ordered))] * 1e3 if ordered else None for name, share in at.items()}
            )
        )


class Connection:
    """A connection at work: `send` and `receive` are the library's."""

    def __init__(
        self, times: Times, send: Callable[[], Awaitable[None]], receive: Callable[[], Awaitable[object]]
    ) -> None:
        self._times, self._send, self._receive = times, send, receive
        self._sent: deque[float] = deque()

    async def run(self, seconds: float, interval_s: float) -> None:
        """A closed loop (0), messages at an interval whatever the replies do, or nothing at all (below 0)."""
        if interval_s < 0:
            await asyncio.sleep(seconds)
        elif interval_s == 0:
            await self._closed(asyncio.get_running_loop().time() + seconds)
        else:
            await self._open(seconds, interval_s)

    async def _closed(self, until: float) -> None:
        loop, times = asyncio.get_running_loop(), self._times
        while loop.time() < until:
            begin = times.now()
            await self._send()
            await self._receive()
            times.add(begin)

    async def _open(self, seconds: float, interval_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        until = due + seconds
        receiver = asyncio.create_task(self._receive_all())
        while due < until:
            self._sent.append(self._times.now())
            await self._send()
            due += interval_s
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
        # Replies that are late.
        await asyncio.sleep(1)
        receiver.cancel()
        await asyncio.gather(receiver, return_exceptions=True)

    async def _receive_all(self) -> None:
        while True:
            await self._receive()
            self._times.add(self._sent.popleft())
