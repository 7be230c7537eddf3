"""What a threshold may be about: the closed list of metrics, with what each counts.

`docs/thresholds.md` prints this list; a test holds the two together.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["ns", "count", "share", "per_s"]
Selector = Literal["message", "failure", "close"]
DISTRIBUTION: dict[str, Unit] = {"min": "ns", "mean": "ns", "max": "ns", "count": "count"}
"""Statistics of a distribution beside its percentiles."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One of the list. `histogram` is set for a distribution; otherwise it is a number, with or without a `.rate`."""

    about: str
    histogram: str = ""
    plain: Unit | None = None
    rate: Unit | None = None
    selector: Selector | None = None
    needs_selector: bool = False

    @property
    def stats(self) -> dict[str, Unit]:
        """What may follow the metric's name after a dot, percentiles apart; empty: nothing need follow."""
        if self.histogram:
            return DISTRIBUTION
        named = {"": self.plain, "rate": self.rate}
        return {stat: unit for stat, unit in named.items() if unit is not None}


def _time(about: str, histogram: str, selector: Selector | None = None) -> Metric:
    return Metric(about, histogram=histogram, selector=selector)


def _count(about: str, rate: Unit | None = None) -> Metric:
    return Metric(about, plain="count", rate=rate)


METRICS: dict[str, Metric] = {
    "response": _time("intended send to the reply's arrival", "response_time", "message"),
    "service": _time("actual send to the reply's arrival", "service_time", "message"),
    "send_lag": _time("intended to actual send: the generator's own share", "send_lag", "message"),
    "receive_lag": _time("arrival to our read: the generator's own share", "receive_lag", "message"),
    "iteration": _time("an iteration's due instant to the end of its last step", "iteration_time"),
    "connect": _time("first SYN to the accepted upgrade", "connect"),
    "connect_dns": _time("the resolver's answer", "connect_dns"),
    "connect_tcp": _time("first SYN to a standing TCP connection", "connect_tcp"),
    "connect_tls": _time("TCP connection to finished TLS handshake", "connect_tls"),
    "connect_upgrade": _time("upgrade request to its response", "connect_upgrade"),
    "ping": _time("ping of ours to its pong", "ping_time"),
    "recover": _time("loss of a connection to its being of use again", "recover_time"),
    "push_gap": _time("between messages that answer nothing, per connection", "push_gap"),
    "fan_out_first": _time("intended send to the first connection that got it", "fan_out_first"),
    "fan_out_each": _time("to each connection", "fan_out_each"),
    "fan_out_last": _time("to the last, of messages that reached all", "fan_out_last"),
    "rate": Metric("messages sent per second", plain="per_s"),
    "due": _count("messages whose instant came; `.rate` per second", "per_s"),
    "sent": _count("messages sent; `.rate` per second", "per_s"),
    "answered": _count("messages whose reply came; `.rate` per second", "per_s"),
    "received": _count("messages received; `.rate` per second", "per_s"),
    "pushes": _count("messages received that answer nothing; `.rate` per second", "per_s"),
    "unanswered": _count("messages whose reply never came; `.rate` of those that awaited one", "share"),
    "unsent": _count("messages due and never sent; `.rate` of those due", "share"),
    "late": _count("replies by key after they had been given up"),
    "duplicates": _count("messages by key that had been answered before"),
    "forwarded": _count("messages by key of another connection"),
    "key_clashes": _count("messages sent with a key that was still awaited"),
    "iterations": _count("iterations that ended; `.rate` per second", "per_s"),
    "failed": _count("iterations that failed, without a scenario messages unanswered; `.rate` of all ended", "share"),
    "asides.sent": _count("messages beside the iterations: on opening, by rules, by a clock"),
    "asides.answered": _count("of these, those whose reply came"),
    "asides.unanswered": _count("those whose reply never came; `.rate` of those that awaited one", "share"),
    "reach": Metric("fan-out: deliveries that happened of those expected", plain="share"),
    "reordered": _count("fan-out: deliveries after a later message of the same publisher"),
    "connections.opened": _count("connections that were open at least once"),
    "connections.failed": _count("attempts to connect that failed; `.rate` of all attempts that ended", "share"),
    "connections.lost": _count("connections that ended otherwise than by our close"),
    "connections.expired": _count("connections replaced at the end of their lifetime"),
    "connections.matching_lost": _count("connections replaced after a reply time-out"),
    "connections.closed": _count("connections closed by a step of the scenario, or as its on_close says"),
    "reconnects": _count("connections opened again"),
    "recover_attempts": _count("attempts to open lost connections again"),
    "failures": Metric("failures of all kinds, or of the kind in brackets", plain="count", selector="failure"),
    "close": Metric(
        "closes with the code in brackets; 1005: without a code, 1006: no Close at all",
        plain="count",
        selector="close",
        needs_selector=True,
    ),
}
