"""Takes wsload's engine through the cases of an Autobahn fuzzing server: for each a connection that echoes."""

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

import uvloop

from wsload import _core
from wsload.scenario import Compression, LoadModel, Scenario, TlsOptions, build_plan

AGENT = "wsload"
CASE_TIMEOUT_S = 120
SECOND = 10**9


async def connect_once(url: str, *, echo: bool) -> list[bytes]:
    """One run of one connection that lasts until the server ends it; the blocks that it handed up."""
    scenario = Scenario(
        target=url,
        load=LoadModel(echo=echo, idle=not echo, duration_ns=CASE_TIMEOUT_S * SECOND),
        compression=Compression(),
        tls=TlsOptions(),
        connect_timeout_ns=10 * SECOND,
    )
    plan = build_plan(scenario)
    shard = _core.Shard(plan.to_json(), 0, 1)
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def poll() -> None:
        if shard.poll():
            changed.set()

    loop.add_reader(shard.fileno(), poll)
    blocks: list[bytes] = []
    try:
        shard.connect([(plan.dials[0].host, plan.dials[0].port)], time.monotonic_ns())
        shard.go(time.monotonic_ns())
        while shard.state() != "done":
            await changed.wait()
            changed.clear()
        while (snapshot := shard.take()) is not None:
            blocks.append(snapshot.encode())
    finally:
        loop.remove_reader(shard.fileno())
    return blocks


async def case_count(base: str) -> int:
    """How many cases the server has. It answers with one message, which is no case for a load tester."""
    from websockets.asyncio.client import connect

    async with connect(f"{base}/getCaseCount") as connection:
        return int(await connection.recv())


async def drive(base: str) -> int:
    """Runs all cases and has the server write its report; says how many there were."""
    count = await case_count(base)
    for number in range(1, count + 1):
        await connect_once(f"{base}/runCase?case={number}&agent={AGENT}", echo=True)
        if number % 25 == 0 or number == count:
            print(f"{number} of {count} cases", flush=True)
    await connect_once(f"{base}/updateReports?agent={AGENT}", echo=False)
    return count


def main() -> None:
    """Entry point: `drive.py ws://127.0.0.1:9001`."""
    base = sys.argv[1].rstrip("/")
    host = urlsplit(base).hostname
    if host not in {"127.0.0.1", "::1"}:
        sys.exit("error: conformance is tested against a server on this machine: ws://127.0.0.1:PORT")
    print(json.dumps({"cases": uvloop.run(drive(base))}))


if __name__ == "__main__":
    main()
