"""`python -m benchmarks.timeline`: what recording costs per message, and what a question to a million events costs."""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import measure
from benchmarks.machine import describe
from benchmarks.measure import Case

if TYPE_CHECKING:
    from wsload.results import Event

HERE = Path(__file__).parent
CASES = [Case(64, 1), Case(1000, 1), Case(64, 16)]
EVENTS = 1_000_000
CONNECTIONS = 1_000


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timeline", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="interleaved rounds per case (default: 6)")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run (default: 3)")
    parser.add_argument("--queries-only", action="store_true", help="leave the cost of recording out")
    options = parser.parse_args()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe()}
    raw["queries_s"] = _queries()
    if not options.queries_only:
        measure.build()
        raw["recording"] = {case.name: _recording(case, options.rounds, options.seconds) for case in CASES}
    path = HERE / "results" / "timeline" / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(f"stored {path.relative_to(HERE.parent)}")


def _recording(case: Case, rounds: int, seconds: int) -> dict[str, Any]:
    """CPU of the worker per round trip with recording on (the defaults) and off, in turn first."""
    costs: dict[str, list[dict[str, float]]] = {"on": [], "off": []}
    for number in range(rounds):
        for name in ("on", "off") if number % 2 else ("off", "on"):
            flags = ["-c", str(case.connections), "--in-flight", str(case.in_flight), "-d", f"{seconds}s"]
            with measure.echo_server() as port:
                output, tree_ns, foreign = measure.run_wsload(port, flags + (["--no-record"] if name == "off" else []))
            summary = json.loads(output)
            generator, messages = summary["generator"], summary["messages"]
            if messages["answered"] != messages["sent"] or summary["failures"]:
                raise SystemExit(f"{case.name}: not a clean run: {messages}, {summary['failures']}")
            cpu_ns = generator["cpu_user_ns"] + generator["cpu_system_ns"]
            trips = messages["answered"]
            costs[name].append({"cpu_ns": cpu_ns / trips, "tree_ns": tree_ns / trips, "foreign": foreign})
    ratios = [on["cpu_ns"] / off["cpu_ns"] for on, off in zip(costs["on"], costs["off"], strict=True)]
    on, off = (statistics.median(one["cpu_ns"] for one in costs[name]) for name in ("on", "off"))
    median = statistics.median(ratios)
    print(
        f"{case.name:14} on {on:7.0f} ns  off {off:7.0f} ns  ratio {median:.3f} ({min(ratios):.3f}..{max(ratios):.3f})"
    )
    return {"rounds": costs, "ratio": median}


def _queries() -> dict[str, float]:
    """Seconds of wall time for each kind of question, the best of three."""
    from wsload.results import RunFile
    from wsload.timeline import Query, parse_json_test
    from wsload.timeline.query import compiled

    questions = {
        "first page": (Query(), 50),
        "last second": (Query(from_ns=999_000_000_000), -1),
        "one connection": (Query(connections=((7, None),)), -1),
        "--failed": (Query(failed=True), -1),
        "--slow 100ms": (Query(slow_ns=100_000_000), -1),
        "--type close": (Query(kinds=("close",)), -1),
        "--contains": (Query(contains=(b'"id": 123456,',)), -1),
        "--regex": (Query(patterns=(compiled('"id": 12345[67],'),)), -1),
        "--json": (Query(json_tests=(parse_json_test('$.type == "error"'),)), -1),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.wsload"
        _fill(path)
        print(f"a file of {EVENTS:,} events: {path.stat().st_size / 1e6:.0f} MB")
        found = {}
        for name, (query, limit) in questions.items():

            def ask(query: Query = query, limit: int = limit) -> int:
                with RunFile.open(path) as run:
                    return sum(1 for _ in query.run(run, limit=limit))

            found[name], rows = _best(ask)
            print(f"{name:16} {found[name]:6.3f} s  {rows:>9,} events")
    return found


def _best(ask: Callable[[], int]) -> tuple[float, int]:
    times, rows = [], 0
    for _ in range(3):
        begin = time.perf_counter()
        rows = ask()
        times.append(time.perf_counter() - begin)
    return min(times), rows


def _fill(path: Path) -> None:
    """A million events of a thousand connections, one in a millisecond, with payloads like those of real services."""
    from wsload.results import Event, Header, RunFileWriter
    from wsload.scenario import LoadModel, Scenario, build_plan

    scenario = Scenario(target="ws://127.0.0.1:9/", load=LoadModel(connections=CONNECTIONS), seed=1)
    writer = RunFileWriter.create(path, Header.describe(scenario, build_plan(scenario), {}, 1))
    writer.write_epoch(0, 1_700_000_000_000_000_000)
    template = Event(0, 0, 1, 0, "sent", "text", "message", 0, None, None, None, 0, 1, b"")
    for begin in range(0, EVENTS, 50_000):
        writer.append_events(_event(template, number) for number in range(begin, begin + 50_000))
    writer.finish("completed", "")


def _event(template: "Event", number: int) -> "Event":
    connection, seq = number % CONNECTIONS, number // CONNECTIONS
    kind = "error" if number % 10_007 == 0 else "reply"
    text = f'{{"type": "{kind}", "id": {number}, "user": "u-{number:08}", "price": {number % 99}.25}}'
    payload = text.encode()
    sent = seq % 2 == 0
    event = template._replace(at_ns=number * 1_000_000, connection=connection, seq=seq, payload=payload)
    if number % 50_021 == 0:
        return event._replace(kind="failed", direction="", failure="reset")
    latency_ns = None if sent else (number % 997) * 120_000
    return event._replace(direction="sent" if sent else "received", latency_ns=latency_ns, size=len(payload))


if __name__ == "__main__":
    main()
