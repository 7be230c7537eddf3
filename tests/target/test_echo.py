"""The echo server before clients that are not ours, and before raw bytes that no client would send."""

import asyncio
import socket
import struct
from collections.abc import Iterator

import aiohttp
import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from serving import Server, serving

MIB = 1 << 20
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def client(server: Server) -> ClientConnection:
    return connect(server.url, max_size=None, compression=None, proxy=None)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, MIB, 20 * MIB])
def test_a_binary_message_comes_back_whole(server: Server, size: int) -> None:
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)
    with client(server) as ws:
        ws.send(message)
        assert ws.recv() == message


def test_text_comes_back_as_text_and_binary_as_binary_in_order(server: Server) -> None:
    messages: list[str | bytes] = ["grüße", b"\xff\x00", "", b"", "x" * 70_000]
    with client(server) as ws:
        for message in messages:
            ws.send(message)
        assert [ws.recv() for _ in messages] == messages


def test_fragments_come_back_as_one_message(server: Server) -> None:
    with client(server) as ws:
        ws.send(["ein", "", " Satz ", "ü"])
        ws.send([b"a", b"bc"])
        assert ws.recv() == "ein Satz ü"
        assert ws.recv() == b"abc"


def test_a_ping_is_answered(server: Server) -> None:
    with client(server) as ws:
        assert ws.ping(b"now").wait(5)


def test_aiohttp_is_served_as_well(server: Server) -> None:
    async def talk() -> tuple[object, ...]:
        async with aiohttp.ClientSession() as session, session.ws_connect(server.url, autoping=False) as ws:
            await ws.send_str("eins")
            await ws.send_bytes(b"zwei")
            await ws.ping(b"drei")
            got = [await ws.receive() for _ in range(3)]
            closed = await ws.close(code=4000)
            return [(message.type, message.data) for message in got], closed, ws.close_code

    kinds = aiohttp.WSMsgType
    got, closed, code = asyncio.run(talk())
    assert got == [(kinds.TEXT, "eins"), (kinds.BINARY, b"zwei"), (kinds.PONG, b"drei")]
    assert closed is True
    assert code == 4000


def test_the_first_subprotocol_offered_is_chosen(server: Server) -> None:
    with connect(server.url, subprotocols=["b", "a"], proxy=None) as ws:  # type: ignore[list-item]
        assert ws.subprotocol == "b"
    with client(server) as ws:
        assert ws.subprotocol is None


def frame(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True)


def exchange(server: Server, sent: bytes) -> bytes:
    """All that the server says to these bytes, up to the end of TCP, without its upgrade response."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(HANDSHAKE + sent)
        answer = bytearray()
        while piece := raw.recv(MIB):
            answer += piece
    head, _, frames = bytes(answer).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    return frames


def close_code(frames: bytes) -> int:
    """The code of the Close that begins these bytes."""
    assert frames[0] == 0x88
    return int(struct.unpack(">H", frames[2:4])[0])


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"\x81\x01x", 1002, id="section 5.1: a client's frame without mask"),
        pytest.param(b"\xc1\x80\0\0\0\0", 1002, id="section 5.2: a reserved bit"),
        pytest.param(b"\x83\x80\0\0\0\0", 1002, id="section 5.2: an unknown opcode"),
        pytest.param(b"\x80\x80\0\0\0\0", 1002, id="section 5.4: a continuation of nothing"),
        pytest.param(frame(1, b"a", fin=False) + frame(1, b"b"), 1002, id="section 5.4: a message inside another"),
        pytest.param(frame(1, b"a", fin=False) + frame(2, b"b", fin=False), 1002, id="section 5.4: a second beginning"),
        pytest.param(b"\x09\x80\0\0\0\0", 1002, id="section 5.5: a ping in fragments"),
        pytest.param(frame(1, b"\xff"), 1007, id="section 8.1: text that is not UTF-8"),
        pytest.param(frame(1, b"\xc3", fin=False) + frame(0, b"("), 1007, id="section 8.1: the same in fragments"),
        pytest.param(b"\x82\xff" + struct.pack(">Q", 64 * MIB + 1) + bytes(4), 1009, id="a frame above the limit"),
    ],
)
def test_a_broken_rule_is_answered_with_its_close_code(server: Server, sent: bytes, code: int) -> None:
    assert close_code(exchange(server, sent)) == code


def test_fragments_above_the_limit_are_refused(server: Server) -> None:
    piece = b"\xff" + struct.pack(">Q", 16 * MIB) + bytes(4 + 16 * MIB)
    assert close_code(exchange(server, b"\x02" + piece + (b"\x00" + piece) * 3 + frame(0, b"x"))) == 1009


def test_fragments_up_to_the_limit_are_echoed(server: Server) -> None:
    piece = b"\xff" + struct.pack(">Q", 16 * MIB) + bytes(4 + 16 * MIB)
    frames = exchange(server, b"\x02" + piece + (b"\x00" + piece) * 2 + b"\x80" + piece + frame(8, b""))
    assert frames[:10] == b"\x82\x7f" + struct.pack(">Q", 64 * MIB)
    assert len(frames) == 10 + 64 * MIB + 2


def test_a_ping_between_fragments_is_answered_before_their_echo(server: Server) -> None:
    sent = frame(1, b"a", fin=False) + frame(9, b"p") + frame(0, b"b") + frame(8, b"")
    assert exchange(server, sent) == b"\x8a\x01p" + b"\x81\x02ab" + b"\x88\x00"


@pytest.mark.parametrize("body", [b"", b"\x03\xe8", b"\x0b\xb8bye"], ids=["no code", "1000", "3000 with a reason"])
def test_section_5_5_1_a_close_is_answered_with_its_own_body(server: Server, body: bytes) -> None:
    assert exchange(server, frame(8, body)) == b"\x88" + bytes([len(body)]) + body


def test_a_client_that_does_not_read_is_not_read_either(server: Server) -> None:
    message = b"\x82\xff" + struct.pack(">Q", MIB) + bytes(4 + MIB)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(HANDSHAKE)
        head = raw.recv(4096)
        assert head.endswith(b"\r\n\r\n")
        # How much the kernel holds between the two is its own affair: a second without progress is an end.
        raw.settimeout(1)
        taken = send_until_stuck(raw, message * 64)
        sent, taken = divmod(taken, len(message))
        # It is read again as soon as it reads, and nothing is lost.
        raw.setblocking(False)
        assert asyncio.run(_read_all(raw, message[taken:] + frame(8, b""))) == (sent + 1) * (10 + MIB) + 2


def send_until_stuck(raw: socket.socket, data: bytes) -> int:
    """How many bytes the other side takes before it takes no more."""
    taken = 0
    try:
        while taken < len(data):
            taken += raw.send(data[taken : taken + MIB])
    except TimeoutError:
        return taken
    raise AssertionError("all of it was taken")


async def _read_all(raw: socket.socket, rest: bytes) -> int:
    """How many bytes come while the rest is sent, up to the end."""
    loop = asyncio.get_running_loop()
    sending = asyncio.create_task(loop.sock_sendall(raw, rest))
    received = 0
    while piece := await asyncio.wait_for(loop.sock_recv(raw, MIB), 10):
        received += len(piece)
    await sending
    return received
