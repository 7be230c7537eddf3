"""A server's worker: one process, one uvloop loop.

Started as `python -m wsload.target.worker KIND DESCRIPTOR OPTIONS`: the descriptor is a listening socket, the options
are the kind's as JSON. On standard output goes one line `ready` and, at the end, what was served as one line of JSON.
The end of standard input asks it to end: nobody reads the counts of a worker that is killed. A line of input before it
says how connections end: `restart` with code 1012, `abort` by a reset.
"""

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import uvloop
from picows import (
    WSCloseCode,
    WSListener,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

MAX_MESSAGE_BYTES = 64 << 20
CLOSE_TIMEOUT_S = 1.0
"""How long clients may take to answer the Close of a server that ends."""
READ_BUFFER_BYTES = 4096
"""Initial size for each connection; it grows with the frames that come in."""


class Service(Protocol):
    """What a kind of server is: listeners for its connections, and what it has served."""

    clients: set[WSTransport]

    def welcome(self, request: WSUpgradeRequest) -> WSListener:
        """A listener for a new connection."""

    def close(self) -> dict[str, int]:
        """Ends; what was served."""


async def work(listening: socket.socket, service: Service) -> dict[str, int]:
    """Serves until standard input ends, closes every connection with code 1001 (going away), and tells the counts."""

    def welcome(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        # A browser that offers subprotocols gives up when none is chosen: the first will do.
        offered = request.headers.get("Sec-WebSocket-Protocol", "").partition(",")[0].strip()
        headers = {"Sec-WebSocket-Protocol": offered} if offered else None
        response = WSUpgradeResponse.create_101_response(headers)
        return WSUpgradeResponseWithListener(response, service.welcome(request))

    server = await ws_create_server(
        welcome,
        sock=listening,
        backlog=socket.SOMAXCONN,
        max_frame_size=MAX_MESSAGE_BYTES,
        read_buffer_init_size=READ_BUFFER_BYTES,
        websocket_handshake_timeout=60,
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    how = await _end_of_input()
    server.close()
    await _part(service, how)
    return service.close()


async def _part(service: Service, how: str) -> None:
    code = WSCloseCode.SERVICE_RESTART if how == "restart" else WSCloseCode.GOING_AWAY
    goodbyes = [asyncio.ensure_future(transport.wait_disconnected()) for transport in service.clients]
    for transport in list(service.clients):
        if how == "abort":
            transport.underlying_transport.abort()
        else:
            transport.send_close(code)
    if goodbyes:
        await asyncio.wait(goodbyes, timeout=CLOSE_TIMEOUT_S)


async def _end_of_input() -> str:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    said = b""

    def read() -> None:
        nonlocal said
        got = os.read(0, 4096)
        said += got
        if not got:
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, read)
    await ended.wait()
    return said.decode("ascii", "replace").strip()


def _echo(_: dict[str, Any]) -> Service:
    from wsload.target.echo import EchoService

    return EchoService()


def _faults(options: dict[str, Any]) -> Service:
    from wsload.target.faults import FaultsService
    from wsload.target.lives import Life
    from wsload.target.script import Script

    life = Life(**options.pop("life", {}))
    return FaultsService(Script(**options), life)


def _broadcast(options: dict[str, Any]) -> Service:
    from wsload.target.broadcast import BroadcastService

    return BroadcastService(**options)


KINDS: dict[str, Callable[[dict[str, Any]], Service]] = {
    "broadcast": _broadcast,
    "echo": _echo,
    "faults": _faults,
}


async def _serve(kind: str, descriptor: int, options: dict[str, Any]) -> dict[str, int]:
    opens_ns = options.get("life", {}).get("opens_ns", 0)
    # Until then nothing listens, and who connects is refused.
    await asyncio.sleep(max(opens_ns - time.monotonic_ns(), 0) / 1e9)
    return await work(socket.socket(fileno=descriptor), KINDS[kind](options))


def main() -> None:
    """Entry point of the worker process."""
    # The terminal's signals are for the parent: it ends its workers by closing their input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What a client does wrong goes to that client as a close code; the terminal is the user's.
    logging.getLogger("picows").setLevel(logging.CRITICAL)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kind, descriptor, options = sys.argv[1:4]
    counts = uvloop.run(_serve(kind, int(descriptor), json.loads(options)))
    # A parent that was killed reads no counts.
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), (json.dumps(counts) + "\n").encode())


if __name__ == "__main__":
    main()
