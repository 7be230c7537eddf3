"""The command `wsload`. What a command needs is imported when it runs: `--help` must not wait for it."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from wsload import __version__
from wsload.cli import completion
from wsload.cli.compare import compare
from wsload.cli.connect import connect
from wsload.cli.doctor import doctor
from wsload.cli.drift import drift
from wsload.cli.help import GroupedCommand
from wsload.cli.history import history_app
from wsload.cli.replay import replay
from wsload.cli.report import report
from wsload.cli.run import run
from wsload.cli.scenarios import check, init
from wsload.cli.serve import serve_app
from wsload.cli.soak import soak
from wsload.cli.timeline import timeline_app
from wsload.cli.web import WebCommand
from wsload.errors import ExitCode, UsageErrors, WsloadError

app = typer.Typer(
    name="wsload",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    help="Load and soak testing for WebSocket services.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and tells its exit code.

    What a person can mend is said in a line or two on standard error; a traceback is a bug of ours.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets its code, not an exception.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    completion.prepare()
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        return int(app(given, prog_name="wsload", standalone_mode=False) or ExitCode.OK)
    except UsageErrors as found:
        for one in found.errors:
            _complain(one.what, one.remedy)
        if found.unshown:
            _complain(f"{found.unshown} more of them are not shown", "")
        return found.exit_code
    except WsloadError as error:
        _complain(error.what, error.remedy)
        return error.exit_code
    except typer.TyperException as error:
        # Typer's own: an unknown flag, a missing argument, a word that is no choice.
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "wsload"
        _complain(_in_our_words(error), f"`{path} --help` lists what there is.")
        return ExitCode.USAGE


def _in_our_words(error: typer.TyperException) -> str:
    """`--format: 'x' is not one of ...`, as our own errors begin."""
    param = getattr(error, "param", None)
    text = error.format_message().removesuffix(".")
    if isinstance(error, typer.BadParameter) and param is not None and error.message:
        names = "/".join(param.opts) or param.name
        text = f"{names}: {error.message.removeprefix('Value error, ').removesuffix('.')}"
    return text if text.startswith("-") else text[:1].lower() + text[1:]


def _complain(what: str, remedy: str) -> None:
    from wsload.report.text import printable

    typer.echo(f"error: {printable(what)}", err=True)
    if remedy:
        typer.echo(f"       {printable(remedy)}", err=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        from wsload.cli.version import version_line

        typer.echo(version_line(__version__))
        raise typer.Exit


def _show_help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(context.get_help())
        raise typer.Exit


# Typer's own --help, when it is not given, loads pydantic to find that out: `wsload run --help` would pay for it.
@app.callback(add_help_option=False)
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show version and build profile.", callback=_show_version, is_eager=True),
    ] = False,
    help: Annotated[  # noqa: A002
        bool, typer.Option("--help", "-h", help="Show this message and exit.", callback=_show_help, is_eager=True)
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Install completion for the shell that runs this.",
            callback=completion.install,
            is_eager=True,
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion", help="Show what that would install.", callback=completion.show, is_eager=True
        ),
    ] = False,
) -> None:
    del version, help, install_completion, show_completion


app.command(cls=WebCommand)(run)
app.command(cls=WebCommand, short_help="Run for hours or days: who dropped, who came back.")(soak)
app.command(cls=GroupedCommand)(check)
app.command(cls=GroupedCommand, short_help="Write a scenario to start from.")(init)
app.command(cls=WebCommand)(report)
app.command(cls=GroupedCommand)(compare)
app.command(cls=GroupedCommand, short_help="Tell whether a run drifted while it went on.")(drift)
app.command(cls=GroupedCommand)(connect)
app.command(cls=GroupedCommand, short_help="Play recorded connections again and compare replies.")(replay)
app.command(cls=GroupedCommand)(doctor)
app.add_typer(history_app, name="history")
app.add_typer(serve_app, name="serve")
app.add_typer(timeline_app, name="timeline", short_help="Look at the messages that a run has kept.")
