"""A service of GraphQL subscriptions on Python `websockets`: prints its port, pushes until its standard input ends."""

import asyncio
import contextlib
import json
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol


async def session(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        assert json.loads(await connection.recv())["type"] == "connection_init"
        await connection.send(json.dumps({"type": "connection_ack"}))
        asked = json.loads(await connection.recv())
        assert asked["type"] == "subscribe"
        assert asked["payload"]["query"].startswith("subscription")
        pushed = json.dumps({"id": asked["id"], "type": "next", "payload": {"data": {"said": {"text": "hello"}}}})
        while True:
            await connection.send(pushed)
            await asyncio.sleep(0.02)


async def main() -> None:
    loop = asyncio.get_running_loop()
    async with serve(session, "127.0.0.1", 0, subprotocols=[Subprotocol("graphql-transport-ws")]) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
