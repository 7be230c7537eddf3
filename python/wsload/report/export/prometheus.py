"""The text format of Prometheus: a run file as one scrape. Counters and histograms are of the measured part.

Buckets are classic ones, 1 · 2.5 · 5 a decade. A message without a reply counts in the latencies with its age when it
was given up, as in the summary.
"""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from wsload.report.export.rows import Thresholds
from wsload.report.text import printable
from wsload.results import Record, RunFile, Series, Summary, record_of

BOUNDS_NS = tuple(round(step * 10**power) for power in range(4, 11) for step in (1, 2.5, 5))
"""10 µs to 50 s."""
COUNTERS = {
    "messages_due": ("due", "Messages whose intended instant came."),
    "messages_sent": ("sent", "Messages handed to the kernel."),
    "messages_answered": ("answered", "Messages whose reply came."),
    "messages_unanswered": ("unanswered", "Messages whose reply did not come."),
    "messages_unsent": ("unsent", "Messages due and never sent."),
    "messages_received": ("received", "Messages received, replies and pushes."),
    "pushes": ("pushes", "Messages received that answer nothing."),
    "bytes_sent": ("bytes_sent", "WebSocket bytes sent, frame headers included."),
    "bytes_received": ("bytes_received", "WebSocket bytes received, frame headers included."),
}
GAUGES = {
    "open_connections": ("open_connections", "Connections open."),
    "in_flight_messages": ("in_flight", "Messages awaiting a reply."),
    "backlog_messages": ("backlog", "Messages due and not yet sent."),
    "workers_resident_memory_bytes": ("rss_bytes", "Resident memory of the workers."),
}


def render(run: RunFile, thresholds: Thresholds = None) -> Iterator[str]:
    """The exposition of a run file."""
    yield exposition(record_of(run, thresholds))


def exposition(record: Record) -> str:
    """The exposition of a run that has been read, as far as it has come."""
    registry = CollectorRegistry()
    registry.register(_Collector([*_facts(record.summary), *_gauges(record.series), *_latencies(record.series)]))
    return generate_latest(registry).decode("utf-8")


def _facts(summary: Summary) -> Iterator[Metric]:
    facts = {"version": summary.wsload_version, "target": printable(summary.target), "seed": summary.seed}
    yield InfoMetricFamily("wsload_run", "What was run.", {**facts, "outcome": summary.outcome})
    trusted = int(summary.verdict.trusted)
    yield GaugeMetricFamily("wsload_trusted", "1: figures are trusted, 0: suspect.", trusted)
    if summary.thresholds:
        passed = GaugeMetricFamily("wsload_threshold_passed", "1: the threshold holds, 0: not.", labels=["threshold"])
        for result in summary.thresholds:
            passed.add_metric([printable(result.text)], int(result.passed))
        yield passed
    yield GaugeMetricFamily("wsload_measured_seconds", "Length of the measured part.", summary.duration_ns / 1e9)
    yield GaugeMetricFamily("wsload_connections_asked", "Connections asked for.", summary.connections.asked)
    messages = summary.messages.model_dump()
    rate, seconds = summary.rate, summary.duration_ns / 1e9
    messages["bytes_sent"] = round(rate.bytes_out_per_s * seconds)
    messages["bytes_received"] = round(rate.bytes_in_per_s * seconds)
    for name, (counter, what) in COUNTERS.items():
        yield CounterMetricFamily(f"wsload_{name}", what, messages[counter])
    connections = CounterMetricFamily("wsload_connections", "What became of connections.", labels=["event"])
    for event, count in summary.connections.model_dump(exclude={"asked"}).items():
        connections.add_metric([event], count)
    yield connections
    yield _failures(summary)
    yield _close_codes(summary)


def _gauges(series: Series) -> Iterator[Metric]:
    last = series.windows[-1].gauges if series.windows else {}
    for name, (gauge, what) in GAUGES.items():
        yield GaugeMetricFamily(f"wsload_{name}", what, last.get(gauge, 0))


def _failures(summary: Summary) -> Metric:
    counts: dict[str, int] = defaultdict(int)
    for failure in summary.failures:
        counts[failure.kind] += failure.count
    family = CounterMetricFamily("wsload_failures", "Failures by kind.", labels=["kind"])
    for kind, count in counts.items():
        family.add_metric([kind], count)
    return family


def _close_codes(summary: Summary) -> Metric:
    family = CounterMetricFamily("wsload_close_codes", "Close codes received.", labels=["code"])
    for code, count in summary.close_codes.items():
        family.add_metric([str(code)], count)
    return family


def _latencies(series: Series) -> Iterator[Metric]:
    for metric in series.metrics():
        what = f"Distribution of {metric.replace('_', ' ')}."
        family = HistogramMetricFamily(f"wsload_{metric}_seconds", what, labels=["message"])
        for message in series.messages(metric):
            found = series.measured(metric, message)
            counts = zip(BOUNDS_NS, found.counts_up_to(BOUNDS_NS), strict=True)
            buckets = [(f"{bound / 1e9:g}", count) for bound, count in counts]
            family.add_metric([printable(message)], [*buckets, ("+Inf", found.count)], found.sum_ns / 1e9)
        yield family


class _Collector:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
