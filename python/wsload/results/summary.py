"""The summary: what a run came to, as a document. `fold.py` makes it."""

import math
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from wsload import _core
from wsload.results.header import Host
from wsload.results.thresholds import ThresholdResult
from wsload.results.verdict import Verdict
from wsload.results.watched import Watched
from wsload.scenario import (
    ClosedLoad,
    EchoLoad,
    IdleLoad,
    OpenLoad,
    ReplayLoad,
)

LONG_RUN_NS = 300 * 10**9
"""What a shorter run does says little of hours: reports do not speak of its drift."""
Outcome = Literal["completed", "interrupted", "failed", "unfinished"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stats(_Section):
    """A latency distribution, integer nanoseconds. Percentiles are exact to three significant digits.

    Messages that never got a reply count with their age when they were given up. What that makes a lower bound, since a
    reply might have come any time later, is named in `at_least`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    count: int
    min: int
    mean: int
    p50: int
    p75: int
    p90: int
    p95: int
    p99: int
    p99_9: int = Field(alias="p99.9")
    p99_99: int = Field(alias="p99.99")
    max: int
    censored: int = Field(0, description="messages without a reply, counted with their age; not in `count`")
    at_least: list[str] = Field([], description="which of the values are lower bounds because of them")

    @classmethod
    def of(cls, answered: _core.Histogram, censored: _core.Histogram | None = None) -> Self | None:
        """The statistics of a histogram; None when nothing was measured."""
        missing = censored.count if censored else 0
        if not answered.count + missing:
            return None
        histogram = answered
        if censored and missing:
            histogram = _core.Histogram()
            histogram.add(answered.encode())
            histogram.add(censored.encode())
        # The last step of a histogram is wider than its greatest value: no percentile may exceed the maximum.
        at = {
            q: min(histogram.value_at_quantile(q), histogram.max) for q in (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)
        }
        return cls(
            count=answered.count,
            censored=missing,
            at_least=_at_least(at, answered, missing),
            min=histogram.min,
            mean=round(histogram.mean),
            p50=at[0.5],
            p75=at[0.75],
            p90=at[0.9],
            p95=at[0.95],
            p99=at[0.99],
            p99_9=at[0.999],
            p99_99=at[0.9999],
            max=histogram.max,
        )


def _at_least(printed: dict[float, int], answered: _core.Histogram, missing: int) -> list[str]:
    """Names of the values that would be greater if the missing replies had never come at all."""
    if not missing:
        return []
    total = answered.count + missing
    names = []
    for quantile, value in printed.items():
        rank = math.ceil(math.nextafter(quantile * total, 0))
        if rank > answered.count or answered.value_at_quantile(min(rank / answered.count, 1.0)) > value:
            names.append(f"p{quantile * 100:g}")
    return [*names, "mean", "max"]


class Connections(_Section):
    """What became of the connections, the ramp included."""

    asked: int
    opened: int = Field(description="slots that were open at least once")
    attempts_failed: int
    reconnects: int
    expired: int = Field(description="closed by us at the end of their lifetime, and replaced")
    lost: int = Field(description="ended otherwise than by our close at the end of the run")
    matching_lost: int = Field(description="given up after a reply time-out and replaced")
    closed: int = Field(description="closed by a step of the scenario, or as its on_close says")


class Recovery(_Section):
    """Connections that were lost and opened again, the ramp included; `recover_time` is how long each was away."""

    lost: int = Field(description="otherwise than by our close, or given up after a reply time-out")
    recovered: int = Field(description="of use again: open, and the first steps of its scenario over")
    attempts: int = Field(description="to open lost connections again, successful or not")
    messages_lost: int = Field(description="awaiting their reply when their connection was lost")


class Messages(_Section):
    """Messages of the measured part."""

    due: int
    sent: int
    answered: int
    unanswered: int
    unsent: int = Field(description="due, but not sent before the run ended")
    received: int
    pushes: int = Field(description="received messages that answer nothing")
    late: int = Field(description="replies by key that came after they had been given up")
    duplicates: int = Field(description="messages by key that had been answered before")
    forwarded: int = Field(description="messages by key of another connection")
    key_clashes: int = Field(description="messages sent with a key that was still awaited")
    longest_silence_ns: int = Field(description="of a connection that has been pushed to")


class Rate(_Section):
    """Rates over the measured part, per second."""

    asked_per_s: float | None
    reached_per_s: float = Field(description="messages sent")
    answered_per_s: float
    received_per_s: float
    bytes_out_per_s: float = Field(description="WebSocket bytes, frame headers included")
    bytes_in_per_s: float


class FailureSummary(_Section):
    """Failures of one kind and detail over the whole run."""

    kind: str
    detail: str
    count: int
    first_ns: int = Field(description="after the epoch; negative during the connect ramp")
    example: str


class Agreement(_Section):
    """How many connections agreed with the server on one value; connections that were reopened count again."""

    aspect: str = Field(description="tls, tls_handshake, certificate (SHA-256), subprotocol or compression")
    value: str
    count: int


class CompressionSummary(_Section):
    """Payload bytes over the whole run, before and after compression."""

    sent_bytes: int
    sent_compressed_bytes: int
    received_bytes: int
    received_compressed_bytes: int


class Pings(_Section):
    """Pings of ours over the whole run."""

    sent: int
    answered: int


class FanOut(_Section):
    """Messages of publishers on their way to all connections, in the measured part."""

    publishers: int
    expected: int = Field(description="deliveries: one for each connection that was open when a message was sent")
    delivered: int
    reach: float | None = Field(description="delivered of expected; null before anything was published")
    duplicates: int
    reordered: int = Field(description="deliveries after a later message of the same publisher")


class Security(_Section):
    """How the target was secured."""

    verified: bool = Field(description="false: certificates were not checked (-k)")
    resumption: bool = Field(description="whether sessions could be resumed")
    server_name: str


class Iterations(_Section):
    """Iterations of a scenario's steps, in the measured part."""

    ended: int
    failed: int = Field(description="in which a step failed")
    time: Stats | None = Field(description="from when one was due to the end of its last step")


class Asides(_Section):
    """Messages beside the iterations: on opening, by rules, by a clock. They are in no total."""

    sent: int
    answered: int
    unanswered: int


class NameSummary(_Section):
    """The exchanges of one message name, in the measured part and, for those beside the iterations, before it."""

    name: str
    in_total: bool = Field(description="false: of messages beside the iterations")
    response_time: Stats | None
    service_time: Stats | None


class Warmup(_Section):
    """The warm-up, kept apart from the result."""

    sent: int
    answered: int
    unanswered: int
    response_time: Stats | None


class Generator(_Section):
    """What generating the load cost, over the measured part."""

    workers: int
    workers_lost: int
    cpu_user_ns: int
    cpu_system_ns: int
    polls: int
    rss_bytes_max: int
    back_pressure: int = Field(description="sends of which the kernel took a part or nothing")
    stamps_missing: int = Field(description="reads stamped by us because the kernel gave no time stamp, or a stale one")
    clock_steps: int = Field(description="steps of the realtime clock, as each worker noticed them")
    stamps_shared: int = Field(description="messages that share a kernel stamp with a later one")
    negative_latencies: int
    clamped_latencies: int


class NoteSummary(_Section):
    """Something the engine had to say."""

    at_ns: int
    kind: str
    text: str


class Summary(_Section):
    """What a run came to. Every `_ns` is integer nanoseconds; latencies of the warm-up are not in the totals."""

    schema_version: Literal[1] = 1
    wsload_version: str
    build_profile: str
    file: str | None
    finished: bool
    outcome: Outcome
    outcome_reason: str
    started_at: datetime
    target: str
    labels: dict[str, str]
    seed: str = Field(description="hexadecimal, as --seed takes it")
    host: Host
    load: ClosedLoad | OpenLoad | IdleLoad | EchoLoad | ReplayLoad
    grain_ns: int
    tls: Security | None
    proxy: str | None = Field(description="address of the proxy")
    connected_to: str | None = Field(description="address given in place of the target's")
    matching: str = Field(description="order, none, or by a key: echo, json:PATH, regex:EXPRESSION")
    message_kind: Literal["text", "binary"] | None
    message_bytes: int | None
    connect_timeout_ns: int
    reply_timeout_ns: int
    warmup_ns: int
    duration_asked_ns: int | None
    iterations_asked: int | None
    duration_ns: int = Field(description="how long the measured part of the schedule ran")
    connections: Connections
    messages: Messages
    rate: Rate
    response_time: Stats | None
    service_time: Stats | None
    send_lag: Stats | None
    receive_lag: Stats | None
    connect: Stats | None
    connect_tcp: Stats | None
    connect_tls: Stats | None
    connect_upgrade: Stats | None
    connect_dns: Stats | None
    ping_time: Stats | None
    fan_out_first: Stats | None = Field(description="intended send to the first connection that got it")
    fan_out_each: Stats | None = Field(description="to each")
    fan_out_last: Stats | None = Field(description="to the last, of messages that reached all")
    recover_time: Stats | None = Field(description="loss of a connection to its being of use again")
    push_gap: Stats | None = Field(description="between messages that answer nothing, per connection")
    thresholds: list[ThresholdResult] = Field(description="what was asked of the run, and whether it is so")
    verdict: Verdict
    negotiated: list[Agreement]
    compression: CompressionSummary | None
    pings: Pings | None
    recovery: Recovery | None = Field(description="of connections that were lost")
    fan_out: FanOut | None
    iterations: Iterations | None = Field(description="of a scenario with more than one message")
    asides: Asides | None
    names: list[NameSummary] = Field(description="by message name, when there are several")
    failures: list[FailureSummary]
    close_codes: dict[int, int]
    warmup: Warmup | None
    generator: Generator
    watching: list[str] = Field(description="what is watched of the target, in words")
    watched: list[Watched] = Field(description="memory and the like over the measured part, the target's first")
    notes: list[NoteSummary]

    def to_json(self) -> str:
        """The document that `--format json` prints; docs/schema/summary.schema.json describes it."""
        return self.model_dump_json(by_alias=True, indent=2)
