"""Where results go: printed on standard output in a format, and exported to files whose endings say theirs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wsload.cli.choices import Format
from wsload.errors import UsageError, WsloadError

if TYPE_CHECKING:
    from wsload.engine import RunResult
    from wsload.report.export.rows import Thresholds

EXPORT_HELP = (
    "Also write the result there, as its ending says: .html (a page with charts), .csv and .ndjson (by interval),"
    " .json, .xml (JUnit), .hlog (HDR histograms), .prom (Prometheus), .md (Markdown). Repeatable."
)


def check_exports(paths: Sequence[Path], runs: int = 1) -> None:
    """Refuses files that could not be written, before anything is started; only a page holds several runs."""
    if not paths:
        return
    from wsload.report.export import format_of

    for path in paths:
        if format_of(path) != "html" and runs > 1:
            raise UsageError(f"--export: {path}: holds one run", "Export one FILE at a time, or several as .html.")


def export(runs: Sequence[Path], paths: Sequence[Path], thresholds: "Thresholds" = None) -> None:
    """Writes runs to files that have been checked; `thresholds` take the place of the runs' own."""
    if not paths:
        return
    from wsload.report import export as exports

    for path in paths:
        name = exports.format_of(path)
        if name == "html":
            from wsload.report.html import render_page

            exports.write(render_page(runs, thresholds), path)
        else:
            exports.write(exports.render(runs[0], name, thresholds), path)


def print_run(path: Path, format: Format, thresholds: "Thresholds" = None) -> None:  # noqa: A002
    """Prints a run file in one of the formats for tools."""
    from wsload.report.export import render

    # No newline is added or translated: CSV has its own.
    for piece in render(path, format.value, thresholds):
        sys.stdout.write(piece)


def finish_run(result: "RunResult", format: Format, exports: Sequence[Path]) -> None:  # noqa: A002
    """Prints what a run came to, exports it, and says what became of its file.

    Raises:
        WsloadError: an export cannot be written; everything else has been done.
    """
    path = Path(result.summary.file) if result.summary.file else None
    if format is Format.JSON:
        typer.echo(result.summary.to_json())
    elif format is Format.TEXT:
        from wsload.report.terminal import print_summary

        print_summary(result.summary)
    elif format is not Format.NDJSON and path:
        print_run(path, format)
    if result.file_error:
        typer.echo(f"error: {result.file_error}", err=True)
        typer.echo("       Nothing after that is in the file; what was saved before can be read.", err=True)
    if path:
        export([path], exports)
    elif exports or format not in {Format.TEXT, Format.JSON, Format.NDJSON}:
        raise WsloadError("nothing was exported: the run file is not complete", "`wsload report` exports what it has.")
