"""Fixtures of the engine's tests."""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from wsload.engine import process

TESTS = Path(__file__).parents[1]


@pytest.fixture
def fake_workers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replaces workers by fake ones that behave as named in `fake_worker.py`."""

    def choose(how: str) -> None:
        monkeypatch.setenv("PYTHONPATH", str(TESTS))
        monkeypatch.setattr(process, "COMMAND", (sys.executable, "-P", "-m", "engine.fake_worker", how))

    return choose


@dataclass
class Peer:
    """A server written by others, with its own count of what it received."""

    url: str = ""
    messages: int = 0
    replies: bool = True

    def serve(self, connection: ServerConnection) -> None:
        for message in connection:
            self.messages += 1
            if self.replies:
                connection.send(message)


def _run(peer: Peer) -> Iterator[Peer]:
    with serve(peer.serve, "127.0.0.1", 0) as server:
        peer.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/echo"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def echo_server() -> Iterator[Peer]:
    """Sends every message back."""
    yield from _run(Peer())


@pytest.fixture
def silent_peer() -> Iterator[Peer]:
    """Takes connections and messages, and never answers one."""
    yield from _run(Peer(replies=False))


@pytest.fixture
def silent_server(silent_peer: Peer) -> str:
    """Where such a server is."""
    return silent_peer.url
