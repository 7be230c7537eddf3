"""What a build with profile guidance learns from: the work of a typical run, seconds of it, on loopback.

`maturin build --release --pgo` builds an instrumented module, runs this with the Python of an environment that has it,
and builds again with what was hot. Needs rustup's component llvm-tools. `make release-check` builds its wheel so.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SCENARIO: dict[str, Any] = {
    "messages": {
        "say": {
            "json": {"id": "{{$id}}", "type": "say", "text": "{{$randomString(64)}}"},
            "reply": {"match": {"sent": "$.id", "received": "$.id"}},
        }
    },
    "load": {"connections": 100, "rate": "5k/s", "duration": "2s"},
    "iterate": [{"send": "say"}],
    "on_message": [{"when": {"json": {"$.type": "ping"}}, "send": {"json": {"type": "pong"}}}],
}
WSLOAD = (sys.executable, "-m", "wsload")
RUNS = (
    ("-c", "64"),
    ("-c", "1000"),
    ("-c", "64", "--in-flight", "16"),
    ("-c", "1000", "--rate", "10k/s"),
    ("-c", "500", "--rate", "5k/s", "--arrivals", "poisson", "-m", '{"id": {{$id}}}', "--match", "json:$.id"),
    ("-c", "64", "--compress", "on"),
    ("-c", "64", "--size", "4KiB"),
    ("-c", "200", "--connection-lifetime", "200ms"),
)


def main() -> None:
    """Entry point."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with subprocess.Popen([*WSLOAD, "serve", "echo", "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
            try:
                greeting = server.stdout.readline() if server.stdout else ""
                target = next(word for word in greeting.split() if word.startswith("ws://"))
                # JSON is YAML.
                scenario = folder / "say.yaml"
                scenario.write_text(json.dumps({"target": target, **SCENARIO}), encoding="utf-8")
                for flags in RUNS:
                    _run(folder, "run", target, "-d", "2s", *flags)
                _run(folder, "run", str(scenario))
            finally:
                server.terminate()


def _run(folder: Path, *arguments: str) -> None:
    file = folder / "run.wsload"
    file.unlink(missing_ok=True)
    command = [*WSLOAD, *arguments, "-o", str(file), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
