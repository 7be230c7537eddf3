"""`wsload history`: figures from release to release."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.cli import values
from wsload.cli.choices import HistoryFormat
from wsload.cli.help import GroupedCommand
from wsload.errors import UsageError

if TYPE_CHECKING:
    from wsload.analysis.history import History

Folder = Annotated[Path, typer.Option("--in", metavar="FOLDER", help="Folder that keeps the runs, by label.")]
DEFAULT_FOLDER = Path("wsload-history")
DEFAULT_METRICS = ("response.p50", "response.p99", "rate", "failures")
GIT_TIMEOUT_S = 20

history_app = typer.Typer(help="Keep runs by release and see how figures went.", rich_markup_mode=None)


@history_app.callback()
def _root() -> None:
    """Keep runs by release and see how figures went."""


@history_app.command(cls=GroupedCommand)
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Finished runs.")],
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="LABEL", help="What was tested.  [default: `git describe --tags --always --dirty`]"
        ),
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Copy runs to FOLDER/LABEL, where `wsload compare` takes a label's folder for a side."""
    from wsload.results.shelf import keep

    chosen = _described() if label is None else label
    for path in files:
        typer.echo(f"kept {keep(path, folder, chosen)}")


@history_app.command(name="list", cls=GroupedCommand)
def list_labels(folder: Folder = DEFAULT_FOLDER) -> None:
    """List the labels, oldest first."""
    from wsload.report.history import render_list

    for line in render_list(_read(folder, {"response.p50", "response.p99"})):
        typer.echo(line.plain)


@history_app.command(cls=GroupedCommand)
def show(
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="Metric or group to chart. Repeatable.  [default: response.p50, response.p99, rate, failures; all in"
            " JSON and CSV]",
        ),
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    format: Annotated[  # noqa: A002
        HistoryFormat, typer.Option("--format", help="Charts, JSON, or CSV with a row per run.")
    ] = HistoryFormat.TEXT,
) -> None:
    """Chart metrics from label to label, each with the interval of its average over the label's runs."""
    names = values.metrics("--metric", metric)
    if names is None and format is HistoryFormat.TEXT:
        names = list(DEFAULT_METRICS)
    history = _read(folder, None if names is None else set(names))
    if format is HistoryFormat.JSON:
        typer.echo(history.model_dump_json(indent=2))
        return
    from wsload.report.history import print_history, to_csv

    if format is HistoryFormat.CSV:
        typer.echo(to_csv(history), nl=False)
    else:
        print_history(history, names or [])


def _read(folder: Path, names: set[str] | None) -> "History":
    from wsload.analysis.history import read_history
    from wsload.results.shelf import kept_runs

    return read_history(kept_runs(folder), names)


def _described() -> str:
    """What git calls the commit that is checked out here."""
    command = ["git", "describe", "--tags", "--always", "--dirty"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=GIT_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        raise UsageError("--label: git has no name for this folder", "Name what was tested with --label.") from None
    # Tags may be in folders of their own.
    return done.stdout.strip().replace("/", "-")
