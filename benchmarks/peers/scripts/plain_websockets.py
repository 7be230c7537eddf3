"""A script on websockets and uvloop: a task for each connection.

`plain_websockets.py URL CONNECTIONS SECONDS INTERVAL_S` (0: closed loop; below 0: idle). Prints response times as JSON.
"""

import asyncio
import sys

import uvloop
from plain import Connection, Times
from websockets.asyncio.client import connect

URL, CONNECTIONS, SECONDS, INTERVAL_S = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])
MESSAGE = "x" * 32
times = Times()


async def run() -> None:
    """One connection."""
    async with connect(URL, compression=None, ping_interval=None) as connection:
        await Connection(times, lambda: connection.send(MESSAGE), connection.recv).run(SECONDS, INTERVAL_S)


async def main() -> None:
    """All of them."""
    await asyncio.gather(*(run() for _ in range(CONNECTIONS)))
    times.print()


uvloop.run(main())
