"""The verdict on the generator itself: can the figures be trusted, and if not, why.

Every rule looks for what makes a printed figure another than the server's doing. That a server is slow, fails or does
not read is a result, never a reason. The limits are those below which no printed figure changes in its first digit
or so; `docs/measurement.md` says where they come from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from wsload import _core
from wsload.scenario import Plan
from wsload.units import format_count, format_latency

if TYPE_CHECKING:
    from wsload.results.interval import Interval

LAG_SHARE = 0.25
"""Of a latency that our own lag may make up."""
LAG_LEAST_NS = 1_000_000
"""A lag below this is no reason: it is what a shared machine does."""
RATE_SHARE = 0.99
STAMPS_MISSING_SHARE = 0.001
UNCERTAIN_SHARE = 0.10
UNCERTAIN_LEAST_NS = 100_000
STOLEN_SHARE = 0.02
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Reason(BaseModel):
    """Why figures are not to be trusted, with the evidence and what to do about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    text: str
    remedy: str
    evidence: dict[str, float]


class Verdict(BaseModel):
    """Trusted unless there is a reason against it. Every interval is judged by itself as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trusted: bool
    reasons: list[Reason]
    intervals: int = Field(0, description="intervals of the measured part")
    suspect_intervals: int = Field(0, description="of them, those whose own figures are not to be trusted")
    suspect_kinds: dict[str, int] = Field({}, description="intervals by reason; one may have several")
    first_suspect_ns: int | None = Field(None, description="start of the first such interval, after the epoch")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at: sums over the measured part, and whole histograms."""

    is_open: bool
    due: int
    sent: int
    received: int
    unsent_while_open: int
    back_pressure: int
    stamps_missing: int
    stolen_ns: int
    cpu_capacity_ns: int
    local_limits: int
    workers_lost: int
    response_time: _core.Histogram
    response_uncertain: _core.Histogram
    response_earliest: _core.Histogram
    send_lag: _core.Histogram
    receive_lag: _core.Histogram


def judge(facts: Facts) -> list[Reason]:
    """The reasons against a run, or a part of it."""
    return [reason for rule in _RULES for reason in rule(facts)]


def judge_interval(interval: "Interval", plan: Plan, cpus: int) -> tuple[Reason, ...]:
    """The reasons against one interval by itself.

    A message that is late over the interval's end belongs to the next one, so whether the rate was reached is told by
    the send lag.
    """
    if interval.warmup or interval.start_ns < 0:
        return ()

    def merged(metric: str) -> _core.Histogram:
        histogram = _core.Histogram()
        for (name, _message), encoded in interval.histograms.items():
            if name == metric:
                histogram.add(encoded)
        return histogram

    counters = interval.counters
    facts = Facts(
        is_open=plan.load.keeps_times,
        due=counters.get("due", 0),
        sent=counters.get("sent", 0),
        received=counters.get("received", 0),
        unsent_while_open=0,
        back_pressure=counters.get("back_pressure", 0),
        stamps_missing=counters.get("stamps_missing", 0),
        stolen_ns=interval.gauges.get("stolen_ns", 0),
        cpu_capacity_ns=(interval.end_ns - interval.start_ns) * cpus,
        local_limits=local_limits((failure.kind, failure.detail, failure.count) for failure in interval.failures),
        workers_lost=0,
        response_time=merged("response_time"),
        response_uncertain=merged("response_uncertain"),
        response_earliest=merged("response_earliest"),
        send_lag=merged("send_lag"),
        receive_lag=merged("receive_lag"),
    )
    return tuple(judge(facts))


def local_limits(failures: Iterable[tuple[str, str, int]]) -> int:
    """How many failures, as (kind, detail, count), are this machine's."""
    return sum(count for kind, detail, count in failures if kind == "local_limit" and detail != "unsent bytes")


