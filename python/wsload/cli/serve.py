"""`wsload serve`: servers to aim at."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsload.cli import values
from wsload.cli.choices import TextOrJson
from wsload.cli.help import GroupedCommand
from wsload.errors import UsageError
from wsload.units import (
    format_bytes,
    format_count,
    format_duration,
    format_latency,
    parse_count,
    parse_duration,
    parse_rate,
    parse_size,
)

if TYPE_CHECKING:
    from wsload.target import Restart, Script, Served, Serving

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
    leak: Annotated[
        str | None, typer.Option("--leak", metavar="SIZE/TIME", help="Lose memory from the first message on: 1MB/min.")
    ] = None,
    slow_down: Annotated[
        str | None,
        typer.Option("--slow-down", metavar="SHARE/TIME", help="Make --delay longer by so much in so long: 1%/10m."),
    ] = None,
    restart_every: Annotated[
        str | None,
        typer.Option(
            "--restart-every",
            metavar="TIME",
            help="Close all connections (1012, or --abort) and start a new process, so often.",
        ),
    ] = None,
    restart_down: Annotated[
        str,
        typer.Option("--restart-down", metavar="TIME", help="How long connections are refused at each restart."),
    ] = "2s",
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
    from wsload.target import (
        Script,
        parse_delay,
        parse_leak,
        parse_share,
        parse_slow_down,
        parse_stall,
        serve,
        serve_in_lives,
    )

    stall_ns, period_ns = (0, 0) if stall is None else parse_stall(stall)
    slow_share, slow_period_ns = (0.0, 0) if slow_down is None else parse_slow_down(slow_down)
    if slow_down is not None and delay is None:
        raise UsageError("--slow-down: there is no delay that could grow", "Add --delay, such as --delay 5ms.")
    restart_period_ns, restart_down_ns = _restarts(restart_every, restart_down)
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
        leak_bytes_per_s=0.0 if leak is None else parse_leak(leak),
        slow_share=slow_share,
        slow_period_ns=slow_period_ns,
        restart_period_ns=restart_period_ns,
        restart_down_ns=restart_down_ns,
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

    if script.restart_period_ns:
        _say_served(serve_in_lives(asdict(script), (host, values.port(port)), tell, _say_restart))
    else:
        _say_served(serve("faults", asdict(script), host, values.port(port), 1, tell))


def _restarts(every: str | None, down: str) -> tuple[int, int]:
    if every is None:
        return 0, 0
    period_ns = values.quantity("--restart-every", parse_duration, every)
    down_ns = values.quantity("--restart-down", parse_duration, down)
    if not 0 < down_ns < period_ns:
        what = f"--restart-every: {every!r} is not longer than --restart-down {down!r}, or one of them is no time"
        raise UsageError(what, "Write --restart-every 20m --restart-down 2s.")
    return period_ns, down_ns


def _say_restart(restart: "Restart") -> None:
    served = restart.served
    leaked = f", {format_bytes(served.leaked_bytes)} leaked" if served.leaked_bytes else ""
    typer.echo(f"restart {restart.number}: down for {format_duration(round(restart.down_ns, -6))} after"
               f" {format_count(served.messages)} messages{leaked}")  # fmt: skip


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
    for line in _ageing(truth.get("ageing")):
        typer.echo(line)


def _ageing(ageing: dict[str, Any] | None) -> Iterator[str]:
    if not ageing:
        return
    yield f"at the end: delays ×{ageing['delay_factor']:.4g}, {format_bytes(ageing['leaked_bytes'])} leaked"
    if ageing["restarts"]:
        downs = ", ".join(format_duration(down["down_ns"]) for down in ageing["restarts"][:10])
        more = len(ageing["restarts"]) - 10
        downs += f" and {more} more" if more > 0 else ""
        lost = format_count(ageing["lost_in_restarts"])
        yield f"restarts: {len(ageing['restarts'])}, after {downs}; {lost} replies lost"
        yield f"one process leaks {format_bytes(ageing['leaked_at_most_bytes'])} at most"


def _say_served(served: "Served") -> None:
    counts = (
        (served.connections, "connection"),
        (served.messages, "message"),
        (served.payload_bytes, "payload byte"),
    )
    line = "served " + ", ".join(f"{format_count(count)} {word}{'s' * (count != 1)}" for count, word in counts)
    if served.restarts:
        line += f"; {format_count(served.restarts)} restart{'s' * (served.restarts != 1)}"
    if served.leaked_bytes:
        line += f"; {format_bytes(served.leaked_bytes)} leaked"
    typer.echo(line)
