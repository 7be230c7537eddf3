"""Runs the user's command when an alert is broken: beside the run, one at a time for each alert, and not too often."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wsload.errors import UsageError
from wsload.results.alerts import AlertWindows, Event, events
from wsload.results.interval import Interval
from wsload.scenario import Alert
from wsload.units import format_count, format_duration, format_latency, format_rate, format_share

COMMAND_TIMEOUT_S = 60.0
END_TIMEOUT_S = 10.0
"""How much longer a command may take when the run is over."""
MAX_NOTES = 200
"""Breaches that become notes of the run; the rest is counted."""
Report = Callable[[str, str], None]
"""Takes kind and text of a note."""


@dataclass(frozen=True, slots=True)
class AlarmRequest:
    """What is to hold all the time, what to run when it does not, and how often at most."""

    alerts: tuple[Alert, ...] = ()
    command: tuple[str, ...] = ()
    every_ns: int = 600 * 10**9


def parse_command(text: str | None) -> tuple[str, ...]:
    """The words of a command, which no shell sees.

    Raises:
        UsageError: a quote is open, or there are none.
    """
    if text is None:
        return ()
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--on-breach: {str(error).lower()}", "Quote its parts as for a shell.") from None
    if not words:
        raise UsageError("--on-breach: it is empty", "Name a command, such as --on-breach ./page-me.")
    return words


class Alarm:
    """Hears intervals, tells of breaches, and runs the command; `facts` are of the run, for the command to know."""

    def __init__(
        self, asked: AlarmRequest, facts: Mapping[str, Any], report: Report, asides: Collection[str] = ()
    ) -> None:
        self._asked = asked
        self._facts = facts
        self._report = report
        self._windows = [AlertWindows(alert, asides) for alert in asked.alerts]
        self._told_ns: dict[Alert, int] = {}
        """When the command last ran for an alert."""
        self._held_back: dict[Alert, int] = {}
        self._is_told: dict[Alert, bool] = {}
        """Whether the command knows of the breach that lasts."""
        self._running: dict[Alert, asyncio.Task[None]] = {}
        self._notes = 0
        self._complaints: set[str] = set()

    def hear(self, interval: Interval) -> None:
        """Takes an interval in; on the run's loop, where commands are started."""
        for event in events(self._windows, interval):
            if event.kind != "still":
                self._note(event)
            if self._asked.command and self._is_due(event):
                self._start(event)

    async def close(self) -> None:
        """Gives commands that run a little more time, and ends them."""
        tasks = list(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=END_TIMEOUT_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_due(self, event: Event) -> bool:
        alert = event.alert
        busy = alert in self._running and not self._running[alert].done()
        if event.kind == "recovered":
            # Whoever was told of the breach is told of its end, and nobody else.
            return self._is_told.pop(alert, False) and not busy
        last = self._told_ns.get(alert)
        if busy or (last is not None and event.end_ns - last < self._asked.every_ns):
            self._held_back[alert] = self._held_back.get(alert, 0) + 1
            return False
        self._told_ns[alert], self._is_told[alert] = event.end_ns, True
        return True

    def _start(self, event: Event) -> None:
        document = document_of(event, self._facts, self._held_back.pop(event.alert, 0))
        self._running[event.alert] = asyncio.create_task(self._run(json.dumps(document).encode() + b"\n"))

    async def _run(self, document: bytes) -> None:
        null = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._asked.command, stdin=asyncio.subprocess.PIPE, stdout=null, stderr=null, start_new_session=True
            )
        except OSError as error:
            self._complain(f"{self._asked.command[0]}: {error.strerror}")
            return
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await process.communicate(document)
        except TimeoutError:
            self._complain(f"it took longer than {COMMAND_TIMEOUT_S:g} s and was killed")
        except OSError:
            # It reads nothing and has ended: that is its own affair.
            await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode and process.returncode > 0:
            self._complain(f"exit code {process.returncode}")

    def _note(self, event: Event) -> None:
        self._notes += 1
        if self._notes <= MAX_NOTES:
            self._report(event.kind, words_of(event))
        elif self._notes == MAX_NOTES + 1:
            self._report("breach", f"more than {MAX_NOTES} breaches and recoveries: no more of them are noted")

    def _complain(self, why: str) -> None:
        """Once for each reason: it would come back with every breach."""
        if why not in self._complaints:
            self._complaints.add(why)
            self._report("on_breach_failed", f"--on-breach: {why}")


def document_of(event: Event, facts: Mapping[str, Any], held_back: int) -> dict[str, Any]:
    """What the command reads; docs/soak.md describes it."""
    result, threshold = event.result, event.alert.threshold
    return {
        "event": "recovered" if event.kind == "recovered" else "breach",
        "alert": threshold.text,
        "metric": threshold.name,
        "observed": result.observed,
        "at_least": result.at_least,
        "limit": threshold.value,
        "unit": result.unit,
        "reason": result.reason,
        "text": words_of(event),
        "window_s": event.alert.window_ns / 1e9,
        "begin_s": event.begin_ns / 1e9,
        "end_s": event.end_ns / 1e9,
        "since_s": event.since_ns / 1e9,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "held_back": held_back,
        **facts,
    }


def words_of(event: Event) -> str:
    """`response.p99 < 250ms over 1 min: 412 ms at 1 h 3 min`, or that it holds again, and for how long it did not."""
    result = event.result
    observed = "nothing" if result.observed is None else _shown(result.observed, result.unit)
    head = f"{event.alert.threshold.text} over {format_duration(event.alert.window_ns)}"
    text = f"{'≥' if result.at_least else ''}{observed} at {format_duration(event.begin_ns)}"
    if event.kind == "recovered":
        return f"{head}: holds again with {text}, after {format_duration(event.begin_ns - event.since_ns)}"
    return f"{head}: {text}"


def _shown(value: float, unit: str) -> str:
    match unit:
        case "ns":
            return format_latency(value)
        case "share":
            return format_share(value)
        case "per_s":
            return format_rate(value)
    return format_count(round(value))
