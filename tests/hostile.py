"""A TCP server that misbehaves in one way on its first connection, and echoes on all others."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HOLD_S = 20
Act = Callable[[socket.socket], None]


def read_request(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    return head


def accept_of(request: bytes) -> bytes:
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    return base64.b64encode(hashlib.sha1(key.split(b":")[1].strip() + GUID).digest())


def response(request: bytes, *more: bytes, accept: bytes | None = None) -> bytes:
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + (accept or accept_of(request)),
        *more,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def frame(first: int, payload: bytes = b"", *, claimed: int | None = None) -> bytes:
    length = len(payload) if claimed is None else claimed
    if length < 126:
        head = bytes([first, length])
    elif length < 1 << 16:
        head = bytes([first, 126]) + struct.pack(">H", length)
    else:
        head = bytes([first, 127]) + struct.pack(">Q", length)
    return head + payload


def hold(connection: socket.socket) -> None:
    """Reads until the client ends, for a bounded time."""
    connection.settimeout(HOLD_S)
    with contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            pass


def answering(*pieces: bytes) -> Act:
    """Answers the request so, and holds the connection."""

    def act(connection: socket.socket) -> None:
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
        hold(connection)

    return act


def saying(*pieces: bytes, extension: bytes = b"") -> Act:
    """Upgrades as it should, says this and holds the connection."""

    def act(connection: socket.socket) -> None:
        upgrade(connection, extension)
        for piece in pieces:
            connection.sendall(piece)
        hold(connection)

    return act


def upgrade(connection: socket.socket, extension: bytes = b"") -> None:
    request = read_request(connection)
    connection.sendall(response(request, *([extension] if extension else [])))


def dribble(connection: socket.socket) -> None:
    request = read_request(connection)
    for byte in response(request):
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def wrong_accept(connection: socket.socket) -> None:
    connection.sendall(response(read_request(connection), accept=b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    hold(connection)


def unasked(header: bytes) -> Act:
    def act(connection: socket.socket) -> None:
        connection.sendall(response(read_request(connection), header))
        hold(connection)

    return act


def ping_flood(connection: socket.socket) -> None:
    """Asks for pongs and never reads one."""
    upgrade(connection)
    burst = frame(0x89, b"x" * 125) * 1_000
    connection.settimeout(HOLD_S)
    while True:
        connection.sendall(burst)


def reset(connection: socket.socket) -> None:
    upgrade(connection)
    connection.recv(1)
    connection.sendall(frame(0x82, b"half", claimed=1_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_close(connection: socket.socket) -> None:
    upgrade(connection)
    connection.shutdown(socket.SHUT_WR)
    hold(connection)


def bomb() -> bytes:
    """A compressed message of 100 MiB of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(100)) + packer.flush(zlib.Z_SYNC_FLUSH)
    return frame(0xC2, packed[:-4])


MODES: dict[str, tuple[Act, str, str]] = {
    # name: what it does, the failure that is to be reported, the beginning of its detail
    "silence after accept": (hold, "connect_timeout", "upgrade"),
    "one byte per 100 ms": (dribble, "connect_timeout", "upgrade"),
    "200": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "upgrade_rejected", '200 OK "hi"'),
    "302": (
        answering(b"HTTP/1.1 302 Found\r\nLocation: /login?s=1\r\nContent-Length: 0\r\n\r\n"),
        "upgrade_rejected",
        "302 Found to /login?***",
    ),
    "401": (
        answering(b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'),
        "upgrade_rejected",
        "401 Unauthorized",
    ),
    "503": (
        answering(b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n"),
        "upgrade_rejected",
        '503 Service Unavailable "busy"',
    ),
    "no HTTP": (answering(b"SSH-2.0-OpenSSH_9.2\r\n"), "bad_accept", ""),
    "wrong accept key": (wrong_accept, "bad_accept", ""),
    "unoffered subprotocol": (unasked(b"Sec-WebSocket-Protocol: soap"), "bad_accept", ""),
    "unoffered extension": (unasked(b"Sec-WebSocket-Extensions: x-shout"), "bad_accept", ""),
    "1 MiB of headers": (
        answering(b"HTTP/1.1 101 Switching Protocols\r\nX-Filler: " + b"a" * (1 << 20)),
        "bad_accept",
        "",
    ),
    "masked frame": (saying(b"\x81\x82\x00\x00\x00\x00hi"), "protocol_error", ""),
    "reserved bits": (saying(frame(0xF1, b"hi")), "protocol_error", ""),
    "bad opcode": (saying(frame(0x83, b"hi")), "protocol_error", ""),
    "invalid UTF-8 over frames": (saying(frame(0x01, b"\xce"), frame(0x80, b"\xce")), "invalid_text", ""),
    "a length of 2^62": (saying(frame(0x82, claimed=1 << 62)), "message_too_big", ""),
    "zip bomb": (
        saying(bomb(), extension=b"Sec-WebSocket-Extensions: permessage-deflate"),
        "message_too_big",
        "",
    ),
    "empty fragments": (saying(frame(0x01), *[frame(0x00) * 1_000] * 200), "unanswered", "reply time-out"),
    "ping flood": (ping_flood, "local_limit", "unsent bytes"),
    "close without code": (saying(frame(0x88)), "unexpected_close", "1005"),
    "1005 on the wire": (saying(frame(0x88, b"\x03\xed")), "protocol_error", ""),
    "close of one byte": (saying(frame(0x88, b"\x03")), "protocol_error", ""),
    "reset inside a message": (reset, "reset", ""),
    "half-close": (half_close, "unexpected_close", "1006"),
    "data after close": (saying(frame(0x88, b"\x03\xe8") + frame(0x81, b"late") * 50), "unexpected_close", "1000"),
}


def echo(connection: socket.socket) -> None:
    """A server by another make."""
    protocol = ServerProtocol()
    while data := connection.recv(1 << 16):
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                protocol.send_text(event.data)
        for piece in protocol.data_to_send():
            if piece:
                connection.sendall(piece)


@contextmanager
def hostile(mode: str) -> Iterator[str]:
    """Its address; the first connection meets the mode, later ones an echo."""
    act = MODES[mode][0]

    def serve(connection: socket.socket, first: bool) -> None:
        with connection, contextlib.suppress(OSError):
            (act if first else echo)(connection)

    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:

        def accept() -> None:
            first = True
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0], first), daemon=True).start()
                    first = False

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
