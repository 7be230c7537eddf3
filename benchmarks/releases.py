"""`python -m benchmarks.releases`: what `wsload compare --run` says of builds of real servers.

npm `ws` against itself, version 7 of it against version 8, and Python `websockets` against npm `ws`: echo servers that
are started anew for each run. npm installs both versions in a folder of the benchmark's own. The rows of the
comparisons go to `results/releases/`.
"""

import argparse
import json
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.measure import WSLOAD, build
from wsload.units import format_latency

RESULTS = Path(__file__).parent / "results" / "releases"
VERSIONS = {"old": "ws@7.5.10", "new": "ws@8.18.3"}
LOAD = ["-c", "50", "--rate", "4000/s", "-d", "6s", "--warmup", "1s", "--quiet", "--anyway"]
LOAD += ["--metric", "response.p50", "--metric", "response.p99", "--metric", "failures"]
PYTHON = """
import asyncio, sys
from websockets.asyncio.server import serve
async def echo(connection):
    async for message in connection:
        await connection.send(message)
async def main():
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
        await server.serve_forever()
asyncio.run(main())
"""
NODE = """
const ws = require("ws");
const server = new ws.Server({ host: "127.0.0.1", port: +process.argv[2], perMessageDeflate: false });
server.on("connection", (socket) =>
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));
"""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.releases", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="of each pair (default: 6)")
    rounds = parser.parse_args().rounds
    if shutil.which("npm") is None:
        raise SystemExit("npm is not installed: install Node.js")
    build()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "echo.py").write_text(PYTHON, encoding="utf-8")
        for key, version in VERSIONS.items():
            (folder / key).mkdir()
            (folder / key / "echo.js").write_text(NODE, encoding="utf-8")
            subprocess.run(["npm", "install", "--silent", "--prefix", str(folder / key), version], check=True)
        node = {version: f"node {folder / key}/echo.js" for key, version in VERSIONS.items()}
        servers = node | {"Python websockets": f"{shlex.quote(sys.executable)} {folder}/echo.py"}
        old, new = VERSIONS.values()
        for base, other in ((new, new), (old, new), (new, old), ("Python websockets", new)):
            port = free_port()
            commands = [f"{servers[side]} {port}" for side in (base, other)]
            words = f"{base} | {other}"
            found[words] = compare(folder / f"made-{len(found)}", port, commands, rounds)
            show(words, found[words])
    raw = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "rounds": rounds, "pairs": found}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{raw['date']}.json".replace(":", "").replace(" ", "-")
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def show(words: str, found: dict[str, Any]) -> None:
    """The rows of one pair, in Markdown."""
    for row in found["rows"]:
        if row["metric"] != "failures":
            sides = " | ".join(format_latency(row[side]) for side in ("base", "new"))
            interval = f"{row['low'] - 1:+.1%} to {row['high'] - 1:+.1%}"
            print(f"| {words} | {row['metric']} | {sides} | {row['change'] - 1:+.1%} ({interval}) | {row['verdict']} |")
    sys.stdout.flush()


def compare(folder: Path, port: int, commands: list[str], rounds: int) -> dict[str, Any]:
    """The rows that `wsload compare --run` comes to."""
    command = [str(WSLOAD), "compare", "--run", "--base", f"ws://127.0.0.1:{port}/"]
    command += ["--base-cmd", commands[0], "--new-cmd", commands[1], "--rounds", str(rounds), "-o", str(folder)]
    command += [*LOAD, "--format", "json"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        raise SystemExit(f"{shlex.join(command)}: exit code {done.returncode}")
    result = json.loads(done.stdout)
    rows = [
        {key: row[key] for key in ("metric", "base", "new", "change", "low", "high", "verdict")}
        for row in result["rows"]
    ]
    return {"verdict": result["verdict"], "exit_code": done.returncode, "rows": rows}


if __name__ == "__main__":
    main()
