"""The script of a server with faults, and the truth that follows from it.

Instants count from the first message that the server receives. It stands still in every `[k P + P - T, k P + P)`.
What comes in meanwhile is taken at the end of it. A reply leaves when its delay is over and the server is not standing
still; in order, also not before the one before it on its connection.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from wsload.errors import UsageError
from wsload.target.ageing import after_restart, ageing_truth, describe_ageing, life_of
from wsload.units import UnitError, format_duration, parse_duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
DELAY, CHOICE, DROP = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Script:
    """What goes wrong, and when. Times in ns, shares from 0 to 1; a delay is its law and its parameters."""

    stall_ns: int = 0
    period_ns: int = 0
    delay: tuple[str, float, float] | None = None
    delay_share: float = 1.0
    drop_share: float = 0.0
    in_order: bool = True
    close_after: int = 0
    close_code: int = 1011
    abort: bool = False
    slow_read_bytes_per_s: float = 0.0
    leak_bytes_per_s: float = 0.0
    slow_share: float = 0.0
    slow_period_ns: int = 0
    restart_period_ns: int = 0
    restart_down_ns: int = 0
    seed: int = 0
    log: str | None = None

    @property
    def ages(self) -> bool:
        """Whether it matters how long the server has been running."""
        return bool(self.leak_bytes_per_s or self.slow_share or self.restart_period_ns)

    def delay_factor(self, at_ns: int) -> float:
        """How many times as long as at first replies are held back at an instant."""
        return 1 + self.slow_share * at_ns / self.slow_period_ns if self.slow_share else 1.0

    def delay_ns(self, connection: int, message: int, at_ns: int = 0) -> int:
        """How long the reply to a connection's message is held back, if it came in at this instant."""
        drawn_ns = self._drawn_ns(connection, message)
        return round(drawn_ns * self.delay_factor(at_ns)) if drawn_ns and self.slow_share else drawn_ns

    def drops(self, connection: int, message: int) -> bool:
        """Whether a message is never answered."""
        return self.drop_share > 0 and uniform(self.seed, DROP, connection, message) < self.drop_share

    def after_stall(self, at_ns: int) -> int:
        """The first instant from `at_ns` on at which the server is not standing still."""
        if not self.stall_ns:
            return at_ns
        within = at_ns % self.period_ns
        return at_ns - within + self.period_ns if within >= self.period_ns - self.stall_ns else at_ns

    def _drawn_ns(self, connection: int, message: int) -> int:
        if self.delay is None or uniform(self.seed, CHOICE, connection, message) >= self.delay_share:
            return 0
        law, first, second = self.delay
        draw = uniform(self.seed, DELAY, connection, message)
        if law == "fixed":
            return round(first)
        if law == "uniform":
            return round(first + draw * (second - first))
        if law == "exp":
            return round(-math.log1p(-draw) * first)
        return round(first * math.exp(second * NormalDist().inv_cdf(min(max(draw, 1e-12), 1 - 1e-12))))


def uniform(seed: int, purpose: int, connection: int, message: int) -> float:
    """A draw from [0, 1) that depends on nothing but its arguments (SplitMix64)."""
    z = (seed * _GOLDEN + purpose * 0xD1B54A32D192ED03 + connection * 0x8CB92BA72F3D8DD7 + message * _GOLDEN) & _MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = ((z ^ (z >> shift)) * factor) & _MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


def parse_stall(text: str) -> tuple[int, int]:
    """Length and period of `200ms/2s`.

    Raises:
        UsageError: it is no such thing, or the server would never move.
    """
    length, found, period = text.partition("/")
    try:
        stall_ns, period_ns = parse_duration(length), parse_duration(period)
    except UnitError:
        found = ""
        stall_ns = period_ns = 0
    if not found or not 0 < stall_ns < period_ns:
        remedy = "Write --stall 200ms/2s: for so long, once in so long."
        raise UsageError(f"--stall: {text!r} is no stall", remedy)
    return stall_ns, period_ns


def parse_delay(text: str) -> tuple[str, float, float]:
    """A law of delays: `10ms`, `uniform:1ms,5ms`, `exp:2ms`, `lognormal:5ms,0.5`.

    Raises:
        UsageError: it is none.
    """
    remedy = "Write 10ms, uniform:1ms,5ms, exp:2ms or lognormal:MEDIAN,SIGMA such as lognormal:5ms,0.5."
    law, found, rest = text.partition(":")
    parts = (rest if found else law).split(",")
    try:
        match (law if found else "fixed"), parts:
            case ("fixed" | "exp") as name, [span]:
                return name, float(parse_duration(span)), 0.0
            case "uniform", [low, high] if parse_duration(low) <= parse_duration(high):
                return "uniform", float(parse_duration(low)), float(parse_duration(high))
            case "lognormal", [median, sigma] if float(sigma) >= 0:
                return "lognormal", float(parse_duration(median)), float(sigma)
    except (UnitError, ValueError):
        pass
    raise UsageError(f"--delay: {text!r} is no law of delays", remedy)


