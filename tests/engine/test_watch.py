"""What runs beside a run: who is watched, how often, and what becomes of it when it ends."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.test_scrape import PAGE, page_at
from wsload.engine.watch import Watch, Watcher, WatchRequest
from wsload.errors import UsageError


class Clock:
    """Time in the hands of a test."""

    def __init__(self) -> None:
        self.now_s = 1000

    def __call__(self) -> int:
        return self.now_s * 10**9


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_generator_is_always_watched(clock: Clock) -> None:
    watcher = Watcher(Watch(), lambda: [os.getppid()], clock)
    gauges, counters = watcher.take()
    assert gauges["generator_processes"] == 2
    assert gauges["generator_rss_bytes"] > 10_000_000
    assert counters == {"generator_cpu_ns": 0}
    assert not [name for name in gauges if name.startswith("target")]
    assert watcher.take() == (gauges, {}), "intervals that come at once share a reading"
    clock.now_s += 1
    assert watcher.take()[1]["generator_cpu_ns"] >= 0


def test_a_target_that_is_gone_is_told_once(clock: Clock) -> None:
    with waiting() as process:
        watch = Watch.of(WatchRequest(pid=process.pid))
        assert watch.words() == [
            f"process {process.pid} ({watch.process.name if watch.process else ''}) and its children"
        ]
        watcher = Watcher(watch, list, clock)
        gauges, _ = watcher.take()
        assert (gauges["target_processes"], gauges["target_lives"]) == (1, 1)
    for _ in range(2):
        clock.now_s += 1
        gauges, _ = watcher.take()
        assert "target_processes" not in gauges
    ((kind, text),) = watcher.take_notes()
    assert kind == "watch_lost"
    assert f"process {process.pid} " in text
    assert watcher.take_notes() == []


def test_a_page_is_kept_until_it_is_stale_and_restarts_are_noticed(clock: Clock) -> None:
    with page_at(PAGE.encode()) as url:
        watch = Watch.of(WatchRequest(url=url, metrics=("process_open_fds", "http_connections")))
        watcher = Watcher(watch, list, clock)

        async def once() -> None:
            scraping = asyncio.create_task(watcher.scrape())
            while not watcher.take()[0].get("target_scraped"):
                clock.now_s += 1
                await asyncio.sleep(0)
            scraping.cancel()

        asyncio.run(once())
    gauges, _ = watcher.take()
    assert gauges["target:process_open_fds"] == 12_000
    assert gauges["target:http_connections"] == 7_500
    assert gauges["target_lives"] == 1
    watcher._keep_page({"process_open_fds": 1.0, "process_start_time_seconds": 1.8e9})
    clock.now_s += 1
    assert watcher.take()[0]["target_lives"] == 2
    clock.now_s += 100
    assert "target_scraped" not in watcher.take()[0]


def test_what_is_not_there_is_refused_before_the_run() -> None:
    with waiting() as process:
        pass
    with pytest.raises(UsageError, match="--watch-pid: there is no process"):
        Watch.of(WatchRequest(pid=process.pid))
    with pytest.raises(UsageError, match=r"--watch-url: http://127\.0\.0\.1:9/: .*refused"):
        Watch.of(WatchRequest(url="http://127.0.0.1:9/"))
    with pytest.raises(UsageError, match="--watch-metric: there is no page"):
        Watch.of(WatchRequest(metrics=("process_open_fds",)))
