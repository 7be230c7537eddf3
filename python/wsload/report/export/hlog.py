"""The log format of HdrHistogram, version 1.3: every interval's whole histograms, for its viewers and processors.

Each metric is a tag; `warmup_response_time` and the like hold what the warm-up measured. With several message names
each name has a tag of its own beside the total. Values are nanoseconds, the column of maxima is milliseconds, as the
format has it.
"""

import base64
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from wsload.report.export.rows import HIDDEN, Thresholds
from wsload.results import Distribution, Interval, RunFile, aside_names, merged

LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'


def render(run: RunFile, _: Thresholds = None) -> Iterator[str]:
    """The log, line by line. Timestamps are seconds after its base, the start of the first interval."""
    base_ns: int | None = None
    asides = aside_names(run.header.plan)
    for interval in run.intervals():
        if base_ns is None:
            base_ns = interval.start_ns
            yield from _head(run, base_ns)
        for tag, blob in _tagged(interval, asides):
            yield _line(interval, tag, blob, base_ns)
    if base_ns is None:
        yield from _head(run, 0)


def _head(run: RunFile, first_ns: int) -> Iterator[str]:
    epoch_ns = run.epoch_unix_ns
    base_s = run.header.started_at.timestamp() if epoch_ns is None else (epoch_ns + first_ns) / 1e9
    yield f"#[wsload {run.header.wsload_version}: latencies in nanoseconds]\n"
    yield "#[Histogram log format version 1.3]\n"
    yield f"#[StartTime: {base_s:.3f} (seconds since epoch), {datetime.fromtimestamp(base_s, UTC):%c} UTC]\n"
    yield f"#[BaseTime: {base_s:.3f} (seconds since epoch)]\n"
    yield LEGEND


def _tagged(interval: Interval, asides: Collection[str]) -> Iterator[tuple[str, bytes]]:
    names: dict[str, list[str]] = defaultdict(list)
    for metric, message in sorted(interval.histograms):
        if metric not in HIDDEN:
            names[metric].append(message)
    for metric, messages in names.items():
        tag = f"warmup_{metric}" if interval.warmup else metric
        if len(messages) == 1:
            yield tag, interval.histograms[metric, messages[0]]
            continue
        yield tag, merged(interval, metric, asides).encode()
        for message in messages:
            yield f"{tag}:{_tag(message)}", interval.histograms[metric, message]


def _tag(message: str) -> str:
    """A tag holds no comma, space or line break; whatever else is odd does not help a reader either."""
    return re.sub(r"[^\w.:/-]+", "_", message, flags=re.ASCII) or "_"


def _line(interval: Interval, tag: str, blob: bytes, base_ns: int) -> str:
    start_s = (interval.start_ns - base_ns) / 1e9
    length_s = (interval.end_ns - interval.start_ns) / 1e9
    greatest_ms = Distribution.decode(blob).max_ns / 1e6
    payload = base64.b64encode(blob).decode("ascii")
    return f"Tag={tag},{start_s:.3f},{length_s:.3f},{greatest_ms:.3f},{payload}\n"
