"""What becomes of a long run's surroundings: the machine slept, the server shows another certificate."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from wsload.units import format_duration

if TYPE_CHECKING:
    from wsload.results import Interval

_SHORTEST_SLEEP_NS = 100_000_000
MAX_CERTIFICATES = 32
"""Told; a server farm may have one for each of its machines."""


def time_asleep_ns() -> int:
    """How long this machine has been suspended since it was started: what `CLOCK_MONOTONIC` leaves out."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Surroundings:
    """Looks once per interval."""

    def __init__(self, asleep_ns: Callable[[], int] = time_asleep_ns) -> None:
        self._asleep_ns = asleep_ns
        self._known_ns = asleep_ns()
        self._certificates: list[str] = []

    def hear(self, interval: "Interval") -> list[tuple[str, str]]:
        """Kind and text of each note that there is to make."""
        return [*self._sleep(), *self._rotation(interval)]

    def _sleep(self) -> list[tuple[str, str]]:
        before_ns, self._known_ns = self._known_ns, self._asleep_ns()
        slept_ns = self._known_ns - before_ns
        if slept_ns < _SHORTEST_SLEEP_NS:
            return []
        text = f"this machine was suspended for {format_duration(slept_ns)}, which is in no latency and no rate"
        return [("suspended", text)]

    def _rotation(self, interval: "Interval") -> list[tuple[str, str]]:
        notes = []
        for aspect, shown in interval.negotiated:
            if aspect != "certificate" or shown in self._certificates or len(self._certificates) >= MAX_CERTIFICATES:
                continue
            if self._certificates:
                before = self._certificates[-1]
                notes.append(
                    (
                        "certificate",
                        f"the server shows another certificate: SHA-256 {shown[:16]}…, before {before[:16]}…",
                    )
                )
            self._certificates.append(shown)
        return notes
