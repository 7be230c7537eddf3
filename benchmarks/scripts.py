"""`python -m benchmarks.scripts`: what a round trip costs a scenario in Python, beside the same one in YAML.

The server is the native one on the other core; rounds are interleaved. Raw figures go to `results/scripts/`.
"""

import json
import statistics
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.measure import CLIENT_CPU, WSLOAD, build, echo_server, on

RESULTS = Path(__file__).parent / "results" / "scripts"
ROUNDS = 5
CONNECTIONS = 64
TEXT = "x" * 32
YAML = f"""\
target: ws://127.0.0.1:PORT/
load: {{connections: {CONNECTIONS}, duration: 3s, warmup: 1s}}
iterate:
  - send: {{json: {{id: "{{{{$id}}}}", text: {TEXT}}}, name: say, reply: {{match: {{json: $.id}}}}}}
"""
PYTHON = f"""\
import wsload

@wsload.script(
    target="ws://127.0.0.1:PORT/", load={{"connections": {CONNECTIONS}, "duration": "3s", "warmup": "1s"}}
)
async def say(ws):
    async for _ in ws.iterations():
        await ws.request({{"id": ws.next_id(), "text": "{TEXT}"}}, match="json:$.id", name="say")
"""


def main() -> None:
    """Entry point."""
    build()
    rounds = []
    for number in range(ROUNDS):
        kinds = [("say.yaml", YAML), ("say.py", PYTHON)]
        found = {name: _cost(name, text) for name, text in (kinds[::-1] if number % 2 else kinds)}
        rounds.append(found)
        print({name: f"{one['cpu_ns'] / 1e3:.2f} us, {one['rate']:.0f}/s" for name, one in found.items()}, flush=True)
    raw = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "rounds": rounds}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{raw['date']}.json".replace(":", "").replace(" ", "-")
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    for name in ("say.yaml", "say.py"):
        print(f"{name:9} {statistics.median(one[name]['cpu_ns'] for one in rounds) / 1e3:.2f} us per round trip")


def _cost(name: str, text: str) -> dict[str, float]:
    """CPU of the worker per round trip and the rate, over the measured intervals."""
    with echo_server() as port, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text.replace("PORT", str(port)), encoding="utf-8")
        command = [str(WSLOAD), "run", str(file), "--workers", "1", "--format", "ndjson", "-o", f"{folder}/o.wsload"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=on(CLIENT_CPU))
    answered = cpu_ns = span_ns = 0
    for line in done.stdout.splitlines():
        interval = json.loads(line)
        counters = interval.get("counters", {})
        # An interval shorter than a second is the run's end.
        if interval.get("phase") == "measured" and interval["end_ns"] - interval["start_ns"] >= 9e8:
            answered += counters.get("answered", 0)
            cpu_ns += counters.get("cpu_user_ns", 0) + counters.get("cpu_system_ns", 0)
            span_ns += interval["end_ns"] - interval["start_ns"]
    return {"cpu_ns": cpu_ns / answered, "rate": answered / (span_ns / 1e9)}


if __name__ == "__main__":
    main()
