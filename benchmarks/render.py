"""From raw results to RESULTS.md."""

import statistics
from typing import Any

BOUNDS = {"closed-64-1": "ratio <= 1.15", "closed-1000-1": "ratio <= 1.20"}
IN_FLIGHT_16_BOUND = "<= 0.50 µs"

HEAD = """# Results

Rendered by `make bench` from the raw figures in `benchmarks/results/`; how they are measured stands in
`benchmarks/README.md`. Figures are medians, ranges in brackets. The machines are shared: compare ratios, not days.
"""


def render(raw: dict[str, Any]) -> str:
    """The page."""
    machine = raw["machine"]
    lines = [HEAD, f"## {raw['date']}, commit {machine['commit']}", ""]
    lines.append(
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['congestion_control']};"
        f" Rust {machine['rust']}, Python {machine['python']}, uvloop {machine['uvloop']}, wsload {machine['wsload']}."
    )
    lines += ["", f"### CPU per round trip, 32-byte messages, closed loop, {raw['rounds']} interleaved rounds", ""]
    lines.append(
        "| connections | in flight | floor, µs | wsload, µs | of it user | ratio | whole process tree, µs | bound |"
    )
    lines.append("|---:|---:|---:|---:|---:|---:|---:|---|")
    lines += [_row(name, rounds) for name, rounds in raw["cases"].items()]
    if memory := raw.get("memory"):
        lines += ["", "### Memory", ""]
        lines.append("| idle plain connections | worker's resident memory | per connection | bound |")
        lines.append("|---:|---:|---:|---|")
        for count, rss in sorted((int(count), rss) for count, rss in memory["rss_bytes"].items()):
            slope = f"{memory['bytes_per_connection']:.0f} B" if count == max(map(int, memory["rss_bytes"])) else ""
            lines.append(f"| {count:,} | {rss / 1e6:.1f} MB | {slope} | {'<= 1,024 B' if slope else ''} |")
    if opened := raw.get("open"):
        lines += _open(opened)
    if secured := raw.get("secured"):
        lines += _secured(secured)
    if start_up := raw.get("start_up_ms"):
        lines += ["", "### Start-up, median wall time", "", "| command | time | bound |", "|---|---:|---|"]
        lines += [f"| `{command}` | {value:.0f} ms | < 250 ms |" for command, value in start_up.items()]
    return "\n".join(lines) + "\n"


def ratio(rounds: list[dict[str, Any]]) -> float:
    """Median over rounds of wsload's CPU per round trip over the floor's of the same round."""
    return statistics.median(float(one["wsload"]["cpu_ns"]) / float(one["floor"]["cpu_ns"]) for one in rounds)


OPEN_BOUNDS = {"50k/s, grain 250 us": "<= 1.5 of the floor", "50k/s, grain 1 ms": "<= 1.2 of the floor"}


def _open(rounds: list[dict[str, Any]]) -> list[str]:
    lines = ["", "### Open loop over 1,000 connections, CPU per message", ""]
    columns = ("load", "µs", "of the floor on this schedule", "of its closed loop", "messages per wake-up")
    lines.append(f"| {' | '.join(columns)} | send lag p99 | bound |")
    lines += ["|---|---:|---:|---:|---:|---:|---|"]
    for name in (name for name in rounds[0] if name != "floor"):
        cpu, of_bare, of_floor, lag = (
            statistics.median(values)
            for values in (
                [one[name]["cpu_ns"] / 1e3 for one in rounds],
                [one[name]["cpu_ns"] / one[name]["bare_cpu_ns"] for one in rounds],
                [one[name]["cpu_ns"] / one["floor"]["cpu_ns"] for one in rounds],
                [one[name]["send_lag_p99_ns"] / 1e3 for one in rounds],
            )
        )
        per_wake_up = statistics.median(one[name]["messages"] / one[name]["polls"] for one in rounds)
        bound = OPEN_BOUNDS.get(name, "")
        ratios = f"{of_bare:.2f} | {of_floor:.2f}"
        lines.append(f"| {name} | {cpu:.2f} | {ratios} | {per_wake_up:.1f} | {lag:.0f} µs | {bound} |")
    return lines


def _secured(secured: dict[str, Any]) -> list[str]:
    def median(kind: str, who: str) -> float:
        return statistics.median(float(one[who]) for one in secured[kind]) / 1e3

    def times(kind: str, who: str, other: str) -> float:
        return statistics.median(float(one[who]) / float(one[other]) for one in secured[kind])

    tls, deflate = "TLS 1.3, 32 bytes, 64 connections", "permessage-deflate, 1 kB of JSON, 64 connections"
    lines = ["", "### TLS and compression, CPU per round trip of the client", ""]
    lines += ["| what | client | µs | ratio |", "|---|---|---:|---|"]
    lines.append(
        f"| {tls} | wsload | {median('tls', 'wsload'):.2f} | {times('tls', 'wsload', 'floor'):.2f} of the floor |"
    )
    versus = times("tls", "picows", "wsload")
    lines.append(f"| | picows and Python's ssl | {median('tls', 'picows'):.2f} | {versus:.2f} of wsload |")
    lines.append(f"| | floor, without TLS | {median('tls', 'floor'):.2f} | |")
    lines.append(f"| {deflate} | wsload | {median('deflate', 'wsload'):.2f} | |")
    versus = times("deflate", "websockets", "wsload")
    lines.append(f"| | Python websockets | {median('deflate', 'websockets'):.2f} | {versus:.2f} of wsload |")
    lines += ["", "| connections | memory of each |", "|---|---:|"]
    lines += [f"| {name} | {value / 1024:.1f} KiB |" for name, value in secured["memory"].items()]
    return lines


def _row(name: str, rounds: list[dict[str, Any]]) -> str:
    _, connections, in_flight = name.split("-")
    ratios = sorted(one["wsload"]["cpu_ns"] / one["floor"]["cpu_ns"] for one in rounds)
    floor, own, user, tree = (
        statistics.median(one[who][what] for one in rounds) / 1e3
        for who, what in (("floor", "cpu_ns"), ("wsload", "cpu_ns"), ("wsload", "user_ns"), ("wsload", "whole_tree_ns"))
    )
    bound = BOUNDS.get(name, IN_FLIGHT_16_BOUND if in_flight == "16" else "")
    spread = f"**{ratio(rounds):.2f}** [{ratios[0]:.2f}-{ratios[-1]:.2f}]"
    figures = f"{floor:.2f} | {own:.2f} | {user:.2f} | {spread} | {tree:.2f}"
    return f"| {int(connections):,} | {in_flight} | {figures} | {bound} |"
