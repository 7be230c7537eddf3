"""A chat service on Python `websockets`: a login, replies out of order, pings as messages, pushes.

`chat_server.py LOG` prints its port, serves until its standard input ends, writes what was said to LOG (token and text,
a line each) and prints what it counted.
"""

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from hashlib import sha1
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

counts: Counter[str] = Counter()
said: list[str] = []


async def talk(connection: ServerConnection) -> None:
    login = json.loads(await connection.recv())
    counts["logins"] += 1
    session = f"s-{sha1(login['token'].encode()).hexdigest()[:8]}"
    await connection.send(json.dumps({"type": "welcome", "session": session}))
    pushes = asyncio.create_task(push(connection))
    answers = set()
    try:
        async for text in connection:
            message = json.loads(text)
            counts[message["type"]] += 1
            if message["type"] == "say":
                counts["strangers"] += message["session"] != session
                said.append(f"{login['token']} {text!s}")
                answer = asyncio.create_task(reply(connection, message["id"]))
                answers.add(answer)
                answer.add_done_callback(answers.discard)
    finally:
        pushes.cancel()


async def reply(connection: ServerConnection, number: int) -> None:
    await asyncio.sleep(random.random() * 0.01)
    await connection.send(json.dumps({"type": "said", "id": number}))


async def push(connection: ServerConnection) -> None:
    while True:
        await asyncio.sleep(0.2)
        counts["pings"] += 1
        await connection.send('{"type": "ping"}')
        await connection.send('{"type": "news"}')


async def handle(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        await talk(connection)


async def main() -> None:
    async with serve(handle, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
Path(sys.argv[1]).write_text("".join(f"{line}\n" for line in said), encoding="utf-8")
print(json.dumps(counts))
