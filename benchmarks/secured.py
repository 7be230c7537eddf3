"""TLS and compression: CPU per message against what Python programmers have, memory per connection."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from benchmarks import measure
from benchmarks.measure import Case

PEERS = Path(__file__).parent / "peers"
CONNECTIONS = 64
MEMORY_COUNTS = (500, 2_500)
# What a chat service sends: JSON of about a kilobyte.
MESSAGE = json.dumps(
    [{"id": number, "user": f"user-{number * 37 % 101}", "text": "so it goes", "at": 1_700_000_000 + number * 13}
     for number in range(14)]
)  # fmt: skip


def rounds(count: int, seconds: int) -> dict[str, Any]:
    """Interleaved rounds of both comparisons."""
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder))
        tls = [_tls(files, seconds) for _ in range(count)]
        deflate = [_deflate(files, seconds) for _ in range(count)]
        return {"tls": tls, "deflate": deflate, "memory": _memory(files)}


def make_files(folder: Path) -> dict[str, str]:
    """A certificate, who signed it, and a message, as files."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: folder / name for name in ("ca.pem", "cert.pem", "key.pem", "message.json")}
    authority.cert_pem.write_to_path(paths["ca.pem"])
    certificate.cert_chain_pems[0].write_to_path(paths["cert.pem"])
    certificate.private_key_pem.write_to_path(paths["key.pem"])
    paths["message.json"].write_text(MESSAGE, encoding="ascii")
    return {name: str(path) for name, path in paths.items()}


@contextmanager
def python_server(*arguments: str) -> Iterator[int]:
    """A server of `peers/server.py` on its own core; gives its port."""
    command = [sys.executable, str(PEERS / "server.py"), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, preexec_fn=measure.on(1)) as server:  # noqa: PLW1509
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait()


def _tls(files: dict[str, str], seconds: int) -> dict[str, float]:
    with measure.echo_server() as port:
        floor = measure.floor(port, Case(CONNECTIONS, 1), seconds)
    with python_server("tls", files["cert.pem"], files["key.pem"]) as port:
        own = _wsload(f"wss://localhost:{port}/", seconds, "--cacert", files["ca.pem"])
    with python_server("tls", files["cert.pem"], files["key.pem"]) as port:
        other = _peer("tls", port, seconds, files["ca.pem"])
    return {"floor": floor.cpu_ns, "wsload": own, "picows": other}


def _deflate(files: dict[str, str], seconds: int) -> dict[str, float]:
    with python_server("deflate") as port:
        own = _wsload(f"ws://127.0.0.1:{port}/", seconds, "--compress", "on", "-f", files["message.json"])
    with python_server("deflate") as port:
        other = _peer("deflate", port, seconds, files["message.json"])
    return {"wsload": own, "websockets": other}


def _wsload(url: str, seconds: int, *flags: str) -> float:
    summary = _run(url, ["-c", str(CONNECTIONS), "-d", f"{seconds}s", *flags])
    if summary["failures"]:
        raise SystemExit(f"not a clean run: {summary['failures']}")
    generator = summary["generator"]
    return float((generator["cpu_user_ns"] + generator["cpu_system_ns"]) / summary["messages"]["answered"])


def _run(url: str, flags: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(measure.WSLOAD), "run", url, "--workers", "1", "--format", "json", "-o", f"{folder}/b.wsload"]
        output, _, _ = measure.timed([*command, *flags])
    summary: dict[str, Any] = json.loads(output)
    return summary


def _peer(mode: str, port: int, seconds: int, extra: str) -> float:
    command = [sys.executable, str(PEERS / "client.py"), mode, str(port), str(CONNECTIONS), str(seconds), extra]
    output, _, _ = measure.timed(command)
    result = json.loads(output)
    return float(result["cpu_ns"] / result["round_trips"])


def _memory(files: dict[str, str]) -> dict[str, float]:
    """Bytes of the worker per connection: the slope between two numbers of connections."""
    slopes = {}
    for name, server, scheme, flags in (
        ("TLS, idle", ["tls", files["cert.pem"], files["key.pem"]], "wss", ["--cacert", files["ca.pem"], "--idle"]),
        ("deflate with context, after a message", ["deflate"], "ws", ["--compress", "on", "--rate-per-conn", "1/s"]),
        (
            "deflate without context, after a message",
            ["deflate"],
            "ws",
            ["--compress", "server_no_context_takeover,client_no_context_takeover", "--rate-per-conn", "1/s"],
        ),
    ):
        resident = []
        for count in MEMORY_COUNTS:
            with python_server(*server) as port:
                summary = _run(f"{scheme}://localhost:{port}/", ["-c", str(count), "-d", "2s", *flags])
            if summary["connections"]["opened"] != count:
                raise SystemExit(f"{name}: {summary['connections']}, {summary['failures']}")
            resident.append(summary["generator"]["rss_bytes_max"])
        slopes[name] = (resident[1] - resident[0]) / (MEMORY_COUNTS[1] - MEMORY_COUNTS[0])
    return slopes
