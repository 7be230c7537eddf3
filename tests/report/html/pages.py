"""Pages to look at."""

import base64
import json
from pathlib import Path
from typing import Any

from report.export_samples import HOSTILE, write_run
from samples import SECOND, encode, make_interval
from wsload.report.html.charts import Run
from wsload.results import Failure, Interval, read_record
from wsload.scenario import parse_thresholds

PAYLOAD = f'{HOSTILE}<img src=x onerror="window.pwned = 1"><script>window.pwned = 1</script></script>\x1b]0;title\x07'


def busy_interval(index: int) -> Interval:
    """A second with everything in it, hostile where a server could be."""
    histograms = {
        ("response_time", HOSTILE): encode(50_000, 80_000, 90_000 * (index + 1)),
        ("response_time", "other"): encode(40_000),
        ("service_time", "other"): encode(30_000, 31_000),
        ("response_censored", "other"): encode(SECOND),
        ("send_lag", "other"): encode(2_000),
        ("receive_lag", "other"): encode(1_000),
        ("connect", ""): encode(300_000),
        ("connect_tcp", ""): encode(100_000),
    }
    counters = {"due": 100, "sent": 100, "answered": 99, "received": 99, "connects_opened": 5, "cpu_user_ns": 10**8}
    return make_interval(
        index,
        counters=counters,
        histograms=histograms,
        close_codes={1001: 2},
        negotiated={("subprotocol", HOSTILE): 4},
        failures=(Failure("upgrade_rejected", PAYLOAD, 2, 5, PAYLOAD),),
    )


def busy_run(folder: Path, name: str = "busy.wsload", seconds: int = 20) -> Path:
    """A run file of such seconds."""
    return write_run(folder, *map(busy_interval, range(seconds)), name=name)


def run_of(path: Path, name: str = HOSTILE, *thresholds: str) -> Run:
    """A run that has been read, held against these."""
    return Run(name, read_record(path, parse_thresholds(thresholds)))


def events(count: int = 20) -> list[dict[str, Any]]:
    """Messages of two connections, a second apart: JSON out, markup and bytes in, a status line at the end."""
    found: list[dict[str, Any]] = []
    for number in range(count):
        at = {"time_ns": number * SECOND, "connection": number % 2}
        found.append({**at, "direction": "out", "opcode": "text", "size": 20, "text": json.dumps({"id": number})})
        answer = {"time_ns": at["time_ns"] + 1000, "connection": number % 2, "direction": "in", "size": 99}
        if number % 2:
            found.append({**answer, "opcode": "text", "text": PAYLOAD})
        else:
            raw = base64.b64encode(bytes(range(40))).decode()
            found.append({**answer, "opcode": "binary", "base64": raw})
    closed = {"time_ns": count * SECOND, "connection": 1, "direction": None, "opcode": "close", "note": PAYLOAD}
    return [*found, closed]
