"""A run that goes on in its own file: what it has measured, what is left, and where its new intervals stand."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypeVar

from wsload.errors import UsageError
from wsload.results import Fold, Header, Interval, RunFile
from wsload.scenario import LoadModel, Scenario, Stage
from wsload.scenario.plan import PlanStage

S = TypeVar("S", Stage, PlanStage)


@dataclass(frozen=True, slots=True)
class Before:
    """What the file holds."""

    header: Header
    fold: Fold
    epoch_unix_ns: int
    last_index: int
    end_ns: int
    attempts: int
    """The greatest number of an attempt in its timeline."""
    ended: str
    """How it ended, in words."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a file to its end.

        Raises:
            RunFileError: it cannot be read.
            UsageError: it has measured nothing to go on from, or is being written.
        """
        with RunFile.open(path) as run:
            if run.epoch_unix_ns is None:
                raise UsageError(f"--resume: {path}: it ended before it began", "Start it again, with another file.")
            if run.writer and _lives(run.writer):
                what = f"--resume: {path}: process {run.writer.partition(':')[0]} is writing it"
                raise UsageError(what, "Stop that one first: SIGTERM drains and saves.")
            fold = Fold(run.header)
            last_index = -1
            for interval in run.intervals():
                fold.add(interval)
                last_index = interval.index
            fold.take_notes(run.notes())
            ended = run.outcome_reason or "killed"
            return cls(run.header, fold, run.epoch_unix_ns, last_index, run.end_ns, run.last_attempt(), ended)


class Placing:
    """Puts the intervals of the new part behind those of the old one, on the old one's clock."""

    def __init__(self, before: Before) -> None:
        self._before = before
        self._epoch_unix_ns = before.epoch_unix_ns
        self._shift: tuple[int, int] | None = None

    def on_epoch(self, unix_ns: int) -> None:
        """The new part's epoch."""
        self._epoch_unix_ns = unix_ns

    def place(self, interval: Interval) -> Interval:
        """The interval with its number and times in the file."""
        if self._shift is None:
            between_ns = self._epoch_unix_ns - self._before.epoch_unix_ns
            # A clock that was set back must not put the new part before the end of the old one.
            shift_ns = max(between_ns, self._before.end_ns - interval.start_ns)
            self._shift = self._before.last_index + 1 - interval.index, shift_ns
        by, by_ns = self._shift
        return replace(
            interval,
            index=interval.index + by,
            start_ns=interval.start_ns + by_ns,
            end_ns=interval.end_ns + by_ns,
            failures=tuple(replace(one, first_ns=one.first_ns + by_ns) for one in interval.failures),
            events=tuple(
                one._replace(at_ns=one.at_ns + by_ns, attempt=one.attempt + self._before.attempts)
                for one in interval.events
            ),
        )

    def at_ns(self, at_ns: int) -> int:
        """An instant of the new part in the file."""
        return at_ns + (self._shift[1] if self._shift else self._epoch_unix_ns - self._before.epoch_unix_ns)


def rest_of(path: Path, scenario: Scenario) -> Scenario:
    """The scenario of a run file for what it has not measured yet: the gap does not count.

    Raises:
        RunFileError: it cannot be read.
        UsageError: nothing is left.
    """
    with RunFile.open(path) as run:
        plan = run.header.plan
        measured_ns = run.measured_ns()
        warm_ns = plan.warmup_ns if measured_ns else min(max(run.end_ns, 0), plan.warmup_ns)
    if plan.duration_ns is None:
        raise UsageError(f"--resume: {path}: it is bounded by a number of messages", "Only what lasts a time goes on.")
    left_ns = plan.duration_ns - measured_ns
    if left_ns <= 0:
        raise UsageError(f"--resume: {path}: it has measured all of its time", "Begin another one.")
    load = {"warmup_ns": plan.warmup_ns - warm_ns, "duration_ns": None if scenario.load.stages else left_ns}
    stages = cut_stages(scenario.load.stages, warm_ns + measured_ns)
    rest: LoadModel = scenario.load.model_copy(update={**load, "stages": stages})
    return scenario.model_copy(update={"load": rest})


def cut_stages(stages: "tuple[S, ...]", after_ns: int) -> "tuple[S, ...]":
    """What is left of stages after a time; a ramp goes on from the rate it had come to."""
    rate = 0.0
    for at, stage in enumerate(stages):
        if after_ns < stage.duration_ns:
            reached = rate + (stage.target_per_s - rate) * after_ns / stage.duration_ns
            step = stage.model_copy(update={"duration_ns": 0, "target_per_s": reached})
            rest = stage.model_copy(update={"duration_ns": stage.duration_ns - after_ns})
            left = [step, rest]
            left.extend(stages[at + 1 :])
            return tuple(left)
        after_ns -= stage.duration_ns
        rate = stage.target_per_s
    return ()


def this_process() -> str:
    """This process as a file names its writer: a number alone may be another's by now."""
    return f"{os.getpid()}:{_started(os.getpid())}"


def _lives(writer: str) -> bool:
    number, _, started = writer.partition(":")
    return number.isdecimal() and _started(int(number)) == started != ""


def _started(number: int) -> str:
    """When a process was started, in ticks after the boot; empty if there is none."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
