"""`wsload replay` and `wsload timeline diff`: recorded connections against another release."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.cli import exports, flags, values
from wsload.cli.choices import Format
from wsload.cli.reach import Reach, reaching
from wsload.errors import ExitCode, UsageError
from wsload.units import format_count, format_latency, parse_count, parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from wsload.engine import RunRequest, RunResult
    from wsload.results import RunFile
    from wsload.results.summary import Summary
    from wsload.timeline.diff import Diff, Masks
    from wsload.timeline.script import Script

PACE = "Pace"
DIFF = "Comparison"

Mask = Annotated[
    str | None,
    typer.Option(
        "--mask",
        metavar="PATHS",
        help="Values that may differ: JSONPaths, '$.ts,$.id'.",
        rich_help_panel=DIFF,
    ),
]
AutoMask = Annotated[
    bool,
    typer.Option(
        "--auto-mask/--no-auto-mask",
        help="Leave out values that differ from message to message within the recording.",
        rich_help_panel=DIFF,
    ),
]
FailOnDiff = Annotated[
    bool, typer.Option("--fail-on-diff", help="End with exit code 3 when something differs.", rich_help_panel=DIFF)
]


@reaching
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A run file with a timeline.", show_default=False)],
    url: flags.Url,
    conn: Annotated[
        list[str] | None,
        typer.Option(
            "--conn",
            metavar="N[.ATTEMPT]",
            help="Only this connection, as far as it was kept. Repeatable.  [default: all that were kept whole]",
            rich_help_panel=PACE,
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", metavar="FACTOR", help="Faster or slower than recorded.", rich_help_panel=PACE)
    ] = "1",
    asap: Annotated[bool, typer.Option("--asap", help="Wait for no time at all.", rich_help_panel=PACE)] = False,
    wait_replies: Annotated[
        bool,
        typer.Option(
            "--wait-replies",
            help="Send a message only when as many have come as had come before it in the recording.",
            rich_help_panel=PACE,
        ),
    ] = False,
    copies: Annotated[
        str,
        typer.Option("--copies", metavar="COUNT", help="Play each connection so many times.", rich_help_panel=PACE),
    ] = "1",
    var: Annotated[
        list[str] | None,
        typer.Option(
            "--var",
            metavar="NAME=VALUE",
            help="A secret that the recording does not hold; {copy} in it is the number of the copy. Repeatable.",
            rich_help_panel=PACE,
        ),
    ] = None,
    reply_timeout: Annotated[
        str,
        typer.Option("--reply-timeout", metavar="TIME", help="How long to wait for replies.", rich_help_panel=PACE),
    ] = "5s",
    grain: flags.Grain = "250us",
    mask: Mask = None,
    auto_mask: AutoMask = True,
    fail_on_diff: FailOnDiff = False,
    *,
    reach: Reach,
    threshold: flags.ThresholdFlag = None,
    workers: flags.Workers = None,
    label: flags.Label = None,
    output: flags.Output = None,
    export: flags.Export = None,
    format: flags.FormatFlag = Format.TEXT,  # noqa: A002
    quiet: flags.Quiet = False,
) -> int:
    """Play recorded connections again, and compare what comes back with what came then.

    Messages, pings and closes go out when they did in the recording. The result is a run file like any other, with
    every event in its timeline.

    Exit codes: 0 played; 1 no connection, or replies were recorded and none came; 2 wrong usage; 3 something differs,
    with --fail-on-diff; 99 a threshold does not hold; 130 and 143 stopped by SIGINT or SIGTERM.
    """
    from wsload.engine import RunRequest
    from wsload.scenario import LoadModel
    from wsload.timeline.play import Pace, plan_of, recording_of

    exports.check_exports(export or ())
    count = values.quantity("--copies", parse_count, copies)
    if count < 1:
        raise UsageError("--copies: none at all", "It takes at least 1.")
    pace = Pace(0.0 if asap else _factor(speed), wait_replies)
    variables = dict(values.pairs("--var", var))
    scripts = _scripts(file, conn, variables)
    connections = count * len(scripts)
    grain_ns = values.quantity("--grain", parse_duration, grain)
    scenario = reach.scenario(
        url,
        LoadModel(connections=connections, idle=True, grain_ns=grain_ns),
        record=recording_of(scripts, count),
        thresholds=tuple(threshold or ()),
        reply_timeout_ns=values.quantity("--reply-timeout", parse_duration, reply_timeout),
    )
    path = output or Path(f"replay-{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}.wsload")
    if path.exists():
        raise UsageError(f"--output: {path} exists already", "Name another file.")
    masks = _masks(mask, scripts, automatic=auto_mask)
    plan = plan_of(scenario, scripts, pace, copies=count, variables=variables)
    labels = {"source": f"replay of {file.name}", **values.labels(label)}
    request = RunRequest(scenario, path, None if workers is None else values.workers(workers), labels, plan=plan)
    result = _execute(request, format, quiet=quiet)
    found = _compare(path, scripts, masks, connections)
    if format is Format.TEXT:
        with _opened(path) as run:
            _tell(result.summary, run, scripts, pace.speed if plan.load.keeps_times else 0.0)
        _print(found)
        typer.echo(f"saved {path}")
        exports.export([path], export or ())
    else:
        exports.finish_run(result, format, export or ())
    if result.exit_code != ExitCode.OK:
        _explain(result)
        return result.exit_code
    return ExitCode.REGRESSED if fail_on_diff and found.differences else ExitCode.OK


def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A run file with a timeline.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Another one.")],
    mask: Mask = None,
    auto_mask: AutoMask = True,
    fail_on_diff: FailOnDiff = False,
) -> int:
    """Compare what was received in two recordings, connection by connection in the order of their numbers."""
    from wsload.timeline.diff import compare
    from wsload.timeline.script import read_scripts

    with _opened(before) as one, _opened(after) as other:
        first, second = read_scripts(one, ()).scripts, read_scripts(other, ()).scripts
    masks = _masks(mask, first, automatic=auto_mask)
    if len(first) != len(second):
        typer.echo(f"{len(first)} connections were kept whole before, {len(second)} after: the first ones are compared")
    pairs = ((one.connection, one.received, other.received) for one, other in zip(first, second, strict=False))
    found = compare(pairs, masks)
    _print(found)
    return ExitCode.REGRESSED if fail_on_diff and found.differences else ExitCode.OK


def _opened(path: Path) -> "AbstractContextManager[RunFile]":
    from wsload.results import RunFile

    return RunFile.open(path)


def _execute(request: "RunRequest", format: Format, *, quiet: bool) -> "RunResult":  # noqa: A002
    from wsload.engine import execute

    if quiet or format is Format.NDJSON or not sys.stderr.isatty():
        return execute(request)
    from wsload.report.live import LiveView

    with LiveView(sys.stderr, request.scenario.thresholds) as view:
        return execute(request, view)


def _scripts(file: Path, conn: list[str] | None, variables: dict[str, str]) -> "tuple[Script, ...]":
    from wsload.cli.timeline import connection_of
    from wsload.timeline.script import missing_variables, read_scripts

    with _opened(file) as run:
        recorded = read_scripts(run, [connection_of(text) for text in conn or ()])
    missing = missing_variables(recorded.scripts, variables)
    if missing:
        flag = " ".join(f"--var '{name}=...'" for name in missing)
        raise UsageError(f"{file}: secrets were left out of it: {', '.join(missing)}", f"Give them: {flag}.")
    if recorded.incomplete:
        what = f"{format_count(recorded.incomplete)} connections were not recorded whole and are left out"
        typer.echo(what, err=True)
    return recorded.scripts


def _masks(mask: str | None, scripts: "Sequence[Script]", *, automatic: bool) -> "Masks":
    from wsload.timeline.diff import Masks

    paths = [path for path in (mask or "").split(",") if path.strip()]
    return Masks(paths, (event for script in scripts for event in script.received), automatic=automatic)


def _compare(path: Path, scripts: "Sequence[Script]", masks: "Masks", connections: int) -> "Diff":
    from wsload.timeline.diff import compare
    from wsload.timeline.play import messages_by_connection

    with _opened(path) as run:
        came = enumerate(messages_by_connection(run, connections, "received"))
        return compare(((number, scripts[number % len(scripts)].received, after) for number, after in came), masks)


def _tell(summary: "Summary", run: "RunFile", scripts: "Sequence[Script]", speed: float) -> None:
    """How much was played, and when: `speed` 0 where the recording's times did not matter."""
    from wsload.timeline.play import lateness_ns

    connections, messages = summary.connections, summary.messages
    owed = sum(len(script.received) for script in scripts) * (connections.asked // len(scripts))
    parts = [
        f"{format_count(connections.asked)} connections",
        f"{format_count(messages.sent)} sent",
        f"{format_count(messages.received)} received where {format_count(owed)} were recorded",
    ]
    if connections.attempts_failed:
        parts.append(f"{format_count(connections.attempts_failed)} could not connect")
    if messages.unsent:
        parts.append(f"{format_count(messages.unsent)} not sent")
    if messages.unanswered:
        parts.append(f"{format_count(messages.unanswered)} unanswered")
    typer.echo(" · ".join(parts))
    if summary.response_time:
        time = summary.response_time
        typer.echo(f"response time p50 {format_latency(time.p50)}, p99 {format_latency(time.p99)}")
    late = lateness_ns(run, scripts, speed, connections.asked) if speed else []
    if late:
        middle, p99 = late[len(late) // 2], late[min(len(late) * 99 // 100, len(late) - 1)]
        shown = [format_latency(max(one, 0)) for one in (middle, p99, late[-1])]
        typer.echo(f"sent after the recording's time: p50 {shown[0]}, p99 {shown[1]}, at most {shown[2]}")
    if not summary.verdict.trusted:
        reasons = "; ".join(reason.text for reason in summary.verdict.reasons)
        typer.echo(f"suspect: {reasons}")


def _explain(result: "RunResult") -> None:
    """Why the run itself was no success."""
    for failed in (one for one in result.summary.thresholds if not one.passed):
        typer.echo(f"error: --threshold: {failed.text} does not hold", err=True)
    if result.exit_code == ExitCode.FAILED:
        why = next((one.example for one in result.summary.failures), "no connection was opened")
        typer.echo(f"error: nothing was played: {why}", err=True)


def _print(diff: "Diff") -> None:
    from wsload.report.diff import lines
    from wsload.report.pager import show

    sys.stdout.flush()
    show(lines(diff), paged=False)


def _factor(text: str) -> float:
    try:
        factor = float(text.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0.001 <= factor <= 1_000:
        raise UsageError(f"--speed: {text!r} is no factor", "Write a number such as 2 or 0.5, or use --asap.")
    return factor
