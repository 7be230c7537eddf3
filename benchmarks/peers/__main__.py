"""`python -m benchmarks.peers [TOOL ...]`: wsload and other load tools on the same work, interleaved; renders PEERS.md.

Without names all tools that are installed take part, and the raw figures are stored. With names it is a look at these
tools beside wsload that stores nothing.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.peers import runs
from benchmarks.peers.render import render
from benchmarks.peers.tool import HOME, Tool
from benchmarks.peers.tools import TOOLS

from benchmarks import measure

BENCHMARKS = Path(__file__).parent.parent
RESULTS = BENCHMARKS / "results" / "peers"
PAGE = BENCHMARKS / "PEERS.md"
STEADY = {
    "closed-64-1": ("closed", 64, {"in_flight": 1}),
    "closed-1000-1": ("closed", 1_000, {"in_flight": 1}),
    "closed-64-16": ("closed", 64, {"in_flight": 16}),
    "closed-1000-16": ("closed", 1_000, {"in_flight": 16}),
    "open-20k": ("open", 1_000, {"rate": 20_000}),
}
STALLS = {"stall": "200ms/2s", "connections": 20, "rate": 1_000, "seconds": 9}
OPEN_ROUNDS = 2
"""At most: all of it is to end within a quarter of an hour."""
IDLE_CONNECTIONS = (200, 1_000)


def main() -> None:
    """Entry point."""
    options = _options()
    runs.raise_limits()
    if options.install:
        _install(options.tools)
    if not options.render:
        tools = _present(options.tools)
        raw = _measure(tools, options.rounds, options.seconds)
        if options.tools:
            print(render(raw))
            return
        path = RESULTS / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    newest = max(RESULTS.glob("*.json"))
    PAGE.write_text(render(json.loads(newest.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"rendered {newest.name} to benchmarks/{PAGE.name}")


def _options() -> argparse.Namespace:
    names = [tool.name for tool in TOOLS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"one or more of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: 3)")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one measurement (default: 1.5)")
    parser.add_argument("--install", action="store_true", help=f"install what is missing into {HOME.name}/ first")
    parser.add_argument("--render", action="store_true", help="render the newest raw figures and measure nothing")
    options = parser.parse_args()
    if unknown := set(options.tools) - set(names):
        parser.error(f"no such tool: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return options


def _install(names: list[str]) -> None:
    HOME.mkdir(exist_ok=True)
    for tool in TOOLS:
        if tool.install and tool.version() is None and (not names or tool.name in names):
            for command in tool.install:
                print(f"{tool.name}: {command}", flush=True)
                if subprocess.run(["bash", "-c", command], cwd=HOME, check=False).returncode:
                    print(f"{tool.name}: not installed, the command failed", file=sys.stderr)
                    break


def _present(names: list[str]) -> dict[Tool, str]:
    """The tools that take part with their versions; the others are named with how to have them."""
    measure.build()
    present = {}
    for tool in TOOLS:
        if names and tool.name not in {*names, "wsload"}:
            continue
        version = tool.version()
        if version is None:
            how = f"python -m benchmarks.peers --install {tool.name}" if tool.install else tool.source
            print(f"{tool.name}: skipped, it is not installed; {how}", flush=True)
        else:
            present[tool] = version
    return present


def _measure(tools: dict[Tool, str], rounds: int, seconds: float) -> dict[str, Any]:
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe()}
    raw["seconds"], raw["stalls"], raw["idle_connections"] = seconds, STALLS, IDLE_CONNECTIONS
    raw["tools"] = {tool.name: {"version": version, "what": tool.what} for tool, version in tools.items()}
    raw["steady"] = {name: [] for name in STEADY}
    for number in range(rounds):
        for name, (kind, connections, load) in STEADY.items():
            if kind == "open" and number >= OPEN_ROUNDS:
                continue
            able = [tool for tool in tools if tool.does(kind, load.get("in_flight", 1))]
            ordered = able[::-1] if number % 2 else able
            figures = {
                tool.name: _attempt(tool, name, runs.steady, tool, kind, connections, seconds, load) for tool in ordered
            }
            raw["steady"][name].append(figures)
    raw["reported"] = {
        tool.name: _attempt(tool, "stalls", runs.reported, tool, **STALLS) for tool in tools if tool.does("open", 1)
    }
    raw["idle_rss_bytes"] = {
        tool.name: [_attempt(tool, "idle", runs.idle_rss_bytes, tool, count) for count in IDLE_CONNECTIONS]
        for tool in tools
        if tool.does("idle", 1)
    }
    raw["refused"] = {
        tool.name: _attempt(
            tool, "refused", runs.refused_exit_code, tool, "closed" if tool.does("closed", 1) else "open"
        )
        for tool in tools
        if tool.name != "floor"
    }
    return raw


def _attempt(tool: Tool, what: str, run: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """What a run gives; None, and a line about it, if the tool did not do it."""
    try:
        found = run(*arguments, **keywords)
    except runs.UnfitError as error:
        print(f"{what:15} {tool.name:16} {error}", flush=True)
        return None
    figure = (
        f"{found['cpu_ns'] / 1e3:.2f} us, {found['rate']:.0f}/s"
        if isinstance(found, dict) and "rate" in found
        else found
    )
    print(f"{what:15} {tool.name:16} {figure}", flush=True)
    return found


if __name__ == "__main__":
    main()