def parse_share(flag: str, text: str) -> float:
    """A share of `1%` or `0.01`.

    Raises:
        UsageError: it is none between 0 and 1.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"{flag}: {text!r} is no share", "Write 1% or 0.01.")
    return share


def explain(script: Script, rate_per_s: float, duration_ns: int, connections: int) -> dict[str, Any]:
    """What a perfect measurement of a constant open load would show: response times that the script alone causes.

    Message `i` is due at `i / rate` on connection `i mod connections`; sending, serving and the network take no time.
    After a restart all connections are back the moment the server is, and send what has come due; what was not answered
    before it is lost. Percentiles in ns by nearest rank, over the messages that are answered.
    """
    import numpy as np

    total = math.ceil(rate_per_s * duration_ns / 1e9)
    due = (np.arange(total) * (1e9 / rate_per_s)).astype(np.int64)
    taken = _when_up(script, due)
    lives = life_of(script, taken)
    numbers = _numbers(lives, connections)
    delays = np.zeros(total, np.int64)
    if script.delay:
        delays[:] = [script.delay_ns(*number, at) for number, at in zip(numbers, taken.tolist(), strict=True)]
    leaves = _after_stall(script, taken + delays)
    answered = np.ones(total, bool)
    if script.drop_share:
        answered[:] = [not script.drops(*number) for number in numbers]
    if script.in_order:
        _keep_order(leaves, answered, lives, connections)
    dropped = total - int(answered.sum())
    answered &= life_of(script, leaves) == lives
    truth = _told(leaves - due, answered)
    if script.ages:
        lost = total - dropped - truth["answered"]
        truth["ageing"] = {**ageing_truth(script, duration_ns), "lost_in_restarts": lost}
    return truth


def describe(script: Script) -> list[str]:
    """The script in words."""
    lines = []
    if script.stall_ns:
        lines.append(f"stands still for {format_duration(script.stall_ns)} at the end of every "
                     f"{format_duration(script.period_ns)}")  # fmt: skip
    if script.delay:
        law, first, second = script.delay
        more = {"uniform": f" to {format_duration(round(second))}", "lognormal": f", sigma {second:g}"}.get(law, "")
        which = "every reply" if script.delay_share == 1 else f"{script.delay_share:.2%} of the replies"
        lines.append(f"delays {which}: {law} {format_duration(round(first))}{more}")
    if script.drop_share:
        lines.append(f"never answers {script.drop_share:.2%} of the messages")
    return lines + describe_ageing(script)


def _told(response: "NDArray[np.int64]", answered: "NDArray[np.bool_]") -> dict[str, Any]:
    import numpy as np

    total, response = len(response), np.sort(response[answered])
    names = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    ranks = {name: max(math.ceil(math.nextafter(q * len(response), 0)) - 1, 0) for name, q in names.items()}
    return {
        "messages": total,
        "answered": len(response),
        "unanswered_share": 1 - len(response) / total if total else 0.0,
        "response_time_ns": {name: int(response[rank]) for name, rank in ranks.items()} if len(response) else None,
    }


def _numbers(lives: "NDArray[np.int64]", connections: int) -> list[tuple[int, int]]:
    """Connection and message by which draws are made: both processes' connections are numbered as they come."""
    numbers: list[tuple[int, int]] = []
    counts: dict[int, int] = {}
    for index, life in enumerate(lives.tolist()):
        connection = life * connections + index % connections
        counts[connection] = counts.get(connection, -1) + 1
        numbers.append((connection, counts[connection]))
    return numbers


def _keep_order(
    leaves: "NDArray[np.int64]", answered: "NDArray[np.bool_]", lives: "NDArray[np.int64]", connections: int
) -> None:
    """Holds replies back until the one before on their connection has left; one that is never sent holds nobody up."""
    import numpy as np

    edges = [0, *(np.flatnonzero(np.diff(lives)) + 1).tolist(), len(lives)]
    for begin, end in pairwise(edges):
        for first in range(begin, min(begin + connections, end)):
            own = np.arange(first, end, connections)
            own = own[answered[own]]
            leaves[own] = np.maximum.accumulate(leaves[own])


def _when_up(script: Script, at_ns: "NDArray[np.int64]") -> "NDArray[np.int64]":
    # A server that comes up may stand still, and one that moves again be down.
    for _ in range(2):
        at_ns = after_restart(script, _after_stall(script, at_ns))
    return at_ns


def _after_stall(script: Script, at_ns: "NDArray[np.int64]") -> "NDArray[np.int64]":
    if not script.stall_ns:
        return at_ns
    import numpy as np

    within = at_ns % script.period_ns
    return np.where(within >= script.period_ns - script.stall_ns, at_ns - within + script.period_ns, at_ns)
