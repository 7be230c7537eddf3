"""`wsload timeline`: the messages that a run has kept."""

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from wsload.cli import values
from wsload.cli.choices import offered
from wsload.cli.help import GroupedCommand
from wsload.cli.replay import diff
from wsload.errors import UsageError
from wsload.units import UnitError, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsload.report.timeline import Row
    from wsload.results import Event, RunFile
    from wsload.timeline import Query

FOLLOW_S = 0.5
FILTERS = "Filters"
OUTPUT = "Output"


class TimelineFormat(StrEnum):
    """How events are printed."""

    TEXT = "text"
    JSONL = "jsonl"
    HAR = "har"


class ShapeName(StrEnum):
    """How a payload is shown in full."""

    AUTO = "auto"
    JSON = "json"
    HEX = "hex"
    BASE64 = "base64"
    TEXT = "text"
    RAW = "raw"


class ShowByDefault(TyperGroup):
    """`wsload timeline FILE` is `wsload timeline show FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Puts the command in that was left out."""
        if args and args[0] not in self.commands and args[0] not in {"--help", "-h"}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


timeline_app = typer.Typer(
    cls=ShowByDefault,
    help="Look at the messages that a run has kept: `wsload timeline FILE` (see `wsload timeline show --help`).",
    rich_markup_mode=None,
    add_completion=False,
)


@timeline_app.callback()
def _root() -> None:
    """Look at the messages that a run has kept: `wsload timeline FILE` (see `wsload timeline show --help`)."""


RunPath = Annotated[Path, typer.Argument(metavar="FILE", help="A run file, finished or not.", show_default=False)]
Connection = Annotated[
    list[str] | None,
    typer.Option(
        "--conn",
        metavar="N[.ATTEMPT]",
        help="Of this connection. Repeatable.",
        rich_help_panel=FILTERS,
    ),
]
Direction = Annotated[
    str | None,
    typer.Option(
        "--direction",
        metavar="sent|received",
        help="One way only.",
        autocompletion=offered("sent", "received"),
        rich_help_panel=FILTERS,
    ),
]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="text, binary, ping, pong, close, connect, open, failed or end.",
        autocompletion=offered("text", "binary", "ping", "pong", "close", "connect", "open", "failed", "end"),
        rich_help_panel=FILTERS,
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="From this time of the run on, such as 10s.", rich_help_panel=FILTERS),
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Up to this time.", rich_help_panel=FILTERS)]
Contains = Annotated[
    list[str] | None, typer.Option("--contains", metavar="TEXT", help="With this text in it.", rich_help_panel=FILTERS)
]
Regex = Annotated[
    list[str] | None,
    typer.Option("--regex", metavar="EXPRESSION", help="In which this is found.", rich_help_panel=FILTERS),
]
Json = Annotated[
    list[str] | None,
    typer.Option(
        "--json",
        metavar="TEST",
        help="JSON of which this holds: '$.type == \"error\"', '$.price > 100', '$.error' (exists).",
        rich_help_panel=FILTERS,
    ),
]
Failed = Annotated[
    bool, typer.Option("--failed", help="Of connections on which something failed.", rich_help_panel=FILTERS)
]
Slow = Annotated[
    str | None,
    typer.Option("--slow", metavar="TIME", help="Replies that took at least this long.", rich_help_panel=FILTERS),
]
MessageName = Annotated[
    list[str] | None, typer.Option("--name", metavar="NAME", help="Messages of this name.", rich_help_panel=FILTERS)
]
Between = Annotated[
    tuple[int, int] | None,
    typer.Option("--between", metavar="A B", help="From one event to another.", rich_help_panel=FILTERS),
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="COUNT", min=1, help="No more than so many.", rich_help_panel=FILTERS)
]


@timeline_app.command(cls=GroupedCommand)
def show(
    file: RunPath,
    conn: Connection = None,
    direction: Direction = None,
    type: Kind = None,  # noqa: A002
    from_: From = None,
    to: To = None,
    contains: Contains = None,
    regex: Regex = None,
    json: Json = None,
    failed: Failed = False,
    slow: Slow = None,
    name: MessageName = None,
    between: Between = None,
    limit: Limit = None,
    detail: Annotated[
        int | None,
        typer.Option("--detail", metavar="N", help="One event in full, by its number.", rich_help_panel=OUTPUT),
    ] = None,
    as_: Annotated[
        ShapeName,
        typer.Option(
            "--as", help="How --detail shows the payload; raw is for files and pipes only.", rich_help_panel=OUTPUT
        ),
    ] = ShapeName.AUTO,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as the run does, until it ends.", rich_help_panel=OUTPUT)
    ] = False,
    format: Annotated[  # noqa: A002
        TimelineFormat, typer.Option("--format", help="As text, JSON lines or HAR.", rich_help_panel=OUTPUT)
    ] = TimelineFormat.TEXT,
) -> None:
    """List what happened on connections, in order of time.

    Columns: number, time of day (UTC), seconds after the run's epoch, since the line before, connection (with its
    attempt from the second on), direction and type, payload size, latency of the exchange that it ends, and the first
    line of the payload. What a server sent is escaped; --detail shows one event in full, its bytes unaltered.
    """
    from wsload.results import RunFile

    if detail is not None:
        with RunFile.open(file) as run:
            return _detail(run, detail, as_)
    query = _query(conn, direction, type, from_, to, contains, regex, json, name, slow, failed=failed, between=between)
    if follow:
        if format is TimelineFormat.HAR:
            raise UsageError("--follow: a HAR file is written at once", "Leave --follow out, or use --format jsonl.")
        return _follow(file, query, format)
    with RunFile.open(file) as run:
        events = query.run(run, limit=-1 if limit is None else limit)
        if format is TimelineFormat.HAR:
            from wsload.timeline.har import export

            typer.echo(export(run.header, run.epoch_unix_ns, [event for _, event in events]))
        elif format is TimelineFormat.JSONL:
            _print_json(events, run.epoch_unix_ns)
        else:
            from wsload.report.pager import show as show_lines

            show_lines(_lines(run, query, events))
    return None


