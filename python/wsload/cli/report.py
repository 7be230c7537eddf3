"""`wsload report`: the summary of run files, and what is made of them for others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.cli.choices import Format
from wsload.cli.exports import EXPORT_HELP, check_exports, export, print_run
from wsload.cli.web import HELP as WEB_HELP
from wsload.cli.web import view
from wsload.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from wsload.results import Summary


def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Run files, finished or not.")],
    format: Annotated[  # noqa: A002
        Format,
        typer.Option(
            "--format",
            help="What is printed. Several files go with text and json only: JSON documents give a list.",
        ),
    ] = Format.TEXT,
    exports: Annotated[
        list[Path] | None, typer.Option("--export", metavar="FILE", help=EXPORT_HELP, show_default=False)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Short for --export: a page with charts; several runs overlay."),
    ] = None,
    web: Annotated[str | None, typer.Option("--web", metavar="[ADDRESS]", help=WEB_HELP)] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="TEXT",
            help="Judge by this, such as 'response.p99 < 50ms', and not by the run's own; exit code 99 if it is not so."
            " Repeatable.",
        ),
    ] = None,
) -> int:
    """Show what runs came to, from their files."""
    if threshold and (web is not None or exports or html or format not in {Format.TEXT, Format.JSON}):
        # What is made for others shows what the run itself was held against.
        raise UsageError("--threshold: it goes with --format text and json only", "Drop what else is asked for.")
    if web is not None:
        view(files, web)
        return ExitCode.OK
    paths = [*(exports or ()), *([html] if html else [])]
    if html and html.suffix.lower() != ".html":
        raise UsageError(f"--html: {html} does not end in .html", f"Try --html {html.with_suffix('.html')}.")
    check_exports(paths, len(files))
    for_tools = format not in {Format.TEXT, Format.JSON}
    if for_tools and len(files) > 1:
        raise UsageError(f"--format: {format} holds one run", "Name one FILE, or use --html for several.")
    from wsload.results import read_summary
    from wsload.scenario import parse_thresholds

    thresholds = parse_thresholds(threshold) if threshold else None
    # All are read before anything is printed: an unreadable one must not leave half a document.
    summaries = [read_summary(path, thresholds) for path in files]
    export(files, paths, thresholds)
    if for_tools:
        print_run(files[0], format, thresholds)
    else:
        _show(summaries, format)
    failed = thresholds is not None and not all(one.passed for summary in summaries for one in summary.thresholds)
    return ExitCode.THRESHOLDS if failed else ExitCode.OK


def _show(summaries: "list[Summary]", format: Format) -> None:  # noqa: A002
    if format is Format.JSON:
        documents = [summary.to_json() for summary in summaries]
        typer.echo(documents[0] if len(documents) == 1 else "[\n" + ",\n".join(documents) + "\n]")
        return
    from wsload.report.terminal import print_summary
    from wsload.results.summary import LONG_RUN_NS

    for number, summary in enumerate(summaries):
        if number:
            typer.echo()
        print_summary(summary)
        if summary.file and summary.duration_ns >= LONG_RUN_NS:
            from wsload.report.drift import print_drift

            print_drift(Path(summary.file))
