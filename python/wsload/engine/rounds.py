"""Two servers under the same load in turn, so that whatever else changes meets both alike.

A round is a run of either side. Rounds come in twos, one the mirror of the other (base, new, new, base), and which side
begins is drawn: a trend cancels out, and no side is always first. Both runs of a round have the same seed.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsload.engine.command import started
from wsload.engine.runner import Listener, RunRequest, RunResult, execute
from wsload.errors import EngineError, ExitCode, RunFileError
from wsload.results import labels
from wsload.scenario import Scenario

SideName = Literal["base", "new"]
SIDES: tuple[SideName, SideName] = ("base", "new")
MAX_ROUNDS = 1_000


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: `scenario` makes it for a seed, `command` starts its server anew for each run."""

    name: SideName
    scenario: Callable[[int], Scenario]
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of a comparison; `round` counts from 1."""

    round: int
    side: SideName


@dataclass(frozen=True, slots=True)
class Rounds:
    """What to run, and the folder that keeps it: a folder of run files for either side, and their servers' output."""

    sides: tuple[Side, Side]
    count: int
    seed: int
    folder: Path
    workers: int | None = None

    def turns(self) -> list[Turn]:
        """The order of the runs."""
        draw = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        found: list[Turn] = []
        for number in range(1, self.count + 1):
            if number % 2:
                first = draw.choice(SIDES)
            # The second round of two is the mirror of the first: it begins with the side that came last.
            order = SIDES if (first == SIDES[0]) == bool(number % 2) else SIDES[::-1]
            found += [Turn(number, side) for side in order]
        return found


def play(rounds: Rounds, watch: Callable[[Turn], Listener | None] = lambda _: None) -> Iterator[tuple[Turn, RunResult]]:
    """Makes the runs, one after the other; stops after one that was interrupted.

    Raises:
        UsageError: it cannot be run as asked.
        RunFileError: the folder cannot be written, or a run's file was lost.
        EngineError: a server does not start, or a run measured nothing.
    """
    sides = {side.name: side for side in rounds.sides}
    make_folder(rounds.folder)
    for name in SIDES:
        make_folder(rounds.folder / name)
    digits = len(str(rounds.count))
    for turn in rounds.turns():
        side = sides[turn.side]
        scenario = side.scenario((rounds.seed + turn.round) % (1 << 64))
        marks = {labels.COMPARISON: rounds.folder.name, labels.ROUND: str(turn.round), labels.SIDE: turn.side}
        path = rounds.folder / turn.side / f"{turn.round:0{digits}}.wsload"
        request = RunRequest(scenario, path, rounds.workers, marks)
        if side.command is None:
            result = execute(request, watch(turn))
        else:
            with started(f"--{side.name}-cmd", side.command, scenario.target, rounds.folder / f"{side.name}.log"):
                result = execute(request, watch(turn))
        yield turn, result
        if result.exit_code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
            return
        _reject_useless(turn, path, result)


def make_folder(folder: Path) -> None:
    """Makes a folder that nobody else can read.

    Raises:
        RunFileError: it cannot be made, or there is something in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        used = any(folder.iterdir())
    except OSError as error:
        raise RunFileError(f"{folder}: cannot be made: {error.strerror}", "Name another with -o/--output.") from None
    if used:
        raise RunFileError(f"{folder}: is not empty", "Name a new folder with -o/--output.")


def _reject_useless(turn: Turn, path: Path, result: RunResult) -> None:
    if result.file_error:
        raise RunFileError(result.file_error, "Free some space, and compare again.")
    if result.exit_code != ExitCode.OK:
        remedy = f"`wsload report {path}` tells why."
        raise EngineError(f"--{turn.side}: round {turn.round} measured nothing", remedy)
