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

from wsload.report.export.rows import HIDDEN
from wsload.results import Distribution, Interval, RunFile, Summary
from wsload.results.summary import CENSORED, Fold, finish

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


class Scrape:
    """Collects a run, interval by interval; what it holds grows with the number of message names, not with time."""

    def __init__(self, run: RunFile) -> None:
        self._fold = Fold(run.header)
        self._histograms: dict[tuple[str, str], Distribution] = defaultdict(Distribution.empty)
        self._gauges: dict[str, int] = {}
        self._end_ns = 0

    def add(self, interval: Interval) -> None:
        """Adds an interval."""
        self._fold.add(interval)
        if interval.end_ns >= self._end_ns:
            self._end_ns, self._gauges = interval.end_ns, interval.gauges
        for (metric, message), blob in interval.histograms.items():
            if not interval.warmup or metric.startswith(("connect", "ping")):
                known = self._histograms[metric, message]
                self._histograms[metric, message] = Distribution.sum([known, Distribution.decode(blob)])

    def text(self, run: RunFile) -> str:
        """The exposition of what has been added."""
        registry = CollectorRegistry()
        registry.register(_Collector(list(self._families(finish(self._fold, run)))))
        return generate_latest(registry).decode("utf-8")

    def _families(self, summary: Summary) -> Iterator[Metric]:
        facts = {"version": summary.wsload_version, "target": summary.target, "seed": summary.seed}
        yield InfoMetricFamily("wsload_run", "What was run.", {**facts, "outcome": summary.outcome})
        trusted = int(summary.verdict.trusted)
        yield GaugeMetricFamily("wsload_trusted", "1: figures are trusted, 0: suspect.", trusted)
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
        yield self._failures(summary)
        yield self._close_codes(summary)
        for name, (gauge, what) in GAUGES.items():
            yield GaugeMetricFamily(f"wsload_{name}", what, self._gauges.get(gauge, 0))
        yield from self._latencies()

    @staticmethod
    def _failures(summary: Summary) -> Metric:
        counts: dict[str, int] = defaultdict(int)
        for failure in summary.failures:
            counts[failure.kind] += failure.count
        family = CounterMetricFamily("wsload_failures", "Failures by kind.", labels=["kind"])
        for kind, count in counts.items():
            family.add_metric([kind], count)
        return family

    @staticmethod
    def _close_codes(summary: Summary) -> Metric:
        family = CounterMetricFamily("wsload_close_codes", "Close codes received.", labels=["code"])
        for code, count in summary.close_codes.items():
            family.add_metric([str(code)], count)
        return family

    def _latencies(self) -> Iterator[Metric]:
        names: dict[str, list[str]] = defaultdict(list)
        for metric, message in sorted(self._histograms):
            if metric not in HIDDEN:
                names[metric].append(message)
        for metric, messages in names.items():
            what = f"Distribution of {metric.replace('_', ' ')}."
            family = HistogramMetricFamily(f"wsload_{metric}_seconds", what, labels=["message"])
            for message in messages:
                parts = [self._histograms[metric, message]]
                if metric in CENSORED:
                    parts.append(self._histograms.get((CENSORED[metric], message), Distribution.empty()))
                whole = Distribution.sum(parts)
                counts = zip(BOUNDS_NS, whole.counts_up_to(BOUNDS_NS), strict=True)
                buckets = [(f"{bound / 1e9:g}", count) for bound, count in counts]
                family.add_metric([message], [*buckets, ("+Inf", whole.count)], whole.sum_ns / 1e9)
            yield family


class _Collector:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def render(run: RunFile) -> Iterator[str]:
    """The exposition of a run file."""
    scrape = Scrape(run)
    for interval in run.intervals():
        scrape.add(interval)
    yield scrape.text(run)
