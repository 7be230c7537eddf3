"""A script on picows and uvloop: callbacks, no task in a closed loop.

`plain_picows.py URL CONNECTIONS SECONDS INTERVAL_S` (0: closed loop; below 0: idle). Prints response times as JSON.
"""

import asyncio
import sys
from collections import deque

import picows
import uvloop
from plain import Times

URL, CONNECTIONS, SECONDS, INTERVAL_S = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])
MESSAGE = b"x" * 32
times = Times()


class Echo(picows.WSListener):
    """Records the response time, and sends again in a closed loop."""

    transport: picows.WSTransport

    def __init__(self) -> None:
        self.sent: deque[float] = deque()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Keeps the transport."""
        self.transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        """The reply."""
        times.add(self.sent.popleft())
        if INTERVAL_S == 0:
            self.send()

    def send(self) -> None:
        """A message."""
        self.sent.append(times.now())
        self.transport.send(picows.WSMsgType.TEXT, MESSAGE)


async def run() -> None:
    """One connection."""
    loop = asyncio.get_running_loop()
    transport, listener = await picows.ws_connect(Echo, URL)
    assert isinstance(listener, Echo)
    due = loop.time()
    until = due + SECONDS
    if INTERVAL_S == 0:
        listener.send()
    while INTERVAL_S > 0 and due < until:
        listener.send()
        due += INTERVAL_S
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
    # The rest of the time, and a second for replies that are late.
    await asyncio.sleep(max(until - loop.time(), 0) + 1)
    transport.disconnect()


async def main() -> None:
    """All of them."""
    await asyncio.gather(*(run() for _ in range(CONNECTIONS)))
    times.print()


uvloop.run(main())
