"""`python -m benchmarks.replay`: how a replay keeps the recording's times, at 10,000 messages a second."""

import argparse
import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.machine import describe

HERE = Path(__file__).parent
RATE = 10_000
CONNECTIONS = 200
MESSAGE = '{"id": {{$id}}, "op": "quote"}'
KEPT = ["--record-connections", "1/1", "--record-limit", "8GiB"]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="replays (default: 5)")
    parser.add_argument("--seconds", type=int, default=10, help="length of the recording (default: 10)")
    options = parser.parse_args()
    measure.build()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "rate_per_s": RATE}
    with tempfile.TemporaryDirectory() as folder, measure.echo_server() as port:
        url = f"ws://127.0.0.1:{port}/"
        recording = Path(folder) / "recording.wsload"
        load = ["--rate", f"{RATE}/s", "-c", str(CONNECTIONS), "-d", f"{options.seconds}s", "-m", MESSAGE]
        _run("run", url, *load, "--match", "json:$.id", *KEPT, "--format", "json", "-o", str(recording))
        raw["rounds"] = [_round(recording, url, folder, number) for number in range(options.rounds)]
    path = HERE / "results" / "replay" / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(f"stored {path.relative_to(HERE.parent)}")


def _round(recording: Path, url: str, folder: str, number: int) -> dict[str, Any]:
    from wsload.results import RunFile
    from wsload.timeline.play import lateness_ns
    from wsload.timeline.script import read_scripts

    output = Path(folder) / f"replay-{number}.wsload"
    told, _, foreign = measure.timed(_command("replay", str(recording), url, "--format", "json", "-o", str(output)))
    summary = json.loads(told)
    messages, lag = summary["messages"], summary["send_lag"]
    if messages["answered"] != messages["sent"] or summary["failures"]:
        raise SystemExit(f"not a clean replay: {messages}, {summary['failures']}")
    with RunFile.open(recording) as before, RunFile.open(output) as after:
        late = lateness_ns(after, read_scripts(before, ()).scripts, 1.0, CONNECTIONS)
    found = {
        "sent": messages["sent"],
        "late_ns": {name: late[int((len(late) - 1) * share)] for name, share in SHARES.items()},
        "behind_tick_ns": {name: lag[name] for name in ("p50", "p99", "p99.9", "max")},
        "response_time_ns": {name: summary["response_time"][name] for name in ("p50", "p99")},
        "verdict": summary["verdict"],
        "foreign_cores": foreign,
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps({key: found[key] for key in ("sent", "late_ns", "behind_tick_ns", "foreign_cores")}))
    return found


SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def _command(*arguments: str) -> list[str]:
    return [str(measure.WSLOAD), *arguments, "--workers", "1"]


def _run(*arguments: str) -> None:
    subprocess.run(_command(*arguments), check=True, capture_output=True)


if __name__ == "__main__":
    main()
