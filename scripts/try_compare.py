"""Real comparisons on this machine: a server against itself, many times, and against servers that are known to differ.

Both sides are `wsload serve faults`, started anew for each run with another seed, so that no run repeats another's
delays. Prints the rows of the tables in docs/statistics.md.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WSLOAD = Path(sys.executable).parent / "wsload"
LOAD = ["--rate", "1000/s", "-c", "20", "--warmup", "1s", "--quiet", "--anyway", "--format", "json"]
TIMEOUT_S = 900


@dataclass(frozen=True)
class Case:
    """A delay of the new side's replies; the base's is log-normal around 5 ms, 0.3."""

    name: str
    delay: str
    tolerances: tuple[str, ...] = ("5%",)


BASE = "lognormal:5ms,0.3"
CASES = (
    Case("+5 %", "lognormal:5.25ms,0.3", ("1%", "5%", "15%")),
    Case("+10 %", "lognormal:5.5ms,0.3", ("1%", "5%", "15%")),
    Case("tail only, p99 +15 %", "lognormal:5ms,0.36", ("1%", "5%", "25%")),
)


def server(port: int, delay: str) -> str:
    """The command that starts a server whose delays nobody has seen before."""
    command = f"exec {WSLOAD} serve faults --port {port} --delay {delay} --seed $(od -An -N4 -tx4 /dev/urandom)"
    return f"sh -c {shlex.quote(command)}"


def run_rounds(folder: Path, port: int, delay: str, rounds: int, seconds: int) -> None:
    """Makes the runs of a comparison."""
    arguments = ["--run", "--base", f"ws://127.0.0.1:{port}/", "--rounds", str(rounds), "-d", f"{seconds}s"]
    arguments += ["--base-cmd", server(port, BASE), "--new-cmd", server(port, delay), "-o", str(folder)]
    compare(*arguments, *LOAD)


def compare(*arguments: str) -> dict[str, Any]:
    """What `wsload compare` says, as data."""
    command = [str(WSLOAD), "compare", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode not in {0, 3}:
        sys.exit(done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def told(document: dict[str, Any], name: str) -> str:
    """`+5.1 % (+3.9 to +6.3), regressed`."""
    row = next(row for row in document["rows"] if row["metric"] == name)
    change, low, high = (100 * (row[end] - 1) for end in ("change", "low", "high"))
    return f"{change:+.1f} % ({low:+.1f} to {high:+.1f}), {row['verdict']}"


def main() -> None:
    """Makes them, and prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--equal", type=int, default=20, help="comparisons of a server with itself (%(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="(%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of each run (%(default)s)")
    parser.add_argument("--port", type=int, default=9731, help="(%(default)s)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for number in range(asked.equal):
            folder = Path(name) / f"equal-{number}"
            run_rounds(folder, asked.port, BASE, asked.rounds, asked.seconds)
            sides = (str(folder / "base"), str(folder / "new"), "--anyway", "--format", "json")
            strict, usual = compare(*sides, "--tolerance", "0%"), compare(*sides)
            alarms = [row["metric"] for row in strict["rows"] if row["verdict"] in {"regressed", "improved"}]
            held = sum(row["low"] <= (row["scale"] == "ratio") <= row["high"] for row in strict["rows"])
            cells = [str(number + 1), told(usual, "response.p50"), told(usual, "response.p99"), usual["verdict"]]
            cells += [f"{held} of {len(strict['rows'])}", ", ".join(alarms) or "none"]
            print("| " + " | ".join(cells) + f" | {len(strict['differences'])} |", flush=True)
        for case in CASES:
            folder = Path(name) / case.delay.replace(":", "-")
            run_rounds(folder, asked.port, case.delay, asked.rounds, 2 * asked.seconds)
            for tolerance in case.tolerances:
                sides = (str(folder / "base"), str(folder / "new"), "--anyway", "--format", "json")
                found = compare(*sides, "--tolerance", tolerance)
                cells = [case.name, tolerance, told(found, "response.p50"), told(found, "response.p99")]
                print("| " + " | ".join([*cells, found["verdict"]]) + " |", flush=True)


if __name__ == "__main__":
    main()
