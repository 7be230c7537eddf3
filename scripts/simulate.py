"""Comparisons of simulated runs whose truth is known: the tables of docs/statistics.md.

Seeds are fixed: the same code gives the same tables. `python scripts/simulate.py --help` tells what there is.
"""

import argparse
import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsload.analysis.compare import Tolerances, compare_metrics
from wsload.analysis.metrics import Metric, metrics
from wsload.analysis.series import Distribution, Series
from wsload.results import Header
from wsload.scenario import LoadModel, Scenario, build_plan

NAMES = {"response.p50", "response.p90", "response.p99", "response.p99.9", "response.max"}
SHOWN = ("response.p50", "response.p90", "response.p99", "response.p99.9", "response.max")
MESSAGES = 400
"""Per second."""
TAIL_SHARE = 0.05


@dataclass(frozen=True)
class World:
    """How a server scatters. Levels are factors on all response times, given by the deviation of their logarithm."""

    name: str
    spread: float = 0.4
    """Of single messages."""
    unrest: float = 0.0
    """Of the level from second to second,"""
    memory: float = 0.0
    """which keeps this share of itself (first-order autoregression)."""
    from_run: float = 0.0
    """Of a run's level."""
    from_run_new: float | None = None
    """The same on the new side, where it differs."""
    drift: float = 0.0
    """Of the step from one round to the next (a random walk), and its trend."""
    heavy: float = 0.0
    """Share of messages with a Pareto tail (exponent 2) on top."""
    bursts: float = 0.0
    """Chance per second that a neighbour begins to double all times, for 2.5 s on average."""


WORLDS = (
    World("steady"),
    World("restless", unrest=0.05, memory=0.7, from_run=0.02),
    World("drifting", unrest=0.03, memory=0.5, from_run=0.01, drift=0.03),
    World("heavy tails", unrest=0.03, memory=0.5, from_run=0.02, heavy=0.05),
    World("noisy neighbour", unrest=0.03, memory=0.5, from_run=0.01, bursts=0.04),
    World("new side scatters more", unrest=0.03, memory=0.5, from_run=0.01, from_run_new=0.04),
)


@dataclass(frozen=True)
class Design:
    """How many runs there are, and whether they were made in rounds of both sides."""

    base: int
    new: int
    seconds: int = 30
    rounds: bool = False

    @property
    def name(self) -> str:
        """`6 + 6 runs of 30 s`."""
        if self.rounds:
            return f"{self.base} rounds of {self.seconds} s"
        return f"{self.base} + {self.new} runs of {self.seconds} s"


DESIGNS = (Design(1, 1), Design(1, 1, 120), Design(3, 3), Design(6, 6), Design(6, 6, rounds=True), Design(8, 1))
POWER_DESIGNS = (
    Design(1, 1, 120),
    Design(3, 3),
    Design(6, 6),
    Design(6, 6, rounds=True),
    Design(12, 12, rounds=True),
)


@dataclass(frozen=True)
class Change:
    """What differs on the new side: all times by a factor, or those of the slowest messages."""

    name: str
    factor: float = 1.0
    tail: float = 1.0
    """Factor on one message in twenty, drawn before anything else."""


NONE = Change("none")
CHANGES = (Change("+3 %", 1.03), Change("+5 %", 1.05), Change("+10 %", 1.10), Change("tail only, ×1.5", 1.0, 1.5))


def simulated_run(
    random: np.random.Generator, world: World, level: float, seconds: int, change: Change = NONE
) -> Series:
    """One run: its level is the round's and its own; every second has its own unrest."""
    levels = np.full(seconds, level) + _unrest(random, world, seconds)
    logs = levels[:, None] + world.spread * random.normal(size=(seconds, MESSAGES))
    if world.heavy:
        logs += np.where(random.random(logs.shape) < world.heavy, random.exponential(0.5, size=logs.shape), 0.0)
    if change.tail != 1:
        logs += np.where(random.random(logs.shape) < TAIL_SHARE, math.log(change.tail), 0.0)
    values = steps_of((1e7 * change.factor * np.exp(logs)).astype(np.int64))
    axis, place = np.unique(values, return_inverse=True)
    cells = place.reshape(values.shape) + np.arange(seconds)[:, None] * len(axis)
    counts = np.bincount(cells.ravel(), minlength=seconds * len(axis)).reshape(seconds, len(axis))
    return Series(
        path=Path("simulated.wsload"),
        header=_header(),
        outcome="completed",
        reasons=(),
        seconds=np.ones(seconds),
        counters={},
        ramp={},
        latencies={("response", ""): Distribution(axis, counts, np.zeros(len(axis), dtype=np.int64))},
        maxima_ns={"": values.max(axis=1).astype(np.float64)},
    )


