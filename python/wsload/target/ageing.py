"""What happens to a server over hours: it leaks, slows down and is restarted. As scripted, so known exactly.

Instants count from the first message. Restarts are at `k P`; the server is down in `[k P, k P + D)`, and the process
that follows has leaked nothing. What makes it slow is not the process's (data that grow, say): it outlives restarts.
"""

from typing import TYPE_CHECKING, Any

from wsload.errors import UsageError
from wsload.units import UnitError, format_bytes, format_duration, format_share, parse_duration, parse_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wsload.target.script import Script

_PERIODS_NS = {"s": 10**9, "min": 60 * 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def parse_leak(text: str) -> float:
    """Bytes per second of `1MB/min` or `300kB/10m`.

    Raises:
        UsageError: it is no such thing.
    """
    size, _, period = text.partition("/")
    try:
        return parse_size(size) * 1e9 / _period_ns(period)
    except UnitError:
        remedy = "Write a size and the time in which it is lost: 1MB/min, 100kB/10s."
        raise UsageError(f"--leak: {text!r} is no leak", remedy) from None


def parse_slow_down(text: str) -> tuple[float, int]:
    """Share of the delay that is added, and in how long, of `1%/10m`.

    Raises:
        UsageError: it is no such thing.
    """
    share, _, period = text.partition("/")
    try:
        if share.endswith("%") and float(share[:-1]) > 0:
            return float(share[:-1]) / 100, _period_ns(period)
    except ValueError:
        pass
    except UnitError:
        pass
    remedy = "Write percent and the time in which delays grow by so much: 1%/10m."
    raise UsageError(f"--slow-down: {text!r} is no slow-down", remedy)


def leaked_bytes(script: "Script", at_ns: int) -> int:
    """What the process that runs at an instant has leaked."""
    period_ns = script.restart_period_ns
    born_ns = at_ns - at_ns % period_ns + script.restart_down_ns if period_ns and at_ns >= period_ns else 0
    return round(max(at_ns - born_ns, 0) * script.leak_bytes_per_s / 1e9)


def restarts(script: "Script", duration_ns: int) -> list[tuple[int, int]]:
    """When the server goes down and when it is up again, for all restarts that begin before the end."""
    if not script.restart_period_ns:
        return []
    begins = range(script.restart_period_ns, duration_ns, script.restart_period_ns)
    return [(begin, begin + script.restart_down_ns) for begin in begins]


def life_of(script: "Script", at_ns: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """The number of the process, from 0, that is there at an instant, or that comes next."""
    return at_ns // script.restart_period_ns if script.restart_period_ns else at_ns * 0


def after_restart(script: "Script", at_ns: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """The first instants from these on at which the server is up."""
    import numpy as np

    if not script.restart_period_ns:
        return at_ns
    within = at_ns % script.restart_period_ns
    down = (at_ns >= script.restart_period_ns) & (within < script.restart_down_ns)
    return np.where(down, at_ns - within + script.restart_down_ns, at_ns)


def ageing_truth(script: "Script", duration_ns: int) -> dict[str, Any]:
    """What is different at the end of a load from what was at its beginning."""
    downs = restarts(script, duration_ns)
    lives = [(begin, end) for (_, begin), (end, _) in zip([(0, 0), *downs], [*downs, (duration_ns, 0)], strict=True)]
    return {
        "delay_factor": script.delay_factor(duration_ns),
        "leaked_bytes": leaked_bytes(script, duration_ns),
        "leaked_at_most_bytes": max(round((end - begin) * script.leak_bytes_per_s / 1e9) for begin, end in lives),
        "restarts": [{"down_ns": begin, "up_ns": end} for begin, end in downs],
    }


def describe_ageing(script: "Script") -> list[str]:
    """It in words."""
    lines = []
    if script.leak_bytes_per_s:
        lines.append(f"leaks {format_bytes(script.leak_bytes_per_s * 60)} a minute")
    if script.slow_share:
        period = format_duration(script.slow_period_ns)
        lines.append(f"delays grow by {format_share(script.slow_share)} of what they were at first in every {period}")
    if script.restart_period_ns:
        lines.append(f"restarts every {format_duration(script.restart_period_ns)}, and is down for "
                     f"{format_duration(script.restart_down_ns)}")  # fmt: skip
    return lines


def _period_ns(text: str) -> int:
    period_ns = _PERIODS_NS.get(text) or parse_duration(text)
    if not period_ns:
        raise UnitError("no time", "")
    return period_ns