@timeline_app.command("import", cls=GroupedCommand)
def import_(
    file: Annotated[Path, typer.Argument(metavar="HAR", help="A HAR file with WebSocket messages.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Run file to write.")],
) -> None:
    """Take in what a browser or proxy has recorded: Chromium's DevTools, Playwright, mitmproxy."""
    from wsload.timeline.store import import_har
    from wsload.units import format_count

    connections, messages = import_har(file, output)
    typer.echo(f"{output}: {format_count(connections)} connections, {format_count(messages)} messages")


def _query(
    conn: list[str] | None,
    direction: str | None,
    kinds: list[str] | None,
    from_: str | None,
    to: str | None,
    contains: list[str] | None,
    regex: list[str] | None,
    json: list[str] | None,
    name: list[str] | None,
    slow: str | None,
    *,
    failed: bool,
    between: tuple[int, int] | None,
) -> "Query":
    from wsload.timeline import Query, parse_json_test
    from wsload.timeline.query import KINDS, compiled

    if direction not in {None, "sent", "received"}:
        raise UsageError(f"--direction: {direction!r} is none", "Write sent or received.")
    for kind in kinds or ():
        if kind not in KINDS:
            raise UsageError(f"--type: {kind!r} is no type of event", f"Write one of {', '.join(KINDS)}.")
    return Query(
        connections=tuple(connection_of(text) for text in conn or ()),
        direction=direction,
        kinds=tuple(kinds or ()),
        names=tuple(name or ()),
        from_ns=None if from_ is None else _instant("--from", from_),
        to_ns=None if to is None else _instant("--to", to),
        contains=tuple(text.encode() for text in contains or ()),
        patterns=tuple(compiled(text) for text in regex or ()),
        json_tests=tuple(parse_json_test(text) for text in json or ()),
        failed=failed,
        slow_ns=values.maybe("--slow", parse_duration, slow),
        between=between,
    )


def connection_of(text: str) -> tuple[int, int | None]:
    """A connection: `12`, or `12.2` for its second attempt."""
    number, dot, attempt = text.partition(".")
    if not number.isdecimal() or (dot and not attempt.isdecimal()):
        raise UsageError(f"--conn: {text!r} is no connection", "Write its number, or 12.2 for its second attempt.")
    return int(number), int(attempt) if dot else None


def _instant(flag: str, text: str) -> int:
    try:
        return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)
    except UnitError as error:
        raise UsageError(f"{flag}: {error.what}", error.remedy) from None


def _lines(run: "RunFile", query: "Query", events: "Iterator[tuple[int, Event]]") -> "Iterator[Row]":
    from wsload.report.pager import terminal_width
    from wsload.report.timeline import Row, head, rows

    yield head(run)
    count = 0
    for line in rows(events, run.epoch_unix_ns, terminal_width(), gaps=query.is_of_whole_connections):
        count += 1
        yield line
    if not count:
        yield Row((("nothing of what was asked for", "dim"),))


def _print_json(events: "Iterator[tuple[int, Event]]", epoch_unix_ns: int | None) -> None:
    from wsload.report.timeline import json_line

    for number, event in events:
        sys.stdout.write(json_line(number, event, epoch_unix_ns) + "\n")
    sys.stdout.flush()


def _detail(run: "RunFile", number: int, shape: ShapeName) -> None:
    from wsload.report.pager import show as show_lines
    from wsload.report.timeline import Shape, detail

    found = next(run.events("id = ?", [number]), None)
    if found is None:
        raise UsageError(f"--detail: the file has no event {number}", "The first column of the list has their numbers.")
    if shape is ShapeName.RAW:
        if sys.stdout.isatty():
            what = "--as raw: standard output is a terminal, and these are a stranger's bytes"
            raise UsageError(what, "Send them to a file or a pipe, or use --as hex.")
        sys.stdout.buffer.write(found[1].payload)
        sys.stdout.buffer.flush()
        return
    show_lines(detail(run, *found, Shape(shape.value)), paged=False)


def _follow(file: Path, query: "Query", format: TimelineFormat) -> None:  # noqa: A002
    """Prints what comes until the run is over.

    The file is opened anew each time: a reader that stays would keep the run from ending its file in one piece.
    """
    from wsload.report.pager import show as show_lines
    from wsload.report.pager import terminal_width
    from wsload.report.timeline import rows
    from wsload.results import RunFile

    last = 0
    while True:
        with RunFile.open(file) as run:
            finished, epoch = run.finished, run.epoch_unix_ns
            events = list(query.run(run, after=last))
        last = max([last, *(number for number, _ in events)])
        if format is TimelineFormat.JSONL:
            _print_json(iter(events), epoch)
        else:
            show_lines(rows(events, epoch, terminal_width(), gaps=False), paged=False)
        if finished:
            return
        time.sleep(FOLLOW_S)


timeline_app.command(cls=GroupedCommand)(diff)
