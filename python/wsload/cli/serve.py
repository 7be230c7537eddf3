"""`wsload serve`: servers to aim at."""

from typing import Annotated

import typer

from wsload.cli import values
from wsload.cli.help import GroupedCommand

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
    from wsload.target import Serving, serve_echo
    from wsload.units import format_count

    def tell(serving: Serving) -> None:
        typer.echo(f"listening on {serving.url}")

    served = serve_echo(host, number, crew, tell)
    counts = (
        (served.connections, "connection"),
        (served.messages, "message"),
        (served.payload_bytes, "payload byte"),
    )
    typer.echo("served " + ", ".join(f"{format_count(count)} {word}{'s' * (count != 1)}" for count, word in counts))
