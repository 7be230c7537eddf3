"""A closed loop, one message in flight, by a careful Python programmer.

`client.py tls|deflate PORT CONNECTIONS SECONDS FILE`:

`tls CAFILE` on picows and uvloop with Python's ssl; `deflate MESSAGE-FILE` on websockets and uvloop. Measures nothing
per message. Prints its round trips and their CPU time, connecting left out, as JSON.
"""

import asyncio
import json
import resource
import ssl
import sys
from pathlib import Path

import picows
import uvloop
from websockets.asyncio.client import ClientConnection, connect

MODE, PORT, CONNECTIONS, SECONDS, EXTRA = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
MESSAGE = b"x" * 32
MESSAGE_TEXT = Path(EXTRA).read_text(encoding="ascii")


def cpu_ns() -> int:
    """User and system time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round((usage.ru_utime + usage.ru_stime) * 1e9)


class Loop(picows.WSListener):
    """Sends when the reply is there."""

    trips = 0
    open = True

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Keeps the transport."""
        self.transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        """The reply."""
        Loop.trips += 1
        if Loop.open:
            transport.send(picows.WSMsgType.TEXT, MESSAGE)


async def tls() -> tuple[int, int]:
    """Picows."""
    context = ssl.create_default_context(cafile=EXTRA)
    url = f"wss://localhost:{PORT}/"
    made = [await picows.ws_connect(Loop, url, ssl_context=context) for _ in range(CONNECTIONS)]
    begin = cpu_ns()
    for transport, _ in made:
        transport.send(picows.WSMsgType.TEXT, MESSAGE)
    await asyncio.sleep(SECONDS)
    trips, used = Loop.trips, cpu_ns() - begin
    Loop.open = False
    for transport, _ in made:
        transport.disconnect()
    return trips, used


async def deflate() -> tuple[int, int]:
    """Websockets."""
    trips = 0
    url = f"ws://127.0.0.1:{PORT}/"
    made = [await connect(url, compression="deflate", ping_interval=None) for _ in range(CONNECTIONS)]

    async def loop(connection: ClientConnection) -> None:
        nonlocal trips
        while True:
            await connection.send(MESSAGE_TEXT)
            await connection.recv()
            trips += 1

    begin = cpu_ns()
    tasks = [asyncio.create_task(loop(connection)) for connection in made]
    await asyncio.sleep(SECONDS)
    result = trips, cpu_ns() - begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return result


found, used_ns = uvloop.run(tls() if MODE == "tls" else deflate())
print(json.dumps({"round_trips": found, "cpu_ns": used_ns}))
