"""Services with keep-alives of their own, on Python `websockets`: who misses one is dropped with code 4408.

`keepalive_server.py PERIOD_S LIMIT_S` prints its port, serves until its standard input ends and prints what it counted
by path: connections, messages answered, keep-alives, clients dropped, and what was not as the protocol wants it.
"""

import asyncio
import contextlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PERIOD_S, LIMIT_S = map(float, sys.argv[1:3])
MISSED = 4408

Data = str | bytes
counts: dict[str, Counter[str]] = {}


class OddError(Exception):
    """Not what the protocol wants here."""


def socket_io(said: Data) -> Data | None:
    if said == "40":
        return '40{"sid":"s"}'
    found = re.fullmatch(r'42(\d+)\["say","hello"\]', str(said))
    if not found:
        raise OddError(said)
    return f"43{found[1]}[]"


def centrifugo(said: Data) -> Data | None:
    message = json.loads(said)
    kind = "connect" if "connect" in message else "rpc"
    return json.dumps({"id": message["id"], kind: {}})


def nats(said: Data) -> Data | None:
    if not re.match(r'CONNECT \{"verbose":true\}\r\n$|PUB room 5\r\nhello\r\n$', str(said)):
        raise OddError(said)
    return "+OK\r\n"


def mqtt(said: Data) -> Data | None:
    match said:
        case bytes() if said[0] == 0x10 and said[1] == len(said) - 2:
            return b"\x20\x02\x00\x00"
        case bytes() if said[0] == 0x32 and said[1] == len(said) - 2:
            return b"\x40\x02" + said[8:10]
    raise OddError(said)


def graphql(said: Data) -> Data | None:
    message = json.loads(said)
    if message["type"] == "connection_init":
        return '{"type": "connection_ack"}'
    return json.dumps({"id": message["id"], "type": "next", "payload": {"data": {}}})


Answer = Callable[[Data], Data | None]
# First words, the server's own keep-alive and the client's (or the reply to the server's), and all the rest.
SERVICES: dict[str, tuple[Data | None, Data | None, Data, Answer]] = {
    "socket.io": ('0{"sid":"s"}', "2", "3", socket_io),
    "connection": (None, "{}", "{}", centrifugo),
    "nats": ("INFO {}\r\n", "PING\r\n", "PONG\r\n", nats),
    "mqtt": (None, None, b"\xc0\x00", mqtt),
    "graphql": (None, '{"type": "ping"}', '{"type":"pong"}', graphql),
}


async def watch(connection: ServerConnection, ping: Data | None, heard: asyncio.Event, counted: Counter[str]) -> None:
    """Asks for signs of life, and drops a client that gives none in time."""
    while True:
        if ping is not None:
            await asyncio.sleep(PERIOD_S)
            await connection.send(ping)
        heard.clear()
        try:
            await asyncio.wait_for(heard.wait(), LIMIT_S)
        except TimeoutError:
            counted["dropped"] += 1
            await connection.close(MISSED, "no sign of life")
            return


async def talk(connection: ServerConnection, name: str, counted: Counter[str]) -> None:
    first, ping, alive, answer = SERVICES[name]
    counted["connections"] += 1
    if first is not None:
        await connection.send(first)
    heard = asyncio.Event()
    watching = asyncio.create_task(watch(connection, ping, heard, counted))
    try:
        async for said in connection:
            if said == alive:
                counted["kept"] += 1
                heard.set()
                if name == "mqtt":
                    await connection.send(b"\xd0\x00")
                continue
            reply = answer(said)
            counted["answered"] += 1
            if reply is not None:
                await connection.send(reply)
            if name == "graphql" and "next" in str(reply):
                await connection.send(json.dumps({"id": json.loads(said)["id"], "type": "complete"}))
    finally:
        watching.cancel()


async def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    name = re.split("[/?]", connection.request.path)[1]
    counted = counts.setdefault(name, Counter())
    with contextlib.suppress(ConnectionClosed):
        try:
            await talk(connection, name, counted)
        except (OddError, KeyError, TypeError, ValueError) as error:
            counted["odd"] += 1
            await connection.close(1008, repr(error)[:100])


async def main() -> None:
    protocols = ["mqtt", "graphql-transport-ws"]
    select = lambda _connection, offered: next((one for one in offered if one in protocols), None)  # noqa: E731
    async with serve(handle, "127.0.0.1", 0, select_subprotocol=select) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
print(json.dumps(counts))
