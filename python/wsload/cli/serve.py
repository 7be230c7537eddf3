"""`wsload serve`: servers to aim at."""

from typing import Annotated

import typer

serve_app = typer.Typer(help="Servers to aim at.", no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@serve_app.callback()
def _root() -> None:
    """Servers to aim at."""


@serve_app.command()
def echo(
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 9000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the port.")] = 1,
) -> None:
    """Send back every message, until Ctrl-C; then say how many there were."""
    from wsload.target.echo import serve_echo
    from wsload.units import format_bytes, format_count

    count = serve_echo(host, port, workers)
    typer.echo(
        f"served {format_count(count.connections)} connections, {format_count(count.messages)} messages,"
        f" {format_bytes(count.bytes)}"
    )
