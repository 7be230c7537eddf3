"""Open loops: CPU per message on a schedule, by grain, against the closed-loop floor of the same round."""

import json
from typing import Any

from benchmarks import measure
from benchmarks.measure import Case

CONNECTIONS = 1_000
FLOOR = Case(CONNECTIONS, 1)
CASES = {
    "50k/s, grain 250 us": ["--rate", "50k/s"],
    "50k/s, grain 1 ms": ["--rate", "50k/s", "--grain", "1ms"],
    "20k/s, grain 250 us": ["--rate", "20k/s"],
    "20k/s, a wake-up per message": ["--rate", "20k/s", "--grain", "1us"],
}
"""Over 1,000 connections; a grain of a microsecond wakes for each message."""


def rounds(count: int, seconds: int) -> list[dict[str, Any]]:
    """Interleaved rounds of all cases and the floor."""
    return [_round(seconds) for _ in range(count)]


def _round(seconds: int) -> dict[str, Any]:
    with measure.echo_server() as port:
        costs: dict[str, Any] = {"floor": {"cpu_ns": measure.floor(port, FLOOR, seconds).cpu_ns}}
    for name, flags in CASES.items():
        with measure.echo_server() as port:
            output, _, _ = measure.run_wsload(port, ["-c", str(CONNECTIONS), "-d", f"{seconds}s", *flags])
        summary = json.loads(output)
        generator, messages = summary["generator"], summary["messages"]
        if messages["answered"] != messages["due"] or summary["failures"]:
            raise SystemExit(f"{name}: not a clean run: {messages}, {summary['failures']}")
        costs[name] = {
            "cpu_ns": (generator["cpu_user_ns"] + generator["cpu_system_ns"]) / messages["answered"],
            "polls": generator["polls"],
            "messages": messages["answered"],
            "send_lag_p99_ns": summary["send_lag"]["p99"],
        }
    return costs
