"""Open loops: CPU per message on a schedule, by grain, against the floor's closed and open loops of the same round."""

import json
from typing import Any

from benchmarks import measure
from benchmarks.measure import Case

CONNECTIONS = 1_000
FLOOR = Case(CONNECTIONS, 1)
CASES = {
    "50k/s, grain 250 us": (50_000, 250_000),
    "50k/s, grain 1 ms": (50_000, 1_000_000),
    "20k/s, grain 250 us": (20_000, 250_000),
    "20k/s, a wake-up per message": (20_000, 1_000),
}
"""Over 1,000 connections; a grain of a microsecond wakes for each message."""


def rounds(count: int, seconds: int) -> list[dict[str, Any]]:
    """Interleaved rounds of all cases and the floor."""
    return [_round(seconds) for _ in range(count)]


def _round(seconds: int) -> dict[str, Any]:
    with measure.echo_server() as port:
        costs: dict[str, Any] = {"floor": {"cpu_ns": measure.floor(port, FLOOR, seconds).cpu_ns}}
    for name, (rate, grain_ns) in CASES.items():
        with measure.echo_server() as port:
            bare = measure.floor(port, FLOOR, seconds, rate, grain_ns if grain_ns > 1_000 else 1_000_000_000 // rate)
        with measure.echo_server() as port:
            flags = ["--rate", f"{rate}/s", "--grain", f"{grain_ns}ns"]
            output, _, _ = measure.run_wsload(port, ["-c", str(CONNECTIONS), "-d", f"{seconds}s", *flags])
        summary = json.loads(output)
        generator, messages = summary["generator"], summary["messages"]
        if messages["answered"] != messages["due"] or summary["failures"]:
            raise SystemExit(f"{name}: not a clean run: {messages}, {summary['failures']}")
        costs[name] = {
            "cpu_ns": (generator["cpu_user_ns"] + generator["cpu_system_ns"]) / messages["answered"],
            "bare_cpu_ns": bare.cpu_ns,
            "polls": generator["polls"],
            "messages": messages["answered"],
            "send_lag_p99_ns": summary["send_lag"]["p99"],
        }
    return costs
