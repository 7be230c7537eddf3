"""A script on aiohttp and uvloop: a task for each connection.

`plain_aiohttp.py URL CONNECTIONS SECONDS INTERVAL_S` (0: closed loop; below 0: idle). Prints response times as JSON.
"""

import asyncio
import sys

import aiohttp
import uvloop
from plain import Connection, Times

URL, CONNECTIONS, SECONDS, INTERVAL_S = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])
MESSAGE = "x" * 32
times = Times()


async def run(session: aiohttp.ClientSession) -> None:
    """One connection."""
    async with session.ws_connect(URL, autoping=False) as connection:
        await Connection(times, lambda: connection.send_str(MESSAGE), connection.receive).run(SECONDS, INTERVAL_S)


async def main() -> None:
    """All of them."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(run(session) for _ in range(CONNECTIONS)))
    times.print()


uvloop.run(main())
