"""A service on Python `websockets`, on threads of the test's own process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.server import Server, ServerConnection, serve


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def server(handler: Callable[[ServerConnection], None] = echo, **options: Any) -> Iterator[str]:
    with serve(handler, "127.0.0.1", 0, **options) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield address(running)
        running.shutdown()


def address(running: Server) -> str:
    return f"ws://127.0.0.1:{running.socket.getsockname()[1]}/"
