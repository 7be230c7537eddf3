"""`python -m benchmarks.builds A B`: two builds of wsload, CPU per round trip side by side.

A and B are `wsload` commands of two environments, for example with a plain wheel and with one built under profile
guidance. Rounds are interleaved, the server is the native one on the other core; raw figures go to `results/builds/`.
"""

import argparse
import json
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.measure import Case, build, echo_server, timed

RESULTS = Path(__file__).parent / "results" / "builds"
FLAGS: dict[str, list[str]] = {
    **{
        f"{case.connections} connections, {case.in_flight} in flight": [
            "-c",
            str(case.connections),
            "--in-flight",
            str(case.in_flight),
        ]
        for case in (Case(64, 1), Case(64, 16), Case(1000, 1), Case(1000, 16))
    },
    "64 connections, matched by a field": ["-c", "64", "-m", '{"id": {{$id}}}', "--match", "json:$.id"],
    "1,000 connections, 20k/s": ["-c", "1000", "--rate", "20k/s"],
}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.builds", description=__doc__)
    parser.add_argument("commands", nargs=2, metavar="WSLOAD", help="a wsload command, by its path")
    parser.add_argument("--labels", nargs=2, default=["plain", "guided"], help="what they are called in the results")
    parser.add_argument("--rounds", type=int, default=6, help="interleaved rounds per kind of work (default: 6)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run (default: 3)")
    options = parser.parse_args()
    build()
    builds = dict(zip(options.labels, options.commands, strict=True))
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "work": {}}
    for work, flags in FLAGS.items():
        rounds = []
        for number in range(options.rounds):
            order = list(builds)[:: -1 if number % 2 else 1]
            rounds.append({label: _cost(builds[label], flags, options.seconds) for label in order})
        raw["work"][work] = rounds
        print(_line(work, rounds, *options.labels), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{raw['date']}.json".replace(":", "").replace(" ", "-")
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def _cost(command: str, flags: list[str], seconds: int) -> dict[str, float]:
    """CPU of the worker per round trip, ns: all of it, and what it spent outside of the kernel."""
    with echo_server() as port, tempfile.TemporaryDirectory() as folder:
        target = ["run", f"ws://127.0.0.1:{port}/", "--workers", "1", "--format", "json", "-o", f"{folder}/o.wsload"]
        output, _, foreign = timed([command, *target, "-d", f"{seconds}s", *flags])
    summary = json.loads(output)
    generator, answered = summary["generator"], summary["messages"]["answered"]
    if summary["failures"]:
        raise SystemExit(f"not a clean run: {summary['failures']}")
    user_ns, system_ns = generator["cpu_user_ns"], generator["cpu_system_ns"]
    return {"cpu_ns": (user_ns + system_ns) / answered, "user_ns": user_ns / answered, "foreign": foreign}


def _line(work: str, rounds: list[dict[str, dict[str, float]]], a: str, b: str) -> str:
    parts = []
    for key in ("cpu_ns", "user_ns"):
        first, second = (statistics.median(one[label][key] for one in rounds) for label in (a, b))
        ratio = statistics.median(one[b][key] / one[a][key] for one in rounds)
        parts.append(f"{key} {first:6.0f} → {second:6.0f} ({ratio:.3f})")
    return f"{work:36} " + "  ".join(parts)


if __name__ == "__main__":
    main()
