"""`wsload drift`: did a run stay as it was?"""

from pathlib import Path
from typing import Annotated

import typer

from wsload.cli import values
from wsload.cli.choices import DriftFormat
from wsload.errors import ExitCode


def drift(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Run file, finished or not.")],
    tolerance: Annotated[
        str | None,
        typer.Option(
            "--tolerance",
            metavar="SHARE",
            help="Change over the run that matters.  [default: 2% of latencies, 1% of rate, memory (and 1 MB) and"
            " counts, 5% of CPU]",
        ),
    ] = None,
    format: Annotated[DriftFormat, typer.Option("--format", help="What is printed.")] = DriftFormat.TEXT,  # noqa: A002
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 4 when of some metric it cannot be told.")
    ] = False,
) -> int:
    """Tell whether latencies, rate, failures and memory of a run drifted while it went on.

    The trend of each metric over windows of time, with a confidence interval, and what it comes to per hour: drifting,
    steady, or cannot tell.

    Exit codes: 0 nothing drifts; 3 something does; 4 of something it cannot be told, with --strict.
    """
    share = None if tolerance is None else values.share("--tolerance", tolerance)
    from wsload.analysis.drift import drift_of
    from wsload.report.drift import drift_lines, markdown
    from wsload.results import RunFile

    with RunFile.open(file) as run:
        found = drift_of(run, share)
    lines = {DriftFormat.TEXT: drift_lines, DriftFormat.MARKDOWN: markdown}
    typer.echo(found.to_json() if format is DriftFormat.JSON else "\n".join(lines[format](found)))
    if found.verdict == "drifting":
        return ExitCode.REGRESSED
    return ExitCode.INCONCLUSIVE if strict and found.verdict == "cannot tell" else ExitCode.OK
