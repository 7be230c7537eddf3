"""From raw figures of peers to PEERS.md."""

import statistics
from typing import Any

from benchmarks.peers.runs import truth_ms

HEAD = """# Beside other tools

Rendered by `python -m benchmarks.peers` from the raw figures in `benchmarks/results/peers/`; what is measured and how
stands in `benchmarks/README.md`. Medians over the rounds, ranges in brackets; *of wsload* is a ratio within a round.
The machines are shared: compare ratios, not days.
"""
BOUNDS = {
    "closed-64-1": {"k6": 4, "artillery": 4, "locust": 4, "picows": 1, "aiohttp": 1},
    "closed-1000-1": {"k6": 7, "artillery": 7, "locust": 7, "picows": 1, "aiohttp": 1},
}
"""CPU per message of wsload, times this, is to be at most that of the tool."""
TITLES = {
    "closed-64-1": "Closed loop, 64 connections, 1 in flight",
    "closed-1000-1": "Closed loop, 1,000 connections, 1 in flight",
    "closed-64-16": "Closed loop, 64 connections, 16 in flight",
    "closed-1000-16": "Closed loop, 1,000 connections, 16 in flight",
    "open-20k": "Open loop, 1,000 connections, 20,000 messages/s asked",
}


def render(raw: dict[str, Any]) -> str:
    """The page."""
    machine = raw["machine"]
    lines = [HEAD, f"## {raw['date']}, commit {machine['commit']}", ""]
    lines.append(
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['congestion_control']};"
        f" Rust {machine['rust']}, Python {machine['python']}, uvloop {machine['uvloop']}. The tool on one core, the"
        " server on the other."
    )
    lines += ["", "| tool | version | how it does the work |", "|---|---|---|"]
    lines += [f"| {name} | {tool['version']} | {tool['what']} |" for name, tool in raw["tools"].items()]
    for name, rounds in raw["steady"].items():
        lines += _steady(name, rounds)
    lines += _stalls(raw)
    lines += _memory(raw)
    lines += ["", "### Exit code when every connection is refused", "", "| tool | exit code |", "|---|---:|"]
    lines += [f"| {name} | {'does not end' if code is None else code} |" for name, code in raw["refused"].items()]
    return "\n".join(lines) + "\n"


def _steady(case: str, rounds: list[dict[str, Any]]) -> list[str]:
    lines = ["", f"### {TITLES[case]}", ""]
    lines.append("| tool | CPU per message, µs | of wsload | bound | messages/s | cores of others meanwhile |")
    lines.append("|---|---:|---:|---|---:|---:|")
    for name in rounds[0]:
        found = [one[name] for one in rounds if one.get(name)]
        if not found:
            lines.append(f"| {name} | did not do it | | | | |")
            continue
        ratios = [
            one[name]["cpu_ns"] / one["wsload"]["cpu_ns"] for one in rounds if one.get(name) and one.get("wsload")
        ]
        bound = BOUNDS.get(case, {}).get(name)
        lines.append(
            f"| {name} | {_median([one['cpu_ns'] / 1e3 for one in found]):.2f} | {_range(ratios)} |"
            f" {f'>= {bound}' if bound else ''} | {_median([one['rate'] for one in found]):,.0f} |"
            f" {_median([one['foreign'] for one in found]):.2f} |"
        )
    return lines


def _stalls(raw: dict[str, Any]) -> list[str]:
    load = raw["stalls"]
    lines = ["", "### Response times reported of a server that stands still for 200 ms every 2 s, ms", ""]
    lines.append(
        f"An open loop of {load['rate']:,} messages/s over {load['connections']} connections for {load['seconds']} s"
        " against `wsload serve faults`. *Truth* is what the stalls alone do to messages sent on time."
    )
    lines += ["", "| tool | p50 | p95 | p99 |", "|---|---:|---:|---:|"]
    # Four stalls fall into nine seconds.
    period_ms = load["seconds"] * 1e3 / (load["seconds"] // 2)
    truth = [truth_ms(200, period_ms, share) for share in (0.50, 0.95, 0.99)]
    lines.append(f"| **truth** | {' | '.join(f'{value:.1f}' for value in truth)} |")
    for name, found in raw["reported"].items():
        values = [found.get(percentile) for percentile in ("p50", "p95", "p99")]
        lines.append(f"| {name} | {' | '.join('not told' if v is None else f'{v:.1f}' for v in values)} |")
    return lines


def _memory(raw: dict[str, Any]) -> list[str]:
    few, many = raw["idle_connections"]
    lines = ["", "### Memory of idle connections", "", f"Resident memory with {few:,} and {many:,} connections.", ""]
    lines += ["| tool | per connection, KiB | all of it, MB |", "|---|---:|---:|"]
    for name, (low, high) in raw["idle_rss_bytes"].items():
        if low is None or high is None:
            lines.append(f"| {name} | did not do it | |")
        else:
            # A heap that is tidied up in between can be smaller with more connections.
            slope = f"{(high - low) / (many - few) / 1024:.1f}" if high > low else "not to be told"
            lines.append(f"| {name} | {slope} | {high / 1e6:.0f} |")
    return lines


def _range(ratios: list[float]) -> str:
    return f"**{_median(ratios):.2f}** [{min(ratios):.2f}-{max(ratios):.2f}]" if ratios else ""


def _median(values: list[float]) -> float:
    return float(statistics.median(values))
