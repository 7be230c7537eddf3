"""`python -m benchmarks`: measures, stores the raw figures, renders RESULTS.md."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measure, open_loops, secured
from benchmarks.machine import describe
from benchmarks.measure import Case
from benchmarks.render import ratio, render

HERE = Path(__file__).parent
CASES = [Case(64, 1), Case(1000, 1), Case(64, 16), Case(1000, 16)]
MAX_FOREIGN_CORES = 0.12
MAX_REPEATS = 3


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="interleaved rounds per case (default: 10)")
    parser.add_argument("--seconds", type=int, default=2, help="length of one run (default: 2)")
    parser.add_argument("--only", choices=[case.name for case in CASES], help="one case, nothing else")
    parser.add_argument("--render", action="store_true", help="render the newest raw figures and measure nothing")
    options = parser.parse_args()
    if not options.render:
        raw = _measure(options.rounds, options.seconds, options.only)
        if options.only:
            return
        path = HERE / "results" / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    newest = max((HERE / "results").glob("*.json"))
    (HERE / "RESULTS.md").write_text(render(json.loads(newest.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"rendered {newest.name} to benchmarks/RESULTS.md")


def _measure(rounds: int, seconds: int, only: str | None) -> dict[str, Any]:
    measure.build()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "rounds": rounds}
    raw["cases"] = {}
    for case in CASES:
        if only in {None, case.name}:
            raw["cases"][case.name] = [_round(case, seconds, number) for number in range(rounds)]
            print(f"{case.name:14} ratio {ratio(raw['cases'][case.name]):.3f}", flush=True)
    if only is None:
        raw["memory"] = _memory()
        raw["open"] = open_loops.rounds(max(rounds // 2, 1), seconds)
        raw["secured"] = secured.rounds(max(rounds // 2, 1), seconds)
        python = sys.executable
        commands = {
            "import wsload.cli": [python, "-c", "import wsload.cli.app"],
            "wsload --help": [str(measure.WSLOAD), "--help"],
        }
        raw["start_up_ms"] = {name: measure.start_up_ms(command, 20) for name, command in commands.items()}
    return raw


def _round(case: Case, seconds: int, number: int) -> dict[str, Any]:
    """Both, one after the other, in turn first; again while somebody else was busy, within reason."""
    runners = [("floor", measure.floor), ("wsload", measure.wsload)]
    for repeat in range(MAX_REPEATS + 1):
        costs = {}
        for name, run in reversed(runners) if number % 2 else runners:
            with measure.echo_server() as port:
                costs[name] = run(port, case, seconds)
        disturbed = max(cost.foreign for cost in costs.values()) > MAX_FOREIGN_CORES
        if not disturbed or repeat == MAX_REPEATS:
            break
    return {"disturbed": disturbed, **{name: asdict(cost) for name, cost in costs.items()}}


def _memory() -> dict[str, Any]:
    counts = (1_000, 10_000)
    with measure.echo_server() as port:
        rss = {count: measure.idle_rss_bytes(port, count) for count in counts}
    slope = (rss[counts[1]] - rss[counts[0]]) / (counts[1] - counts[0])
    print(f"memory {slope:.0f} B per idle connection", flush=True)
    return {"rss_bytes": rss, "bytes_per_connection": slope}


if __name__ == "__main__":
    main()
