"""`python -m benchmarks.storm`: a server dies under thousands of connections and comes back: when are all of them?

Once as a storm, all at once and all again each second, and once with the pauses of RFC 6455 section 7.2.3.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, describe

WSLOAD = Path(sys.executable).parent / "wsload"
WAYS = {"storm": ["--reconnect", "storm"], "backoff": ["--reconnect", "forever"]}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--away", type=float, default=5.0, help="seconds without a server (default: 5)")
    options = parser.parse_args()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "away_s": options.away}
    raw["ways"] = {name: _measure(name, options.connections, options.away) for name in WAYS}
    path = ROOT / "benchmarks" / "results" / "storm" / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(f"stored {path.relative_to(ROOT)}")


def _measure(name: str, connections: int, away_s: float) -> dict[str, Any]:
    """One run: all open, the server killed, away, started again, all open."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as first:
        port = first.enter_context(_echo(0))
        file = Path(folder) / "storm.wsload"
        words = ["soak", f"ws://127.0.0.1:{port}/", "-c", str(connections), "--idle", "-d", "5m", "--format", "ndjson"]
        command = [str(WSLOAD), *words, *WAYS[name], "-o", str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            opened: list[int] = []
            _until(process, connections, [])
            first.close()
            time.sleep(away_s)
            with _echo(port):
                back_ns = time.monotonic_ns()
                _until(process, connections, opened, lost=True)
                all_back_s = (time.monotonic_ns() - back_ns) / 1e9
                process.send_signal(signal.SIGTERM)
                process.communicate()
        told = subprocess.run([str(WSLOAD), "report", str(file), "--format", "json"], check=True, capture_output=True)
    summary = json.loads(told.stdout)
    recovery, times = summary["recovery"], summary["recover_time"]
    if recovery["recovered"] != connections:
        raise SystemExit(f"{name}: {connections - recovery['recovered']} were left behind")
    result = {
        "connections": connections,
        "recovery": recovery,
        "recover_s": {key: times[key] / 1e9 for key in ("min", "p50", "p90", "p99", "max")},
        "server_up_to_all_open_s": all_back_s,
        "reopened_per_s": opened,
        "suspect": not summary["verdict"]["trusted"],
    }
    print(
        f"{name:8} {connections:,} back within {all_back_s:.1f} s of the server, peak {max(opened):,} in a second,"
        f" away p50 {times['p50'] / 1e9:.2f} s, at most {times['max'] / 1e9:.2f} s, {recovery['attempts']:,} attempts"
    )
    return result


def _until(process: "subprocess.Popen[str]", connections: int, opened: list[int], *, lost: bool = False) -> None:
    """Reads intervals until all connections are open, if `lost` after they were lost; `opened` gets those of each."""
    assert process.stdout is not None
    for line in process.stdout:
        record = json.loads(line)
        level, count = record["gauges"].get("open_connections", 0), record["counters"].get("reconnects", 0)
        if count or opened:
            opened.append(count)
        lost = lost and not record["counters"].get("connections_lost") and not count
        if record["phase"] != "ramp" and level == connections and not lost:
            return
    raise SystemExit("the run ended before all connections were open")


@contextmanager
def _echo(port: int) -> Iterator[int]:
    """An echo server that is killed with all its workers; its port."""
    command = [str(WSLOAD), "serve", "echo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().rpartition(":")[2].strip(" /\n"))
        finally:
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