def _rate(facts: Facts) -> Iterator[Reason]:
    if not facts.is_open or not facts.due or facts.back_pressure:
        # A server that does not read holds messages back: that is its doing.
        return
    share = 1 - facts.unsent_while_open / facts.due
    if share < RATE_SHARE:
        yield Reason(
            kind="rate",
            text=f"{format_count(facts.unsent_while_open)} messages were due on open connections and never sent",
            remedy="Use more workers, a lower rate or another machine.",
            evidence={"share_sent": share},
        )


def _send_lag(facts: Facts) -> Iterator[Reason]:
    if not facts.is_open or not facts.send_lag.count or not facts.response_time.count:
        return
    for name, quantile in QUANTILES.items():
        lag_ns = facts.send_lag.value_at_quantile(quantile)
        response_ns = facts.response_time.value_at_quantile(quantile)
        if lag_ns >= LAG_LEAST_NS and lag_ns > LAG_SHARE * response_ns:
            yield Reason(
                kind="send_lag",
                text=f"messages went out late: send lag {name} {format_latency(lag_ns)},"
                f" response time {name} {format_latency(response_ns)}",
                remedy="Use more workers, a lower rate or another machine. Service times are not affected.",
                evidence={"quantile": quantile, "send_lag_ns": lag_ns, "response_time_ns": response_ns},
            )
            return


def _stamps(facts: Facts) -> Iterator[Reason]:
    if not facts.stamps_missing or not facts.received:
        return
    share = facts.stamps_missing / facts.received
    lag_ns = facts.receive_lag.value_at_quantile(0.99)
    if share > STAMPS_MISSING_SHARE and lag_ns >= LAG_LEAST_NS:
        yield Reason(
            kind="receive_lag",
            text=f"{share:.1%} of arrivals have no kernel time stamp, and reads came up to"
            f" {format_latency(lag_ns)} (p99) late",
            remedy="See `wsload doctor` about kernel time stamps; use more workers or a lower rate.",
            evidence={"share_unstamped": share, "receive_lag_p99_ns": lag_ns},
        )


def _uncertain(facts: Facts) -> Iterator[Reason]:
    if not facts.response_uncertain.count:
        return
    earliest = _core.Histogram()
    earliest.add(facts.response_time.encode())
    earliest.subtract(facts.response_uncertain.encode())
    earliest.add(facts.response_earliest.encode())
    for name, quantile in QUANTILES.items():
        printed, least = facts.response_time.value_at_quantile(quantile), earliest.value_at_quantile(quantile)
        if printed - least > UNCERTAIN_LEAST_NS and printed - least > UNCERTAIN_SHARE * printed:
            yield Reason(
                kind="stamp_uncertainty",
                text=f"replies were read together and share a time stamp: response time {name} lies between"
                f" {format_latency(least)} and {format_latency(printed)}",
                remedy="Use fewer messages in flight per connection, more connections, or more workers.",
                evidence={"quantile": quantile, "printed_ns": printed, "earliest_ns": least},
            )
            return


def _stolen(facts: Facts) -> Iterator[Reason]:
    share = facts.stolen_ns / facts.cpu_capacity_ns if facts.cpu_capacity_ns else 0.0
    if share > STOLEN_SHARE:
        yield Reason(
            kind="stolen",
            text=f"the machine's host took {share:.1%} of its CPU time away",
            remedy="Use a machine of its own.",
            evidence={"share": share},
        )


def _limits(facts: Facts) -> Iterator[Reason]:
    if facts.local_limits:
        yield Reason(
            kind="local_limit",
            text=f"{format_count(facts.local_limits)} failures are this machine's: descriptors, ports or memory",
            remedy="See `wsload doctor`.",
            evidence={"failures": facts.local_limits},
        )


def _workers(facts: Facts) -> Iterator[Reason]:
    if facts.workers_lost:
        yield Reason(
            kind="worker_lost",
            text=f"{format_count(facts.workers_lost)} of the worker processes died",
            remedy="See the notes for why; run it again.",
            evidence={"workers": facts.workers_lost},
        )


_RULES = (_rate, _send_lag, _stamps, _uncertain, _stolen, _limits, _workers)
