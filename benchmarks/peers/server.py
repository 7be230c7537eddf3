"""An echo server for a comparison: `server.py tls CERT KEY` on picows, `server.py deflate` on websockets.

Prints its port and ends with its input.
"""

import asyncio
import logging
import ssl
import sys

import picows
import uvloop
from websockets.asyncio.server import ServerConnection, serve


class Echo(picows.WSListener):
    """Sends back what comes."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """A whole message: nobody here sends fragments."""
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), b"")
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


async def echo(connection: ServerConnection) -> None:
    """Sends back what comes."""
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    """Serves until the input ends."""
    if sys.argv[1] == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server = await picows.ws_create_server(lambda _: Echo(), "127.0.0.1", 0, ssl=context)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        return
    async with serve(echo, "127.0.0.1", 0, compression="deflate", ping_interval=None) as running:
        print(next(iter(running.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


# Clients of a benchmark go without a word.
logging.disable(logging.CRITICAL)
uvloop.run(main())
