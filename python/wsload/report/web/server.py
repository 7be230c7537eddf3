"""Serves the web view until it is stopped."""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn

from wsload.report.web.address import Address, listen
from wsload.report.web.app import application
from wsload.report.web.feed import Feed

GRACE_S = 2


class _Server(uvicorn.Server):
    """Tells everybody who listens the last news before it shuts down."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._feed.close()
        await super().shutdown(sockets)


def serve(path: Path, address: Address, announce: Callable[[str], None], *, until_end_of_input: bool = False) -> None:
    """Serves a run file, which may not exist yet, until a signal or, if asked, the end of standard input.

    Args:
        path: The run file.
        address: Where to listen.
        announce: Told the URL to open, once it can be opened.
        until_end_of_input: For a view that lives as long as its parent.

    Raises:
        ServeError: nothing can listen there.
    """
    bound, found = listen(address)
    # Who is not on this machine has to know something.
    token = None if found.is_loopback else secrets.token_urlsafe(18)
    url = f"http://{found.authority}/"
    with contextlib.closing(bound), contextlib.suppress(KeyboardInterrupt):
        announce(f"{url}?token={token}" if token else url)
        asyncio.run(_serve(path, bound, token, until_end_of_input=until_end_of_input))


async def _serve(path: Path, bound: socket.socket, token: str | None, *, until_end_of_input: bool) -> None:
    feed = Feed(path)
    # asyncio's own loop: uvloop is the engine's.
    config = uvicorn.Config(
        application(feed, token),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, feed)
    if until_end_of_input:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _heed_end_of_input, server)
    await server.serve(sockets=[bound])


def _heed_end_of_input(server: uvicorn.Server) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        server.should_exit = True
