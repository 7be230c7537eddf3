"""`python -m benchmarks.soak_file`: how large the file of a soak gets, by the writer itself in simulated time.

Each simulated interval has every metric of a run, for as many message names as asked, with histograms of 500 replies.
"""

import argparse
import base64
import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from hdrh.codec import HdrHistogramEncoder  # noqa: F401 - registers the format
from hdrh.histogram import HdrHistogram

from benchmarks.machine import ROOT, describe
from wsload import _core
from wsload.results import Header, Interval, RunFileWriter
from wsload.scenario import LoadModel, Scenario, build_plan

SECOND = 10**9
NAMED = ("response_time", "service_time", "send_lag", "receive_lag")
UNNAMED = ("connect", "connect_tcp", "connect_upgrade", "ping_time", "recover_time", "push_gap")
BUDGET_BYTES = 200_000_000 - (64 << 20)
"""What `--file-limit 200MB` leaves beside the timeline."""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_file", description=__doc__)
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--names", type=int, default=1, help="message names (default: 1; at most 100)")
    parser.add_argument("--every", type=int, default=1, help="seconds of an interval (default: 1)")
    options = parser.parse_args()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), **vars(options)}
    with tempfile.TemporaryDirectory() as folder:
        raw |= simulate(Path(folder) / "soak.wsload", options.hours, options.names, options.every)
    name = f"{raw['date'].replace(':', '').replace(' ', '-')}-{options.names}.json"
    path = ROOT / "benchmarks" / "results" / "soak-file" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: raw[key] for key in raw if key != "course"}, indent=1))
    print(f"stored {path.relative_to(ROOT)}")


def simulate(path: Path, hours: float, names: int, every_s: int) -> dict[str, Any]:
    """Writes the file of a run of so many hours, unfinished; how it grew.

    Args:
        path: Where.
        hours: How long the run is.
        names: How many names messages have.
        every_s: Seconds of an interval.
    """
    scenario = Scenario(target="ws://127.0.0.1:9/", load=LoadModel(duration_ns=int(hours * 3600) * SECOND))
    header = Header.describe(scenario, build_plan(scenario), {}, 2)
    pool = _histograms(64)
    count = int(hours * 3600) // every_s
    course = []
    begin_s = time.monotonic()
    writer = RunFileWriter.create(path, header)
    writer.write_epoch(0, time.time_ns())
    writer.widen_with_age(BUDGET_BYTES)
    for number in range(count):
        writer.append([_interval(number, names, every_s, pool)])
        if number % (count // 24 or 1) == 0:
            course.append({"hour": number * every_s / 3600, **_sizes(path)})
            print(course[-1], file=sys.stderr, flush=True)
    writer.close()
    return {"file_bytes": path.stat().st_size, "wall_s": time.monotonic() - begin_s, "course": course}


def _sizes(path: Path) -> dict[str, int]:
    wal = path.with_name(f"{path.name}-wal")
    status = Path("/proc/self/statm").read_text(encoding="ascii").split()
    own = int(status[1]) * resource.getpagesize()
    return {"file_bytes": path.stat().st_size, "wal_bytes": wal.stat().st_size, "own_rss_bytes": own}


def _interval(number: int, names: int, every_s: int, pool: list[bytes]) -> Interval:
    keys = [(metric, f"message {name}") for metric in NAMED for name in range(names)]
    keys += [(metric, "") for metric in UNNAMED]
    return Interval(
        index=number,
        warmup=False,
        start_ns=number * every_s * SECOND,
        end_ns=(number + 1) * every_s * SECOND,
        counters=dict.fromkeys(_core.COUNTERS, 1_000 + number),
        gauges=dict.fromkeys(_core.GAUGES, 1_000 + number),
        close_codes={1000: 1, 1006: 2},
        failures=(),
        negotiated={},
        histograms={key: pool[(number * 7 + place) % len(pool)] for place, key in enumerate(keys)},
    )


def _histograms(count: int) -> list[bytes]:
    """Log-normal latencies around a millisecond, each of another level."""
    random = np.random.default_rng(7)
    made = []
    for _ in range(count):
        histogram = HdrHistogram(1, 3_600_000_000_000, 3)
        for value in np.exp(random.normal(13.8 + 0.3 * random.normal(), 0.6, 500)).astype(int):
            histogram.record_value(int(value))
        made.append(base64.b64decode(histogram.encode()))
    return made


if __name__ == "__main__":
    main()
