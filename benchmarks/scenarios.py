"""`python -m benchmarks.scenarios`: what a scenario costs per message, against the plain echo of the same round."""

import argparse
import json
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.machine import describe

HERE = Path(__file__).parent
MESSAGE = (
    '{json: {id: "{{$id|raw}}", type: say, text: "{{$randomString(16)}}"}, reply: {match: {json: $.id}, within: 5s}}'
)
STEPS = {
    "one message": "[{send: say}]",
    "steps": "[{send: say}, {send: say}]",
    "steps that expect": "[{send: {json: {type: ask, n: 1}}, expect: {json: {$.type: ask}, within: 5s}}, {send: say}]",
}
"""Of an iteration: the first goes the way of plain messages, the others are run step by step."""
CONNECTIONS = 64


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: 5)")
    parser.add_argument("--seconds", type=int, default=2, help="length of one run (default: 2)")
    options = parser.parse_args()
    measure.build()
    rounds = [_round(options.seconds) for _ in range(options.rounds)]
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "rounds": rounds}
    path = HERE / "results" / "scenarios" / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    for name in rounds[0]:
        cost = statistics.median(one[name] for one in rounds) / 1e3
        ratio = statistics.median(one[name] / one["plain echo"] for one in rounds)
        print(f"{name:20} {cost:6.2f} us per message   {ratio:.2f} of the plain echo")


def _round(seconds: int) -> dict[str, float]:
    """CPU of the worker per message, ns: the plain echo, then each scenario."""
    load = ["-c", str(CONNECTIONS), "-d", f"{seconds}s"]
    with measure.echo_server() as port:
        costs = {"plain echo": _cost(measure.run_wsload(port, [*load, "--size", "64"])[0])}
    for name, steps in STEPS.items():
        with measure.echo_server() as port, tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bench.yaml"
            target = f"target: ws://127.0.0.1:{port}/"
            file.write_text(f"{target}\nmessages: {{say: {MESSAGE}}}\niterate: {steps}\n", encoding="utf-8")
            output = measure.run_wsload(port, load, target=str(file))[0]
            costs[name] = _cost(output)
    return costs


def _cost(output: str) -> float:
    summary: dict[str, Any] = json.loads(output)
    generator, messages = summary["generator"], summary["messages"]
    if summary["failures"] or messages["answered"] != messages["sent"]:
        raise SystemExit(f"not a clean run: {messages}, {summary['failures']}")
    return float((generator["cpu_user_ns"] + generator["cpu_system_ns"]) / messages["answered"])


if __name__ == "__main__":
    main()
