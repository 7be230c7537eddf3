"""`wsload serve`: servers to aim at."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.cli import values
from wsload.cli.choices import TextOrJson
from wsload.cli.help import GroupedCommand
from wsload.units import format_count, format_latency, parse_count, parse_duration, parse_rate, parse_size

if TYPE_CHECKING:
    from wsload.target import Script, Served, Serving

serve_app = typer.Typer(help="Run a server to aim at.", rich_markup_mode=None, add_completion=False)


@serve_app.callback()
def _root() -> None:
    """Run a server to aim at."""


@serve_app.command(cls=GroupedCommand)
def echo(
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Address to listen on; others than this machine reach 0.0.0.0 only."
        ),
    ] = "127.0.0.1",
    port: Annotated[str, typer.Option("--port", metavar="PORT", help="Port; 0 takes one that is free.")] = "9000",
    workers: Annotated[
        str, typer.Option("--workers", metavar="COUNT", help="Processes that share the port (SO_REUSEPORT).")
    ] = "1",
) -> None:
    """Send every message back as it came, until Ctrl-C; then say how many there were.

    Prints `listening on ws://...` when it is ready. Messages are up to 64 MiB, whole or in fragments; pings are
    answered, and Close is.
    """
    number, crew = values.port(port), values.workers(workers)
    from wsload.target import serve_echo

    def tell(serving: "Serving") -> None:
        typer.echo(f"listening on {serving.url}")

    _say_served(serve_echo(host, number, crew, tell))


@serve_app.command(cls=GroupedCommand)
def broadcast(
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Address to listen on; others than this machine reach 0.0.0.0 only."
        ),
    ] = "127.0.0.1",
    port: Annotated[str, typer.Option("--port", metavar="PORT", help="Port; 0 takes one that is free.")] = "9000",
    not_to_sender: Annotated[
        bool, typer.Option("--not-to-sender", help="Who sends a message does not receive it.")
    ] = False,
    drop: Annotated[str, typer.Option("--drop", metavar="SHARE", help="Of the deliveries, such as 1%.")] = "0%",
    seed: Annotated[str, typer.Option("--seed", metavar="HEX", help="Of what is dropped.")] = "0",
) -> None:
    """Send every message on to all clients on the same path, until Ctrl-C; then say how many deliveries there were."""
    from wsload.target import parse_share, serve

    def tell(serving: "Serving") -> None:
        typer.echo(f"listening on {serving.url}")

    options = {
        "to_sender": not not_to_sender,
        "drop_share": parse_share("--drop", drop),
        "seed": values.seed(seed),
    }
    _say_served(serve("broadcast", options, host, values.port(port), 1, tell))


@serve_app.command(cls=GroupedCommand)
def faults(
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Address to listen on; others than this machine reach 0.0.0.0 only."
        ),
    ] = "127.0.0.1",
    port: Annotated[str, typer.Option("--port", metavar="PORT", help="Port; 0 takes one that is free.")] = "9000",
    stall: Annotated[
        str | None,
        typer.Option("--stall", metavar="TIME/PERIOD", help="Stand still: 200ms/2s does at the end of every 2 s."),
    ] = None,
    delay: Annotated[
        str | None,
        typer.Option(
            "--delay", metavar="LAW", help="Hold replies back: 10ms, uniform:1ms,5ms, exp:2ms or lognormal:5ms,0.5."
        ),
    ] = None,
    delay_share: Annotated[
        str, typer.Option("--delay-share", metavar="SHARE", help="Of the replies, such as 10%.")
    ] = "100%",
    drop_replies: Annotated[
        str, typer.Option("--drop-replies", metavar="SHARE", help="Of the messages are never answered.")
    ] = "0%",
    any_order: Annotated[
        bool,
        typer.Option("--any-order", help="A later reply overtakes a delayed one.  [default: order of the messages]"),
    ] = False,
    close_after: Annotated[
        str, typer.Option("--close-after", metavar="COUNT", help="Close a connection after so many messages.")
    ] = "0",
    close_code: Annotated[str, typer.Option("--close-code", metavar="CODE", help="With this code.")] = "1011",
    abort: Annotated[bool, typer.Option("--abort", help="Reset TCP instead of closing.")] = False,
    slow_read: Annotated[
        str | None, typer.Option("--slow-read", metavar="SIZE", help="Bytes read per second of each connection.")
    ] = None,
    seed: Annotated[str, typer.Option("--seed", metavar="HEX", help="Of delays and drops.")] = "0",
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            metavar="FILE",
            help="A line for each message: connection, number, payload, arrival and departure in ns of the monotonic"
            " clock, separated by tabs.",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Do not serve: print what a perfect measurement would show."),
    ] = False,
    rate: Annotated[str, typer.Option("--rate", metavar="RATE", help="Load to explain: constant, open.")] = "100/s",
    duration: Annotated[str, typer.Option("-d", "--duration", metavar="TIME", help="How long it lasts.")] = "10s",
    connections: Annotated[
        str, typer.Option("-c", "--connections", metavar="COUNT", help="Connections that take turns.")
    ] = "1",
    format: Annotated[TextOrJson, typer.Option("--format", help="Of what is explained.")] = TextOrJson.TEXT,  # noqa: A002
) -> None:
    """Echo with faults that are known exactly, to test what measures them.

    Time counts from the first message. The same flags with --explain tell what response times the script alone causes
    under a constant open load, to hold a measurement against.
    """
    from wsload.target import Script, parse_delay, parse_share, parse_stall, serve

    stall_ns, period_ns = (0, 0) if stall is None else parse_stall(stall)
    script = Script(
        stall_ns=stall_ns,
        period_ns=period_ns,
        delay=None if delay is None else parse_delay(delay),
        delay_share=parse_share("--delay-share", delay_share),
        drop_share=parse_share("--drop-replies", drop_replies),
        in_order=not any_order,
        close_after=values.quantity("--close-after", parse_count, close_after),
        close_code=values.close_code(close_code),
        abort=abort,
        slow_read_bytes_per_s=0.0 if slow_read is None else values.quantity("--slow-read", parse_size, slow_read),
        seed=values.seed(seed),
        log=None if log is None else str(log.absolute()),
    )
    if explain:
        load = (
            values.quantity("--rate", parse_rate, rate),
            values.quantity("--duration", parse_duration, duration),
            values.quantity("--connections", parse_count, connections),
        )
        _explain(script, load, format)
        return

    def tell(serving: "Serving") -> None:
        typer.echo(f"listening on {serving.url}")

    _say_served(serve("faults", asdict(script), host, values.port(port), 1, tell))


def _explain(script: "Script", load: tuple[float, int, int], format: TextOrJson) -> None:  # noqa: A002
    from wsload.target import describe, explain

    truth = explain(script, *load)
    if format is TextOrJson.JSON:
        typer.echo(json.dumps(truth, indent=2))
        return
    for line in describe(script):
        typer.echo(line)
    typer.echo(f"{format_count(truth['messages'])} messages, {format_count(truth['answered'])} answered")
    for name, value in (truth["response_time_ns"] or {}).items():
        typer.echo(f"  {name:6}{format_latency(value):>10}")


def _say_served(served: "Served") -> None:
    counts = (
        (served.connections, "connection"),
        (served.messages, "message"),
        (served.payload_bytes, "payload byte"),
    )
    typer.echo("served " + ", ".join(f"{format_count(count)} {word}{'s' * (count != 1)}" for count, word in counts))
