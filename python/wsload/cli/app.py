"""The command `wsload`. What a command needs is imported when it runs: `--help` must not wait for it."""

import sys
from typing import Annotated, NoReturn

import typer

from wsload import __version__
from wsload.cli.doctor import doctor
from wsload.cli.report import report
from wsload.cli.run import run
from wsload.cli.serve import serve_app
from wsload.errors import WsloadError

# Plain help: Rich would treble the time of `wsload --help`.
app = typer.Typer(
    name="wsload",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Load and soak testing for WebSocket services.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from wsload.cli.version import version_line

        typer.echo(version_line(__version__))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show version and build profile.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    del version


app.command()(run)
app.command()(report)
app.command()(doctor)
app.add_typer(serve_app, name="serve")


def main() -> NoReturn:
    """Runs the command line; errors that are a person's to mend are one or two lines, never a traceback."""
    try:
        app()
    except WsloadError as error:
        typer.echo(f"error: {error.what}", err=True)
        if error.remedy:
            typer.echo(f"       {error.remedy}", err=True)
        sys.exit(error.exit_code)
    sys.exit(0)
