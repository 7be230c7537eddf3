"""A worker without a shard: speaks the protocol, and misbehaves as its name on the command line says.

Only worker 1 misbehaves unless the name begins with `all_`. A well-behaved one reports one interval of the ramp with
2 open connections and three of the run with 10 messages each.
"""

import json
import os
import signal
import struct
import sys
from typing import Any

from engine.support import SECOND, Span, make_block


def record(kind: bytes, payload: bytes) -> None:
    os.write(1, struct.pack("<cI", kind, len(payload)) + payload)


def state(name: str) -> None:
    record(b"S", name.encode())


def command() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        os._exit(1)
    found: dict[str, Any] = json.loads(line)
    return found


def misbehave(how: str) -> None:
    """What happens in place of the second interval of the run."""
    match how:
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exits":
            sys.stderr.write("Traceback\n" + "x" * 5_000 + "\nMemoryError: no room\n")
            sys.stderr.flush()
            os._exit(3)
        case "errs":
            record(b"E", b"the shard panicked")
            os._exit(1)
        case "falls_silent":
            signal.pause()
        case "babbles":
            os.write(1, b"Hello!")
        case "damages_block":
            record(b"I", b"\xff\xff\xff\xff")
        case "repeats":
            record(b"I", make_block(Span(1, 0, SECOND), sent=10))
        case "dances":
            state("dancing")
        case "tears":
            os.write(1, struct.pack("<cI", b"I", 1_000) + b"only this")
            os._exit(0)


def play(how: str) -> None:
    state("idle")
    if (order := command())["do"] in {"stop", "abort"}:
        state("done")
        return
    if how == "repeats_its_order":
        record(b"E", json.dumps(order).encode())
        os._exit(1)
    start_ns = int(order["at_ns"])
    if how == "dies_connecting":
        os.kill(os.getpid(), signal.SIGKILL)
    state("connecting")
    record(b"I", make_block(Span(0, start_ns, start_ns + 1_000), open_connections=2, connects_opened=2))
    state("ready")
    epoch_ns = int(command()["at_ns"])
    state("running")
    if how in {"waits", "is_deaf"}:
        asked = command()["do"]
        if how == "is_deaf":
            signal.pause()
        record(b"I", make_block(Span(1, epoch_ns, epoch_ns + 1), sent={"stop": 1, "abort": 2}[asked]))
        state("done")
        return
    for index in range(1, 4):
        if index == 2:
            misbehave(how)
        record(b"I", make_block(Span(index, epoch_ns + (index - 1) * SECOND, epoch_ns + index * SECOND), sent=10))
    state("done")


def main() -> None:
    plan = command()
    how = sys.argv[1]
    if how == "all_fail_to_start":
        sys.stderr.write("ModuleNotFoundError: No module named 'uvloop'\n")
        sys.exit(1)
    if how == "all_stay_away":
        signal.pause()
    play(how.removeprefix("all_") if how.startswith("all_") or plan["worker"] == 1 else "behaves")


if __name__ == "__main__":
    main()
