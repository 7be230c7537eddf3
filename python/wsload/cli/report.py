"""`wsload report`: the summary of run files."""

from pathlib import Path
from typing import Annotated

import typer

from wsload.cli.choices import Format


def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Run files, finished or not.")],
    format: Annotated[  # noqa: A002
        Format, typer.Option("--format", help="As text, or as one JSON document: several files give a list.")
    ] = Format.TEXT,
) -> None:
    """Show what runs came to, from their files."""
    from wsload.results import read_summary

    # All are read before anything is printed: an unreadable one must not leave half a document.
    summaries = [read_summary(path) for path in files]
    if format is Format.JSON:
        documents = [summary.to_json() for summary in summaries]
        typer.echo(documents[0] if len(documents) == 1 else "[\n" + ",\n".join(documents) + "\n]")
        return
    from wsload.report.terminal import print_summary

    for number, summary in enumerate(summaries):
        if number:
            typer.echo()
        print_summary(summary)
