"""`wsload soak`: a run of hours or days, with what that takes."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsload.cli import flags, scenarios, values
from wsload.cli.run import Manner, play, request_of
from wsload.cli.sharing import part_of, takes_flags_of
from wsload.cli.web import free_name
from wsload.errors import UsageError
from wsload.units import format_bytes, parse_duration, parse_size

if TYPE_CHECKING:
    from wsload.engine import RunRequest
    from wsload.report.soak import SoakView
    from wsload.scenario import Scenario

RECONNECT = "forever"
DURATION = "1h"
MIN_EVERY_NS = 10**9
MIN_INTERVALS_BYTES = 16 << 20
"""Of the file, beside the timeline."""

Duration = Annotated[
    str, typer.Option("-d", "--duration", metavar="TIME", help="How long, such as 72h.", rich_help_panel=flags.LOAD)
]
Every = Annotated[
    str,
    typer.Option("--every", metavar="TIME", help="Print a line so often.", rich_help_panel=flags.RESULT),
]


Target = Annotated[
    str | None,
    typer.Argument(
        metavar="[URL|FILE]", help="Where to connect, or a scenario, as for `wsload run`.", show_default=False
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        help="Go on with the run of this file, which was killed or stopped. Secrets are given again.",
        rich_help_panel=flags.RESULT,
    ),
]
FileLimit = Annotated[
    str,
    typer.Option(
        "--file-limit",
        metavar="SIZE",
        help="Most of the run file, --record-limit included: stored intervals widen with age.",
        rich_help_panel=flags.RESULT,
    ),
]
_WITH_RESUME = {
    "resume",
    "every",
    "file_limit",
    "var",
    "env_file",
    "header",
    "cookie",
    "user",
    "bearer",
    "proxy",
    "workers",
}
_WITH_RESUME |= {"watch_pid", "watch_url", "watch_metric", "alert", "on_breach", "breach_every"}
_WITH_RESUME |= {"export", "format", "strict", "web", "quiet", "dry_run"}
"""What may be said anew of a run that goes on."""


@dataclass(frozen=True, slots=True)
class SoakManner(Manner):
    """A line per period while it goes on, windows and outages when it is over."""

    every_ns: int

    def view(self, request: "RunRequest") -> "SoakView":
        """Who watches it."""
        from wsload.report.soak import SoakView

        return SoakView(sys.stderr, request.scenario.thresholds, self.every_ns)

    def after(self, file: Path) -> None:
        """The digest."""
        from wsload.report.soak import print_digest

        print_digest(file)
        from wsload.report.drift import print_drift

        print_drift(file)


@takes_flags_of(request_of, play)
def soak(
    context: typer.Context,
    target: Target = None,
    duration: Duration = DURATION,
    reconnect: flags.Reconnect = RECONNECT,
    every: Every = "10m",
    resume: Resume = None,
    file_limit: FileLimit = "200MB",
    **given: Any,
) -> int:
    """Run for hours or days: who dropped, did everyone come back, and how the latencies went.

    It is `wsload run` with other defaults: lost connections are opened again for as long as it takes, the file has
    its name from the beginning, a line is printed every so often, and at the end a table of windows and the outages.

    Exit codes are those of `wsload run`. SIGTERM and Ctrl-C stop sending, await replies, close and save.
    """
    every_ns = values.quantity("--every", parse_duration, every)
    if every_ns < MIN_EVERY_NS:
        raise UsageError(f"--every: {every} is too short", "It takes at least 1s.")
    manner = SoakManner(every_ns)
    if resume is not None:
        rest = _bounded(_resumed(context, resume, target, given), file_limit)
        return play(rest, manner, **part_of(given, play))
    if target is None:
        raise UsageError("URL|FILE: nothing to connect to", "Name a URL or a scenario, or go on with --resume FILE.")
    if given["iterations"] is not None:
        raise UsageError("-n/--iterations: a soak is bounded by its time", "Use -d/--duration, or `wsload run`.")
    # Stages have a length of their own.
    length = None if given["stage"] and "duration" not in scenarios.given_flags(context) else duration
    asked = request_of(context, target=target, duration=length, reconnect=reconnect, **part_of(given, request_of))
    request = replace(asked, scenario=_with_defaults(asked.scenario))
    request = replace(request, output=request.output or free_name(request), replace_workers=True)
    return play(_bounded(request, file_limit), manner, **part_of(given, play))


def _bounded(request: "RunRequest", file_limit: str) -> "RunRequest":
    """With the most that its file may take."""
    limit_bytes = values.quantity("--file-limit", parse_size, file_limit)
    record = request.scenario.record
    least_bytes = (record.limit_bytes if record else 0) + MIN_INTERVALS_BYTES
    if limit_bytes < least_bytes:
        what = f"--file-limit: {file_limit} leaves too little for intervals"
        raise UsageError(what, f"It takes at least {format_bytes(least_bytes)}; --record-limit lowers that.")
    return replace(request, file_budget_bytes=limit_bytes)


def _resumed(context: typer.Context, file: Path, target: str | None, given: dict[str, Any]) -> "RunRequest":
    """What is left of the run of a file."""
    from wsload.engine.resume import rest_of

    said = scenarios.given_flags(context) - _WITH_RESUME
    if target is not None or said:
        name = "URL|FILE" if target is not None else f"--{min(said).replace('_', '-')}"
        raise UsageError(f"{name}: a run that goes on stays what it is", "Give its secrets and workers anew at most.")
    if file.suffix != scenarios.RUN_FILE:
        raise UsageError(f"--resume: {file} is no run file", f"Name a file that ends in {scenarios.RUN_FILE}.")
    asked = request_of(context, target=str(file), **part_of(given, request_of))
    return replace(asked, scenario=rest_of(file, asked.scenario), output=file, resume=True, replace_workers=True)


def _with_defaults(scenario: "Scenario") -> "Scenario":
    """What a scenario file leaves open as a soak has it."""
    load = scenario.load
    update: dict[str, object] = {}
    if "reconnect" not in scenario.model_fields_set:
        update["reconnect"] = values.reconnect(RECONNECT)
    if load.duration_ns is None and load.iterations is None and not load.stages:
        update["load"] = load.model_copy(update={"duration_ns": parse_duration(DURATION)})
    return scenario.model_copy(update=update)
