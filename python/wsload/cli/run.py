"""`wsload run`: flags to scenario, scenario to result."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from wsload.cli.choices import Arrivals, Format, Match
from wsload.errors import UsageError
from wsload.units import UnitError, parse_count, parse_duration, parse_rate, parse_size

if TYPE_CHECKING:
    from wsload.engine import RunResult
    from wsload.scenario import Scenario

T = TypeVar("T")


def run(
    url: Annotated[str, typer.Argument(metavar="URL", help="ws://host:port/path", show_default=False)],
    connections: Annotated[
        str, typer.Option("-c", "--connections", metavar="COUNT", help="Connections, all workers together.")
    ] = "1",
    duration: Annotated[
        str | None,
        typer.Option(
            "-d",
            "--duration",
            metavar="TIME",
            help="Length of the measured part, such as 30s or 2m.  [default: 10s, unless -n is given]",
            show_default=False,
        ),
    ] = None,
    iterations: Annotated[
        str | None,
        typer.Option("-n", "--iterations", metavar="COUNT", help="Messages to send in all, warm-up included."),
    ] = None,
    message: Annotated[str | None, typer.Option("-m", "--message", metavar="TEXT", help="Message to send.")] = None,
    message_file: Annotated[
        Path | None,
        typer.Option("-f", "--message-file", metavar="FILE", help="File whose content is the message."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="Size of a made-up message, such as 64KiB.  [default: 32]",
            show_default=False,
        ),
    ] = None,
    binary: Annotated[bool, typer.Option("--binary", help="Send binary messages instead of text.")] = False,
    first_message: Annotated[
        str | None,
        typer.Option(
            "--first-message",
            metavar="TEXT",
            help="Sent once on each new connection; no reply is awaited, and it is not counted.",
        ),
    ] = None,
    idle: Annotated[bool, typer.Option("--idle", help="Send nothing: hold the connections and listen.")] = False,
    match: Annotated[
        Match, typer.Option("--match", help="How replies find their messages; none: no reply is awaited.")
    ] = Match.ORDER,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="RATE",
            help="Open loop: messages per second over all connections, such as 20k/s.  [default: closed loop]",
            show_default=False,
        ),
    ] = None,
    rate_per_conn: Annotated[
        str | None,
        typer.Option("--rate-per-conn", metavar="RATE", help="Open loop: messages per second on each."),
    ] = None,
    arrivals: Annotated[
        Arrivals | None,
        typer.Option("--arrivals", help="Open loop: how messages are spread.  [default: constant]", show_default=False),
    ] = None,
    grain: Annotated[
        str,
        typer.Option("--grain", metavar="TIME", help="Open loop: messages are due on ticks this far apart."),
    ] = "250us",
    in_flight: Annotated[
        str | None,
        typer.Option(
            "--in-flight",
            metavar="COUNT",
            help="Closed loop: messages outstanding per connection.  [default: 1]",
            show_default=False,
        ),
    ] = None,
    warmup: Annotated[
        str,
        typer.Option("--warmup", metavar="TIME", help="Time before the measured part, kept apart from it."),
    ] = "0s",
    connect_rate: Annotated[
        str | None,
        typer.Option(
            "--connect-rate",
            metavar="RATE",
            help="New connections per second.  [default: as fast as they open, 256 at a time]",
            show_default=False,
        ),
    ] = None,
    connect_timeout: Annotated[
        str, typer.Option("--connect-timeout", metavar="TIME", help="For TCP and upgrade together.")
    ] = "10s",
    reply_timeout: Annotated[
        str, typer.Option("--reply-timeout", metavar="TIME", help="After which a reply is given up.")
    ] = "10s",
    reconnect: Annotated[
        str,
        typer.Option("--reconnect", metavar="never|ATTEMPTS", help="Reopen lost connections, so many tries each."),
    ] = "never",
    header: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", metavar="'NAME: VALUE'", help="Header of the upgrade request; repeatable."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Query parameter; repeatable.")
    ] = None,
    cookie: Annotated[
        list[str] | None, typer.Option("--cookie", metavar="NAME=VALUE", help="Cookie; repeatable.")
    ] = None,
    subprotocol: Annotated[
        list[str] | None,
        typer.Option("--subprotocol", metavar="NAME", help="Subprotocol to offer, best first; repeatable."),
    ] = None,
    origin: Annotated[str | None, typer.Option("--origin", metavar="ORIGIN", help="Origin header.")] = None,
    source_ip: Annotated[
        list[str] | None,
        typer.Option("--source-ip", metavar="ADDRESS", help="Local address to connect from, in turn; repeatable."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=1024,
            metavar="COUNT",
            help="Worker processes.  [default: one per core, no more than connections]",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="KEY=VALUE", help="Kept with the result; `name` names the file; repeatable."),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            "--seed",
            metavar="HEX",
            help="Seed of schedule and made-up messages, as results print it.  [default: random]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Run file to write; must not exist.  [default: made of label or path, date and time]",
            show_default=False,
        ),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print the result.")] = Format.TEXT,  # noqa: A002
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress while the run goes on.")] = False,
) -> None:
    """Put load on a WebSocket service and measure it.

    Without --rate each connection sends, waits for the reply and sends again (closed loop). With --rate messages are
    due on a schedule that does not wait for the server (open loop).

    Exit codes: 0 measured something, 1 no connection opened or no reply came, 2 wrong usage, 130 and 143 stopped by a
    signal; the file is saved in every case.
    """
    from wsload.scenario import LoadModel, Message, Scenario

    load = LoadModel(
        connections=_quantity("--connections", parse_count, connections),
        connect_rate_per_s=_maybe("--connect-rate", parse_rate, connect_rate),
        duration_ns=_maybe("--duration", parse_duration, duration),
        iterations=_maybe("--iterations", parse_count, iterations),
        warmup_ns=_quantity("--warmup", parse_duration, warmup),
        idle=idle,
        rate_per_s=_maybe("--rate", parse_rate, rate),
        rate_per_conn_per_s=_maybe("--rate-per-conn", parse_rate, rate_per_conn),
        arrivals=arrivals.value if arrivals else None,
        in_flight=_maybe("--in-flight", parse_count, in_flight),
        grain_ns=_quantity("--grain", parse_duration, grain),
    )
    scenario = Scenario(
        target=url,
        params=_pairs("--param", param, "="),
        headers=_pairs("-H/--header", header, ":"),
        cookies=_pairs("--cookie", cookie, "="),
        subprotocols=tuple(subprotocol or ()),
        origin=origin,
        message=Message(text=message, file=message_file, size_bytes=_maybe("--size", parse_size, size), binary=binary),
        first_message=first_message,
        match=match.value,
        load=load,
        connect_timeout_ns=_quantity("--connect-timeout", parse_duration, connect_timeout),
        reply_timeout_ns=_quantity("--reply-timeout", parse_duration, reply_timeout),
        reconnect_attempts=_attempts(reconnect),
        source_ips=tuple(source_ip or ()),
        **({} if seed is None else {"seed": _seed(seed)}),
    )
    result = _execute(scenario, output, workers, dict(_pairs("--label", label, "=")), quiet=quiet)
    _show(result, format)
    raise typer.Exit(result.exit_code)


def _execute(
    scenario: "Scenario", output: Path | None, workers: int | None, labels: dict[str, str], *, quiet: bool
) -> "RunResult":
    from wsload.engine import RunRequest, execute

    request = RunRequest(scenario, output, workers, labels)
    if quiet or not sys.stderr.isatty():
        return execute(request)
    from wsload.report.live import LiveLine

    line = LiveLine(sys.stderr)
    try:
        return execute(request, line)
    finally:
        line.close()


def _show(result: "RunResult", format: Format) -> None:  # noqa: A002
    if format is Format.JSON:
        typer.echo(result.summary.to_json())
    else:
        from wsload.report.terminal import print_summary

        print_summary(result.summary)
    if result.file_error:
        typer.echo(f"error: {result.file_error}\n       What was saved before can be read.", err=True)


def _quantity(flag: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except UnitError as error:
        raise UsageError(f"{flag}: {error.what}", error.remedy) from None


def _maybe(flag: str, parse: Callable[[str], T], text: str | None) -> T | None:
    return None if text is None else _quantity(flag, parse, text)


def _pairs(flag: str, texts: list[str] | None, separator: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for text in texts or ():
        name, found, value = text.partition(separator)
        if not found or not name.strip():
            form = "'Name: value'" if separator == ":" else "NAME=VALUE"
            raise UsageError(
                f"{flag}: {text.split()[0] if text.split() else text!r} has no {separator!r}",
                f"Write {form}.",
            )
        pairs.append((name.strip(), value.strip() if separator == ":" else value))
    return tuple(pairs)


def _attempts(text: str) -> int:
    if text == "never":
        return 0
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise UsageError(f"--reconnect: {text!r} is neither 'never' nor a number of attempts", "Try --reconnect 5.")
    return int(text)


def _seed(text: str) -> int:
    try:
        seed = int(text.removeprefix("0x"), 16)
    except ValueError:
        seed = -1
    if not 0 <= seed < 1 << 64:
        raise UsageError(f"--seed: {text!r} is not hexadecimal, or has more than 16 digits", "Try --seed 7f3a.")
    return seed
