"""The echo server's worker: one process, one uvloop loop. Started as `python -m wsload.target.echo DESCRIPTOR`.

The descriptor is a listening socket. On standard output goes one line `ready` and, at the end, what was served as
one line of JSON. The end of standard input asks it to end: nobody reads the counts of a worker that is killed.
"""

import asyncio
import json
import logging
import os
import resource
import signal
import socket
import sys
from dataclasses import asdict, dataclass

import uvloop
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
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


@dataclass(slots=True)
class Counts:
    """What was served: connections upgraded, messages echoed, and the bytes of their payloads."""

    connections: int = 0
    messages: int = 0
    payload_bytes: int = 0


class EchoListener(WSListener):
    """Sends every message back with its type and bytes. picows answers pings and checks frame headers."""

    def __init__(self, counts: Counts, clients: set[WSTransport]) -> None:
        super().__init__()
        self._counts = counts
        self._clients = clients
        self._transport: WSTransport | None = None
        self._partial: bytearray | None = None
        self._partial_type = WSMsgType.BINARY

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Counts a connection."""
        self._transport = transport
        self._clients.add(transport)
        self._counts.connections += 1

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forgets a connection."""
        self._clients.discard(transport)
        self._partial = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Echoes a message when its last frame is in.

        Raises:
            WSProtocolError: the client broke a rule; picows sends its code in a Close and disconnects.
        """
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            # RFC 6455 section 5.2: reserved bits have no meaning without an extension, and none is offered.
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "reserved bits are set")
        if kind == WSMsgType.CLOSE:
            # Section 5.5.1: the answer repeats the code; then the server is the one to end TCP (section 7.1.1).
            transport.send(WSMsgType.CLOSE, frame.get_payload_as_bytes())
            transport.disconnect()
        elif kind == WSMsgType.PONG:
            return
        elif kind == WSMsgType.CONTINUATION or not frame.fin:
            self._assemble(transport, frame)
        elif self._partial is not None:
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "a message begins inside another")
        else:
            self._echo(transport, kind, frame.get_payload_as_memoryview())

    def pause_writing(self) -> None:
        """A client that does not read its echoes is not read either: memory stays bounded."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.underlying_transport.resume_reading()

    def _assemble(self, transport: WSTransport, frame: WSFrame) -> None:
        """Collects the frames of a fragmented message (section 5.4)."""
        begins = frame.msg_type != WSMsgType.CONTINUATION
        if begins == (self._partial is not None):
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "fragments out of order")
        if self._partial is None:
            self._partial, self._partial_type = bytearray(), frame.msg_type
        if len(self._partial) + frame.payload_size > MAX_MESSAGE_BYTES:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"more than {MAX_MESSAGE_BYTES} bytes")
        self._partial += frame.get_payload_as_memoryview()
        if frame.fin:
            message, self._partial = self._partial, None
            self._echo(transport, self._partial_type, memoryview(message))

    def _echo(self, transport: WSTransport, kind: WSMsgType, payload: memoryview) -> None:
        if transport.is_close_frame_sent:
            # The server is ending: what it does not answer it has not served.
            return
        if kind == WSMsgType.TEXT:
            try:
                str(payload, "utf-8")
            except UnicodeDecodeError:
                raise WSProtocolError(WSCloseCode.INVALID_TEXT, "text is not UTF-8") from None
        transport.send(kind, payload)
        self._counts.messages += 1
        self._counts.payload_bytes += len(payload)


async def work(listening: socket.socket) -> Counts:
    """Serves until standard input ends, closes every connection with code 1001 (going away), and tells the counts."""
    counts, clients = Counts(), set[WSTransport]()

    def welcome(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        # A browser that offers subprotocols gives up when none is chosen: the first will do for an echo.
        offered = request.headers.get("Sec-WebSocket-Protocol", "").partition(",")[0].strip()
        headers = {"Sec-WebSocket-Protocol": offered} if offered else None
        response = WSUpgradeResponse.create_101_response(headers)
        return WSUpgradeResponseWithListener(response, EchoListener(counts, clients))

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
    await _end_of_input()
    server.close()
    for transport in clients:
        transport.send_close(WSCloseCode.GOING_AWAY)
    goodbyes = [asyncio.ensure_future(transport.wait_disconnected()) for transport in clients]
    if goodbyes:
        await asyncio.wait(goodbyes, timeout=CLOSE_TIMEOUT_S)
    return counts


async def _end_of_input() -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, read)
    await ended.wait()


def main() -> None:
    """Entry point of the worker process."""
    # The terminal's signals are for the parent: it ends its workers by closing their input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What a client does wrong goes to that client as a close code; the terminal is the user's.
    logging.getLogger("picows").setLevel(logging.CRITICAL)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    counts = uvloop.run(work(socket.socket(fileno=int(sys.argv[1]))))
    sys.stdout.write(json.dumps(asdict(counts)) + "\n")


if __name__ == "__main__":
    main()
