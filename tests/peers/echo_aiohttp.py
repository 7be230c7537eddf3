"""An echo server on `aiohttp`. Prints its port, and at the end of its input how many messages it has echoed."""

import asyncio
import sys

from aiohttp import WSMsgType, web

messages = 0


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Echoes."""
    global messages  # noqa: PLW0603 - one server per process
    socket = web.WebSocketResponse(compress=False, max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        messages += 1
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


async def main() -> None:
    """Serves until the input ends."""
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(messages, flush=True)
    await runner.cleanup()


asyncio.run(main())
