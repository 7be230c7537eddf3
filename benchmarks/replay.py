"""`python -m benchmarks.replay`: how well a replay of 10,000 messages a second keeps the times of its recording.

A load with random gaps is recorded whole, then played again. Both run files are read here with plain SQLite, and each
message of the one is held against the same message of the other.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.machine import ROOT, busy_ns, describe
from benchmarks.measure import WSLOAD, children_ns, echo_server, timed

CONNECTIONS = 100
RATE = 10_000
LIMIT_NS = 1_000_000
EVENTS = """
    SELECT connection, direction, at_ns FROM events
    WHERE kind IN ('text', 'binary') ORDER BY connection, attempt, seq
"""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="recordings, each played once (default: 5)")
    parser.add_argument("--seconds", type=int, default=10, help="length of a recording (default: 10)")
    text = "put worker and server before other processes, on a machine that is busy (root)"
    parser.add_argument("--realtime", action="store_true", help=text)
    options = parser.parse_args()
    measure.build()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe()}
    raw |= {"connections": CONNECTIONS, "rate_per_s": RATE, "seconds": options.seconds, "realtime": options.realtime}
    raw["rounds"] = [_round(options.seconds, realtime=options.realtime) for _ in range(options.rounds)]
    path = ROOT / "benchmarks" / "results" / "replay" / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(f"stored {path.relative_to(ROOT)}")


def _round(seconds: int, *, realtime: bool) -> dict[str, Any]:
    """One recording and one replay of it, each against a fresh server."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.wsload", Path(folder) / "after.wsload"
        words = ["-c", str(CONNECTIONS), "--rate", f"{RATE}/s", "--arrivals", "poisson", "-d", f"{seconds}s"]
        whole = ["--record-connections", "1/1", "--record-limit", "4GiB", "--keep-on", "never"]
        recording, _ = _wsload("run", *words, *whole, output=before, realtime=realtime)
        summary, foreign = _wsload("replay", str(before), output=after, realtime=realtime)
        recorded, played = _times(before), _times(after)
    found = _compare(recorded, played)
    # How late a plain schedule of this rate was on the same machine a moment before.
    found["schedule_lag_p99_ns"] = recording["send_lag"]["p99"]
    found |= {"foreign": foreign, "grain_ns": summary["grain_ns"]}
    sent, heard = found["sent_ns"], found["reply_arrived_ns"]
    print(
        f"{found['messages']:,} messages  sent p50 {sent['p50'] / 1e3:.0f} us  p99 {sent['p99'] / 1e3:.0f} us  "
        f"p99.9 {sent['p99.9'] / 1e3:.0f} us  most {sent['max'] / 1e3:.0f} us  "
        f"within 1 ms {found['within_limit']:.5f}  reply arrived p99 {heard['p99'] / 1e3:.0f} us  "
        f"plain schedule p99 {found['schedule_lag_p99_ns'] / 1e3:.0f} us  foreign {foreign:.2f}"
    )
    return found


def _wsload(command: str, *words: str, output: Path, realtime: bool) -> tuple[dict[str, Any], float]:
    """Its summary, and how many cores other processes than it and its server used meanwhile."""
    begin_ns, busy, own = time.monotonic_ns(), busy_ns(), children_ns()
    with echo_server() as port:
        # `run` takes the target first, `replay` behind the recording.
        place = 1 if command == "replay" else 0
        words = (*words[:place], f"ws://127.0.0.1:{port}/", *words[place:])
        if realtime:
            threading.Thread(target=_prefer_worker, daemon=True).start()
        try:
            told, _, _ = timed([str(WSLOAD), command, *words, "--workers", "1", "--format", "json", "-o", str(output)])
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"wsload {command}: exit code {error.returncode}\n{error.stderr}") from error
    foreign = (busy_ns() - busy) - (children_ns() - own)
    return json.loads(told), max(foreign / (time.monotonic_ns() - begin_ns), 0.0)


def _prefer_worker() -> None:
    """Puts the worker's loop and the echo server before whatever else the machine does, as soon as they are there."""
    policy, most = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(10)
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s:
        for server in _children(os.getpid(), "echo_server"):
            os.sched_setscheduler(server, policy, most)
        for parent in _children(os.getpid(), "wsload"):
            for worker in _children(parent, "wsload.engine.worker"):
                os.sched_setscheduler(worker, policy, most)
                return
        time.sleep(0.02)


def _children(parent: int, word: str) -> list[int]:
    """Processes that a process has started, with `word` in their command lines."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]
    return [child for child in children if word.encode() in Path(f"/proc/{child}/cmdline").read_bytes()]


def _times(path: Path) -> dict[tuple[int, str], list[int]]:
    """When each connection's messages went and came, in their order."""
    times: dict[tuple[int, str], list[int]] = defaultdict(list)
    with closing(sqlite3.connect(path)) as file:
        for connection, direction, at_ns in file.execute(EVENTS):
            times[connection, direction].append(at_ns)
    return times


def _compare(before: dict[tuple[int, str], list[int]], after: dict[tuple[int, str], list[int]]) -> dict[str, Any]:
    """How far each message was from its time; the clock of both begins with the recording's first message."""
    if {key: len(times) for key, times in before.items()} != {key: len(times) for key, times in after.items()}:
        raise SystemExit("the replay did not send and receive as many messages as the recording")
    first_ns = min(times[0] for (_, direction), times in before.items() if direction == "sent")
    late, heard = [], []
    for (connection, direction), times in before.items():
        if direction == "sent":
            due = [at_ns - first_ns for at_ns in times]
            late += [at - wanted for wanted, at in zip(due, after[connection, "sent"], strict=True)]
            # What the kernel saw: no message was later than the arrival of its reply.
            heard += [at - wanted for wanted, at in zip(due, after[connection, "received"], strict=True)]
    within = sum(-LIMIT_NS <= one <= LIMIT_NS for one in late) / len(late)
    return {"messages": len(late), "within_limit": within, "sent_ns": _spread(late), "reply_arrived_ns": _spread(heard)}


def _spread(values: list[int]) -> dict[str, int]:
    ordered = sorted(values)
    at = {name: ordered[int(share * (len(ordered) - 1))] for name, share in QUANTILES.items()}
    return {"min": ordered[0], **at, "max": ordered[-1]}


QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


if __name__ == "__main__":
    main()
