"""`wsload connect`: one connection, by hand or by a script."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.cli import flags, values
from wsload.cli.reach import Reach, reaching
from wsload.errors import ExitCode, UsageError
from wsload.units import parse_duration

if TYPE_CHECKING:
    from wsload.client.session import Outcome
    from wsload.results import Event

SCRIPT = "Script"
RESULT = "Result"


@reaching
def connect(
    url: flags.Url,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            metavar="TIME",
            help="Listen for so long after the last line of standard input."
            "  [default: 1s; 10s with --expect, at the most]",
            rich_help_panel=SCRIPT,
        ),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            metavar="EXPRESSION",
            help="End as soon as this has been found in what comes, and with exit code 1 if it has not. Repeatable:"
            " in this order.",
            rich_help_panel=SCRIPT,
        ),
    ] = None,
    *,
    reach: Reach,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Save all that happened: FILE.har or FILE.wsload.",
            rich_help_panel=RESULT,
        ),
    ] = None,
) -> int:
    """Talk to a WebSocket service.

    On a terminal: type messages, with history and commands (/help lists them); what comes is shown above. Anywhere
    else each line of standard input is a message or a command, and what comes goes to standard output, a message a
    line, binary ones in hexadecimal.

    Exit codes: 0 all went well; 1 no connection, or --expect was not met; 2 wrong usage.
    """
    import asyncio

    from wsload.client.session import Conversation, Wishes, converse_at_terminal, converse_by_lines
    from wsload.scenario import LoadModel, build_plan
    from wsload.timeline.query import compiled

    plan = build_plan(reach.scenario(url, LoadModel(idle=True)))
    if output is not None and (output.exists() or output.suffix not in {".har", ".wsload"}):
        what = "exists already" if output.exists() else "is neither FILE.har nor FILE.wsload"
        raise UsageError(f"--output: {output} {what}", "Name another file.")
    patterns = tuple((text, compiled(text, "--expect")) for text in expect or ())
    wait_ns = values.quantity("--wait", parse_duration, wait or ("10s" if patterns else "1s"))
    by_hand = sys.stdin.isatty() and sys.stdout.isatty()

    async def converse() -> "Outcome":
        conversation = Conversation(plan, _show_row if by_hand else _show_payload, typer.echo)
        try:
            if by_hand:
                return await converse_at_terminal(conversation, _complain)
            return await converse_by_lines(conversation, Wishes(patterns, wait_ns / 1e9))
        finally:
            # What was said before a mistake is worth keeping as well.
            if output is not None and conversation.outcome.events:
                _save(output, url, conversation.outcome)

    outcome = asyncio.run(converse())
    if outcome.missing is not None:
        typer.echo(f"error: --expect: {outcome.missing!r} was not found in what came", err=True)
        return ExitCode.FAILED
    return ExitCode.OK


def _show_row(number: int, event: "Event") -> None:
    from wsload.report.pager import show, terminal_width
    from wsload.report.timeline import Row, Shape, payload_lines, row
    from wsload.timeline.payload import looks_like_json, text_of

    epoch_unix_ns = time.time_ns() - event.at_ns
    lines = [row(number, event, None, epoch_unix_ns, terminal_width())]
    text = text_of(event.payload)
    if event.direction == "received" and text is not None and looks_like_json(text):
        lines += [Row(((f"        {line}", "dim"),)) for line in payload_lines(event, Shape.JSON)]
    show(lines, paged=False)


def _show_payload(number: int, event: "Event") -> None:
    del number
    if event.is_message and event.direction == "received":
        text = event.payload.decode(errors="replace") if event.kind == "text" else event.payload.hex(" ")
        if sys.stdout.isatty():
            from wsload.report.text import printable

            text = printable(text)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _complain(error: UsageError) -> None:
    from wsload.report.text import printable

    typer.echo(f"{printable(error.what)}\n{printable(error.remedy)}")


def _save(output: Path, url: str, outcome: "Outcome") -> None:
    from wsload.timeline.store import save, save_har

    if output.suffix == ".har":
        save_har(output, url, outcome.epoch_unix_ns, outcome.events)
    else:
        save(output, url, outcome.epoch_unix_ns, outcome.events, source="connect")
    typer.echo(f"saved {output}", err=True)
