"""What runs beside a run: the target's processes or metrics page, and the generator's own, read once per interval."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wsload.engine.processes import Meter, Process, family, read_process
from wsload.engine.scrape import START_TIME, Page, ScrapeError
from wsload.errors import UsageError
from wsload.results.watched import CPU, GAUGES, LIVES, SCRAPED, THOUSANDTHS, Source, gauge, page_gauge

SCRAPE_EVERY_S = 5.0
"""A page costs the target more than a look into /proc."""
STALE_NS = round(3e9 * SCRAPE_EVERY_S)
MIN_GAP_NS = 100_000_000
"""Intervals that come at once, as those of the ramp do, share a reading."""


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What is asked to be watched of the target, as the flags have it."""

    pid: int | None = None
    url: str | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be watched of the target, checked: it is there, and may be looked at."""

    process: Process | None = None
    page: Page | None = None

    @classmethod
    def of(cls, asked: WatchRequest) -> "Watch":
        """What is asked for.

        Raises:
            UsageError: the process or the page is not there.
        """
        process = None if asked.pid is None else read_process(asked.pid)
        if asked.pid is not None and process is None:
            raise UsageError(f"--watch-pid: there is no process {asked.pid}", "Name one that runs on this machine.")
        if asked.url is None:
            if asked.metrics:
                raise UsageError("--watch-metric: there is no page that has it", "Add --watch-url http://HOST/metrics.")
            return cls(process)
        page = Page(asked.url, asked.metrics)
        try:
            page.read()
        except ScrapeError as error:
            remedy = "It must be a page in Prometheus' text format; --watch-metric chooses what is read."
            raise UsageError(f"--watch-url: {asked.url}: {error}", remedy) from None
        return cls(process, page)

    def words(self) -> list[str]:
        """What it is, for whoever reads the result."""
        found = [f"process {self.process.pid} ({self.process.name}) and its children"] if self.process else []
        return found + ([self.page.url] if self.page else [])


class Watcher:
    """Reads whenever an interval is over."""

    def __init__(
        self, watch: Watch, workers: Callable[[], Iterable[int]], now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._watch = watch
        self._now_ns = now_ns
        self._workers = workers
        self._own, self._target = Meter(), Meter()
        self._taken_ns = -MIN_GAP_NS
        self._last: dict[str, int] = {}
        self._page: dict[str, float] = {}
        self._page_at_ns = -STALE_NS
        self._page_lives = 0
        self._page_start: float | None = None
        self._notes: list[tuple[str, str]] = []
        self._gone = False

    def take(self) -> tuple[dict[str, int], dict[str, int]]:
        """Gauges and counters of the interval that is over."""
        now_ns = self._now_ns()
        if now_ns - self._taken_ns < MIN_GAP_NS:
            return self._last, {}
        self._taken_ns = now_ns
        gauges, counters = self._named("generator", self._own.read([os.getpid(), *self._workers()]))
        if self._watch.process and not self._gone:
            more = self._named("target", self._read_target(self._watch.process))
            gauges |= more[0]
            counters |= more[1]
        if self._watch.page and now_ns - self._page_at_ns < STALE_NS:
            gauges[SCRAPED] = 1
            gauges |= {page_gauge(name): round(value * THOUSANDTHS) for name, value in self._page.items()}
        if lives := self._target.lives + self._page_lives:
            gauges[LIVES] = lives
        self._last = gauges
        return gauges, counters

    def take_notes(self) -> list[tuple[str, str]]:
        """Kinds and texts of what a person should know, since the last time."""
        notes, self._notes = self._notes, []
        return notes

    async def scrape(self) -> None:
        """Reads the page again and again, in a thread; one that is not to be had now may be later."""
        page = self._watch.page
        while page is not None:
            try:
                found = await asyncio.to_thread(page.read)
            except ScrapeError:
                pass
            else:
                self._keep_page(found)
            await asyncio.sleep(SCRAPE_EVERY_S)

    def _keep_page(self, found: dict[str, float]) -> None:
        start = found.get(START_TIME)
        if start is None or start != self._page_start:
            self._page_lives = max(self._page_lives + (start is not None), 1)
            self._page_start = start
        wanted = {selector.text for selector in self._watch.page.selectors} if self._watch.page else set()
        self._page = {name: value for name, value in found.items() if name in wanted}
        self._page_at_ns = self._now_ns()

    def _read_target(self, root: Process) -> dict[str, int]:
        now = read_process(root.pid)
        if now is None or now.identity != root.identity:
            self._gone = True
            text = f"process {root.pid} ({root.name}) is gone: the target is not watched any more"
            self._notes.append(("watch_lost", text))
            return {}
        return self._target.read(family(root.pid))

    @staticmethod
    def _named(source: Source, found: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        gauges = {gauge(source, name): found[name] for name in GAUGES if name in found}
        return gauges, {gauge(source, CPU): found[CPU]} if CPU in found else {}
