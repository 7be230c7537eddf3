"""The rounds of `wsload compare --run`: what is asked for, and how they go."""

import secrets
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wsload.cli import values
from wsload.errors import ExitCode, UsageError
from wsload.units import format_latency, format_rate, parse_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsload.engine import RunResult
    from wsload.engine.rounds import Rounds, Turn
    from wsload.scenario import Scenario

MIN_ROUNDS = 2


def make_rounds(
    urls: tuple[str, str | None],
    commands: tuple[str | None, str | None],
    scenario: "Callable[[str, int], Scenario]",
    *,
    rounds: str,
    seed: str | None,
    output: Path | None,
) -> "Rounds":
    """The rounds asked for. `scenario` makes one for a URL and a seed; it is tried here, before anything starts."""
    from wsload.engine.rounds import MAX_ROUNDS, Rounds, Side

    base_url, new_url = urls[0], urls[1] or urls[0]
    if base_url == new_url and None in commands:
        remedy = "Name two servers with --base and --new, or start each with --base-cmd and --new-cmd."
        raise UsageError("--new: both sides are the same server", remedy)
    count = values.quantity("--rounds", parse_count, rounds)
    if not MIN_ROUNDS <= count <= MAX_ROUNDS:
        raise UsageError(f"--rounds: {count}", f"It takes {MIN_ROUNDS} to {MAX_ROUNDS:,}; 6 are a good start.")
    number = secrets.randbits(32) if seed is None else values.seed(seed)
    for url in (base_url, new_url):
        scenario(url, number)
    folder = output or Path(f"compare-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    sides = (
        Side("base", partial(scenario, base_url), commands[0]),
        Side("new", partial(scenario, new_url), commands[1]),
    )
    return Rounds(sides, count, number, folder)


def play_rounds(rounds: "Rounds", *, quiet: bool) -> int:
    """Makes the runs and tells how each went; not OK when one was interrupted."""
    from wsload.engine.rounds import play
    from wsload.report.live import LiveView

    total = 2 * rounds.count
    with LiveView(sys.stderr) as view:
        for number, (turn, result) in enumerate(play(rounds, lambda _: None if quiet else view), 1):
            if not quiet:
                view.say(_told(turn, result, f"{number} of {total}"))
            if result.exit_code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
                typer.echo(f"stopped: {rounds.folder} keeps the {number} runs that were made", err=True)
                return result.exit_code
    return ExitCode.OK


def _told(turn: "Turn", result: "RunResult", place: str) -> str:
    """`3 of 12  round 2  new   p50 5.20 ms  p99 10.5 ms  500/s`."""
    summary = result.summary
    parts = [f"{place}  round {turn.round}  {turn.side:4}"]
    if time := summary.response_time:
        parts += [f"p50 {format_latency(time.p50)}", f"p99 {format_latency(time.p99)}"]
    parts.append(format_rate(round(summary.rate.answered_per_s)))
    if not summary.verdict.trusted:
        parts.append("suspect")
    return "  ".join(parts)
