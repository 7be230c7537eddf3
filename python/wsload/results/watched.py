"""What is watched beside the messages: memory, descriptors, threads and CPU of the target and of the generator.

Readings are gauges and counters of intervals, whose names are made here. What a metrics page tells may be a fraction:
it is stored in thousandths.
"""

from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

Source = Literal["target", "generator"]
SOURCES: tuple[Source, ...] = get_args(Source)
GAUGES = ("rss_bytes", "fds", "threads", "processes")
"""Of all processes of a source together."""
CPU = "cpu_ns"
"""A counter."""
LIVES = "target_lives"
"""Gauge: 1, and one more after each restart that was noticed: memory before and after it is not one series."""
SCRAPED = "target_scraped"
"""Gauge: 1 where a metrics page was read. What it has not is 0 then, as a zero is not stored."""
PAGE = "target:"
"""What the gauge of a metric of a page begins with."""
THOUSANDTHS = 1000


def gauge(source: Source, name: str) -> str:
    """Under which name a reading of processes is stored."""
    return f"{source}_{name}"


def page_gauge(metric: str) -> str:
    """Under which name a metric of a page is stored."""
    return PAGE + metric


def readings(gauges: Mapping[str, int], counters: Mapping[str, int], seconds: float) -> dict[tuple[Source, str], float]:
    """What was read in an interval or a window, by source and name; CPU as `cpu_cores`, a share of one core."""
    found: dict[tuple[Source, str], float] = {}
    for source in SOURCES:
        if not gauges.get(gauge(source, "processes")):
            continue
        for name in GAUGES:
            found[source, name] = float(gauges.get(gauge(source, name), 0))
        if seconds > 0:
            found[source, "cpu_cores"] = counters.get(gauge(source, CPU), 0) / 1e9 / seconds
    if gauges.get(SCRAPED):
        for name, value in gauges.items():
            if name.startswith(PAGE):
                found["target", name.removeprefix(PAGE)] = value / THOUSANDTHS
    return found


def memory_bytes(gauges: Mapping[str, int]) -> float:
    """The target's resident memory, by its processes or its page; 0: it was not watched."""
    page = gauges.get(page_gauge("process_resident_memory_bytes"), 0) / THOUSANDTHS
    return float(gauges.get(gauge("target", "rss_bytes"), 0)) or page


class Watched(BaseModel):
    """A reading over the measured part of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    name: str = Field(description="rss_bytes, fds, threads, processes, cpu_cores, or a metric of the target's page")
    first: float
    last: float
    least: float
    most: float

    def then(self, value: float) -> Self:
        """With what was read next."""
        changed = {"last": value, "least": min(self.least, value), "most": max(self.most, value)}
        return self.model_copy(update=changed)


class WatchFold:
    """Adds readings up."""

    def __init__(self) -> None:
        self._found: dict[tuple[Source, str], Watched] = {}

    def add(self, found: Mapping[tuple[Source, str], float]) -> None:
        """Adds what was read in an interval."""
        for (source, name), value in found.items():
            known = self._found.get((source, name))
            self._found[source, name] = (
                known.then(value)
                if known
                else Watched(source=source, name=name, first=value, last=value, least=value, most=value)
            )

    def total(self) -> list[Watched]:
        """All of it, the target's first."""
        return sorted(self._found.values(), key=lambda one: SOURCES.index(one.source))
