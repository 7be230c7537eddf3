"""`wsload report`: the summary of run files."""

from pathlib import Path
from typing import Annotated

import typer

from wsload.cli.choices import Format


def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Run files, finished or not.")],
    format: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,  # noqa: A002
) -> None:
    """Show what runs came to, from their files. With --format json several files give one list."""
    from wsload.results import read_summary

    summaries = [read_summary(path) for path in files]
    if format is Format.JSON:
        documents = [summary.to_json() for summary in summaries]
        several = "[\n" + ",\n".join(documents) + "\n]"
        typer.echo(documents[0] if len(documents) == 1 else several)
        return
    from wsload.report.terminal import print_summary

    for number, summary in enumerate(summaries):
        if number:
            typer.echo()
        print_summary(summary)
