"""An echo server on `websockets`, compressing when its argument is `deflate`.

Prints its port, and at the end of its input how many messages it has echoed.
"""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve

messages = 0


async def echo(connection: ServerConnection) -> None:
    """Echoes."""
    global messages  # noqa: PLW0603 - one server per process
    async for message in connection:
        messages += 1
        await connection.send(message)


async def main() -> None:
    """Serves until the input ends."""
    compression = "deflate" if "deflate" in sys.argv else None
    async with serve(echo, "127.0.0.1", 0, compression=compression, ping_interval=None, max_size=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(messages, flush=True)


asyncio.run(main())
