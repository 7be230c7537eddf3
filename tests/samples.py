"""A header and intervals to vary, for the tests of everything that reads results."""

from datetime import UTC, datetime
from typing import Any

from wsload.results import Failure, Header, Interval
from wsload.results.header import Host
from wsload.scenario import LoadModel, Scenario, build_plan

SECOND = 10**9


def make_header(**load: Any) -> Header:
    """A header that is the same on every machine."""
    scenario = Scenario(target="ws://127.0.0.1:9000/echo", load=LoadModel(**load), seed=0x7F3A)
    host = Host(
        system="Linux 6.1", machine="x86_64", cpus=2, python="3.11.0", uvloop="0.21.0", congestion_control="cubic"
    )
    return Header(
        wsload_version="0.1.0",
        build_profile="release",
        target=scenario.target,
        plan=build_plan(scenario).redacted(),
        scenario=scenario.model_dump(mode="json"),
        labels={"release": "1.2"},
        workers=2,
        host=host,
        started_at=datetime(2026, 11, 23, 10, 15, 2, tzinfo=UTC),
    )


def encode(*values_ns: int) -> bytes:
    """A histogram of these values, in the format of the reference implementation and not by our own code."""
    from hdrh.codec import HdrHistogramEncoder  # noqa: F401 - registers the format
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in values_ns:
        histogram.record_value(value)
    import base64

    return base64.b64decode(histogram.encode())


def make_interval(index: int = 0, *, warmup: bool = False, **fields: Any) -> Interval:
    """A second of a run in which every number tells which interval it is from."""
    defaults: dict[str, Any] = {
        "start_ns": index * SECOND,
        "end_ns": (index + 1) * SECOND,
        "counters": {"due": 100, "sent": 100, "answered": 99, "unanswered": 1, "received": 99, "bytes_sent": 3_800},
        "gauges": {"open_connections": 10, "running_ns": SECOND, "rss_bytes": 1_000 + index},
        "close_codes": {},
        "negotiated": {},
        "failures": (Failure("unanswered", "reply time-out", 1, index * SECOND + 5, f"example {index}"),),
        "histograms": {("response_time", "message"): encode(1_000 * (index + 1), 2_000)},
    }
    return Interval(index=index, warmup=warmup, **(defaults | fields))
