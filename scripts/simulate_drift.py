"""Trends of simulated series whose truth is known: the tables on drift in docs/statistics.md.

Seeds are fixed: the same code gives the same tables. Series are noise of deviation 1, perhaps with a trend; how far it
keeps to what it was is told as the time in which that falls to a third, as a share of the run.
"""

import argparse
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsload.analysis.drift import judge
from wsload.analysis.student import quantile
from wsload.analysis.trend import Floats, Ints, Trend, trend
from wsload.results import Window

LEVEL = 0.95
DRAWS = 200
"""Of the bootstrap."""
METRICS = 8
HOUR_NS = 3600 * 10**9


@dataclass(frozen=True)
class World:
    """How a series scatters over a run of `hours`."""

    name: str
    windows: int = 90
    hours: float = 1.0
    memory: float = 0.0
    """Share of the run in which it falls to 1/e; 0: neighbours have nothing in common."""
    heavy: bool = False
    """Student's t with 2.5 degrees of freedom instead of normal."""
    outages: int = 0
    """Windows that are 40 deviations off."""
    cycle: float = 0.0
    """Amplitude of a daily cycle."""
    lives: int = 1
    """Processes one after the other, each at a level of its own."""


WORLDS = (
    World("white"),
    World("memory of 1/50 of the run", memory=0.02),
    World("memory of 1/20", memory=0.05),
    World("memory of 1/10", memory=0.1),
    World("memory of 1/50, 64 windows", windows=64, memory=0.02),
    World("heavy tails, memory of 1/50", heavy=True, memory=0.02),
    World("5 outages, memory of 1/50", outages=5, memory=0.02),
    World("3 processes, memory of 1/50", lives=3, memory=0.02),
    World("2 days, daily cycle of 3", hours=48, cycle=3.0),
    World("3 days, daily cycle of 3", windows=120, hours=72, cycle=3.0),
    World("3 days, daily cycle of 3, memory of 1/50", windows=120, hours=72, cycle=3.0, memory=0.02),
    World("7 days, daily cycle of 3, memory of 1/50", hours=168, cycle=3.0, memory=0.02),
    World("12 hours, daily cycle of 3", hours=12, cycle=3.0),
)


def made(world: World, random: np.random.Generator, slope: float) -> tuple[Floats, Floats, Ints | None, float]:
    """Times in hours, values with `slope` over the whole run, and how they are to be compared."""
    count, warm = world.windows, 300
    noise = random.standard_t(2.5, size=count + warm) if world.heavy else random.normal(size=count + warm)
    kept = math.exp(-1 / (world.memory * count)) if world.memory else 0.0
    series = np.zeros(count + warm)
    for at in range(1, count + warm):
        series[at] = kept * series[at - 1] + noise[at]
    values = series[warm:] * math.sqrt(1 - kept * kept)
    times = (np.arange(count) + 0.5) / count * world.hours
    values += slope * times / world.hours
    values += world.cycle * np.sin(2 * np.pi * (times / 24 + random.random()))
    values[random.choice(count, world.outages, replace=False)] += 40
    if world.lives > 1:
        groups = np.arange(count) * world.lives // count
        return times, values + 5 * random.normal(size=world.lives)[groups], groups, 0.0
    if world.hours >= 48:
        return times, values, (times % 24).astype(np.int64), 12.0
    return times, values, None, 0.0


def bootstrap(times: Floats, values: Floats, random: np.random.Generator) -> tuple[float, float]:
    """The textbook's interval: Theil and Sen's slope of residuals drawn again in blocks of n^(1/3)."""
    count = len(values)
    first, second = np.triu_indices(count, 1)

    def slope(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.median((drawn[..., second] - drawn[..., first]) / (times[second] - times[first]), axis=-1)

    found = float(slope(values))
    residuals = values - found * times
    residuals -= np.median(residuals)
    length = round(count ** (1 / 3))
    starts = random.integers(0, count, size=(DRAWS, -(-count // length)))
    places = ((starts[:, :, None] + np.arange(length)) % count).reshape(DRAWS, -1)[:, :count]
    low, high = np.quantile(slope(residuals[places]), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return found - high, found - low


def line_of(world: World, random: np.random.Generator, slope: float) -> Trend | None:
    """The trend of one series."""
    times, values, groups, apart = made(world, random, slope)
    return trend(times, values, groups, apart=apart)


def steady_row(world: World, rounds: int) -> str:
    """How often there is an alarm where nothing drifts, one metric by itself, and all of a run."""
    random = np.random.default_rng(11)
    alarms = drawn = comparable = 0
    for at in range(rounds):
        times, values, groups, apart = made(world, random, 0.0)
        line = trend(times, values, groups, apart=apart)
        alarms += line is not None and line.chance < 1 - LEVEL
        if groups is None and at % 4 == 0:
            comparable += 1
            low, high = bootstrap(times, values, random)
            drawn += not low <= 0 <= high
    textbook = f"{drawn / comparable:.1%}" if comparable else "none"
    whole = sum(any_alarm(world, random) for _ in range(rounds // 4)) / (rounds // 4)
    return f"| {world.name} | {alarms / rounds:.1%} | {textbook} | {whole:.1%} |".replace("%", " %")


def any_alarm(world: World, random: np.random.Generator) -> bool:
    """Whether a run of eight metrics that have nothing to do with each other is said to drift, by what reports use."""
    series = [made(world, random, 0.0) for _ in range(METRICS)]
    windows = []
    for at in range(world.windows):
        width_ns = round(world.hours * HOUR_NS / world.windows)
        gauges = {"target_scraped": 1}
        gauges |= {f"target:m{number}": round((100 + one[1][at]) * 1000) for number, one in enumerate(series)}
        if world.lives > 1:
            gauges["target_lives"] = 1 + at * world.lives // world.windows
        windows.append(Window(at * width_ns, (at + 1) * width_ns, gauges=gauges))
    return judge(windows, "").verdict == "drifting"


def power_row(world: World, rounds: int, slopes: Sequence[float]) -> str:
    """How often a drift is told, and how often the interval holds the true slope."""
    cells = []
    for slope in slopes:
        random = np.random.default_rng(12)
        lines = [line for _ in range(rounds) if (line := line_of(world, random, slope)) is not None]
        told = sum(line.chance < 1 - LEVEL and line.slope > 0 for line in lines)
        true = slope / world.hours
        held = sum(low <= true <= high for low, high in (line.interval(LEVEL) for line in lines))
        cells.append(f"{told / rounds:.0%} | {held / len(lines):.1%}")
    return f"| {world.name} | {' | '.join(cells)} |".replace("%", " %")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="series for each cell")
    rounds = parser.parse_args().rounds
    slopes = (1.0, 2.0, 4.0)
    tasks: list[tuple[Callable[..., str], tuple[object, ...]]] = [(steady_row, (world, rounds)) for world in WORLDS]
    tasks += [(power_row, (world, rounds // 2, slopes)) for world in WORLDS if not world.cycle or world.hours >= 48]
    quantile(0.975, 4)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = [future.result() for future in [pool.submit(work, *given) for work, given in tasks]]
    print("| world | alarms, one metric | block bootstrap | any alarm of 8 |\n|---|--:|--:|--:|")
    print("\n".join(rows[: len(WORLDS)]))
    print("\n| world | " + " | ".join(f"told at {slope:g} | in the interval" for slope in slopes) + " |")
    print("|---|" + "--:|--:|" * len(slopes))
    print("\n".join(rows[len(WORLDS) :]))


if __name__ == "__main__":
    main()