def steps_of(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values as an HDR histogram of three digits prints them."""
    exponent = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(exponent - 11, 0)
    return np.asarray(((values >> shift) + 1 << shift) - 1, dtype=np.int64)


def _unrest(random: np.random.Generator, world: World, seconds: int) -> NDArray[np.float64]:
    fresh = random.normal(size=seconds)
    level = np.empty(seconds)
    at = random.normal()
    for second in range(seconds):
        at = world.memory * at + math.sqrt(1 - world.memory**2) * fresh[second]
        level[second] = world.unrest * at
    if world.bursts:
        draws, bursting = random.random(seconds), False
        for second in range(seconds):
            bursting = bool(draws[second] < (0.6 if bursting else world.bursts))
            level[second] += math.log(2) * bursting
    return level


_HEADERS: list[Header] = []


def _header() -> Header:
    if not _HEADERS:
        scenario = Scenario(target="ws://127.0.0.1:9000/", load=LoadModel(rate_per_s=MESSAGES), seed=1)
        _HEADERS.append(Header.describe(scenario, build_plan(scenario), {}, 1))
    return _HEADERS[0]


def simulated_sides(
    random: np.random.Generator, world: World, design: Design, change: Change = NONE
) -> tuple[list[Series], list[Series]]:
    """The runs of two sides, in the order in which they would be made."""
    new_scatter = world.from_run if world.from_run_new is None else world.from_run_new
    if design == Design(1, 1, design.seconds):
        # One run a side cannot know how runs differ: what it claims is tested where they do not.
        world, new_scatter = replace(world, from_run=0.0), 0.0
    base, new = [], []
    level = 0.0
    for number in range(max(design.base, design.new)):
        level += world.drift * random.normal() + world.drift / 3
        # Whoever comes second in a round meets a bit more of the drift.
        second_is_new = (number % 4) in {0, 3}
        later = level + world.drift / 6
        own = world.from_run * random.normal(), new_scatter * random.normal()
        at = (level, later) if second_is_new else (later, level)
        if number < design.base:
            base.append(simulated_run(random, world, at[0] + own[0], design.seconds))
        if number < design.new:
            new.append(simulated_run(random, world, at[1] + own[1], design.seconds, change))
    return base, new


@dataclass(frozen=True)
class Task:
    """Some comparisons of one kind."""

    world: World
    design: Design
    change: Change
    tolerance: float
    seed: int
    count: int
    plain: bool = False
    """Whether to ask the plain bootstrap as well."""


FIELDS = ("shown", "told", "unchanged", "held", "plain_held")


@dataclass
class Tally:
    """What came of them, by metric: how many had an interval, verdicts, intervals that hold the truth."""

    count: int = 0
    alarms: int = 0
    shown: dict[str, int] = None  # type: ignore[assignment]
    told: dict[str, int] = None  # type: ignore[assignment]
    unchanged: dict[str, int] = None  # type: ignore[assignment]
    held: dict[str, int] = None  # type: ignore[assignment]
    plain_held: dict[str, int] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Every metric begins at none."""
        for name in FIELDS:
            if getattr(self, name) is None:
                setattr(self, name, dict.fromkeys(SHOWN, 0))

    def add(self, other: "Tally") -> None:
        """Adds another part of the same task."""
        self.count += other.count
        self.alarms += other.alarms
        for name in FIELDS:
            mine, theirs = getattr(self, name), getattr(other, name)
            for metric in mine:
                mine[metric] += theirs[metric]


def simulate(task: Task) -> Tally:
    """Makes the comparisons of a task."""
    random = np.random.default_rng(task.seed)
    wanted = metrics(NAMES, [])
    tally = Tally(count=task.count)
    truth = task.change.factor
    for _ in range(task.count):
        base, new = simulated_sides(random, task.world, task.design, task.change)
        rows, _ = compare_metrics(wanted, base, new, Tolerances(task.tolerance), paired=task.design.rounds)
        tally.alarms += any(row.verdict in {"regressed", "improved"} for row in rows)
        for row in rows:
            tally.shown[row.metric] += 1
            tally.told[row.metric] += row.verdict == "regressed"
            tally.unchanged[row.metric] += row.verdict == "unchanged"
            tally.held[row.metric] += row.low <= truth <= row.high
        if task.plain:
            for metric, (low, high) in zip(wanted, plain_intervals(random, wanted, base, new), strict=True):
                tally.plain_held[metric.name] += low <= truth <= high
    return tally


def plain_intervals(
    random: np.random.Generator, wanted: Sequence[Metric], base: list[Series], new: list[Series], draws: int = 200
) -> list[tuple[float, float]]:
    """The textbook's hierarchical block bootstrap: runs, then blocks of 3 s, percentiles of the resampled ratio."""
    logs = np.empty((draws, len(wanted)))
    for draw in range(draws):
        sides = [
            [_resampled(random, side[at]) for at in random.integers(0, len(side), len(side))] for side in (base, new)
        ]
        for place, metric in enumerate(wanted):
            means = [np.mean([reading.at for run in side if (reading := metric.read(run))]) for side in sides]
            logs[draw, place] = means[1] - means[0]
    return [(float(low), float(high)) for low, high in np.exp(np.quantile(logs, [0.025, 0.975], axis=0)).T]


def _resampled(random: np.random.Generator, run: Series, length: int = 3) -> Series:
    seconds = len(run.seconds)
    starts = random.integers(0, seconds, math.ceil(seconds / length))
    chosen = ((starts[:, None] + np.arange(length)) % seconds).ravel()[:seconds]
    # One block: the reading needs no error of its own here.
    distribution = run.latencies["response", ""]
    weights = np.bincount(chosen, minlength=seconds)
    total = (weights @ distribution.counts)[None, :]
    return replace(
        run,
        latencies={("response", ""): Distribution(distribution.steps_ns, total, distribution.lost)},
        maxima_ns={"": run.maxima_ns[""][chosen]},
    )


def in_parts(task: Task, size: int = 25) -> Iterable[Task]:
    """The task cut into pieces with seeds of their own."""
    for number, start in enumerate(range(0, task.count, size)):
        yield replace(task, seed=task.seed * 1_000 + number, count=min(size, task.count - start))


def simulate_all(tasks: Sequence[Task], workers: int) -> list[Tally]:
    """Makes the comparisons of many tasks, on several cores."""
    parts = [(place, part) for place, task in enumerate(tasks) for part in in_parts(task)]
    tallies = [Tally() for _ in tasks]
    with ProcessPoolExecutor(workers) as pool:
        for (place, _), tally in zip(parts, pool.map(simulate, [part for _, part in parts]), strict=True):
            tallies[place].add(tally)
    return tallies


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _named(task: Task) -> str:
    return f"{task.design.name}, {task.world.name}"


def _held(tally: Tally, name: str) -> str:
    """The share of intervals that hold the truth, and of comparisons that have one if not all do."""
    shown = tally.shown[name]
    if shown < tally.count / 10:
        return "none"
    return _share(tally.held[name], shown) + ("" if shown == tally.count else f" of {100 * shown // tally.count} %")


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %"


def coverage_tables(count: int, workers: int) -> str:
    """Equal servers: how often an interval holds the truth, and how often there is an alarm."""
    tasks = [Task(world, design, NONE, 0.0, 1 + at, count) for at, (design, world) in enumerate(_pairs())]
    tallies = simulate_all(tasks, workers)
    rows = [
        [
            _named(task),
            *(_held(t, name) for name in SHOWN),
            _share(t.alarms, t.count),
        ]
        for task, t in zip(tasks, tallies, strict=True)
    ]
    return table(["design and world", *SHOWN, "any alarm"], rows)


def _pairs() -> list[tuple[Design, World]]:
    # Without rounds nothing tells a drift from a change: that is what rounds are for. Single runs have no scatter.
    return [(design, world) for design in DESIGNS for world in WORLDS if _is_telling(design, world)]


def _is_telling(design: Design, world: World) -> bool:
    return (design.rounds or not world.drift) and (design.base + design.new > 2 or world.from_run_new is None)


def plain_table(count: int, workers: int) -> str:
    """The textbook's bootstrap on the same data."""
    designs = (Design(1, 1), Design(3, 3), Design(6, 6))
    tasks = [
        Task(world, design, NONE, 0.0, 500 + at, count, plain=True)
        for at, (design, world) in enumerate((d, w) for d in designs for w in (WORLDS[0], WORLDS[1], WORLDS[4]))
    ]
    tallies = simulate_all(tasks, workers)
    rows = [
        [
            _named(task),
            *(f"{_share(t.plain_held[name], t.count)} / {_held(t, name)}" for name in SHOWN),
        ]
        for task, t in zip(tasks, tallies, strict=True)
    ]
    return table(["design and world", *SHOWN], rows)


def power_table(count: int, workers: int) -> str:
    """Servers that have changed: how often which verdict."""
    cases = [
        (design, world, change, tolerance)
        for world in (WORLDS[1], WORLDS[3])
        for design in (
            Design(1, 1, 120),
            Design(3, 3),
            Design(6, 6),
            Design(6, 6, rounds=True),
            Design(12, 12, rounds=True),
        )
        for change in CHANGES
        for tolerance in (0.0, 0.05)
    ]
    tasks = [
        Task(world, design, change, tolerance, 800 + at, count)
        for at, (design, world, change, tolerance) in enumerate(cases)
    ]
    tallies = simulate_all(tasks, workers)
    rows = []
    for task, t in zip(tasks, tallies, strict=True):
        told = [f"{_share(t.told[name], t.count)}" for name in ("response.p50", "response.p99")]
        same = [f"{_share(t.unchanged[name], t.count)}" for name in ("response.p50", "response.p99")]
        rows.append([_named(task), task.change.name, f"{task.tolerance:.0%}", *told, *same])
    head = [
        "world and design",
        "change",
        "tolerance",
        "p50 regressed",
        "p99 regressed",
        "p50 unchanged",
        "p99 unchanged",
    ]
    return table(head, rows)


TABLES: dict[str, Callable[[int, int], str]] = {
    "coverage": coverage_tables,
    "plain": plain_table,
    "power": power_table,
}


def main() -> None:
    """Prints the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="which (all)")
    parser.add_argument("--count", type=int, default=400, help="comparisons per row (%(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (%(default)s)")
    arguments = parser.parse_args()
    for name in arguments.tables or TABLES:
        print(
            f"## {name}, {arguments.count} comparisons per row\n\n{TABLES[name](arguments.count, arguments.workers)}\n"
        )


if __name__ == "__main__":
    main()
