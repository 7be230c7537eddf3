"""`wsload compare`: did the new one get slower?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.cli import values
from wsload.cli.choices import CompareFormat
from wsload.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from wsload.analysis.compare import Tolerances
    from wsload.analysis.model import Comparison
    from wsload.analysis.series import Series

SHOWN_DIFFERENCES = 5


def compare(
    base: Annotated[
        str | None,
        typer.Argument(metavar="[BASE]", help="A run file, a folder of them, or a quoted pattern.", show_default=False),
    ] = None,
    new: Annotated[str | None, typer.Argument(metavar="[NEW]", help="The same for the other side.")] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            metavar="[METRIC=]SHARE",
            help="What counts as no change: 5%, or for one metric or group response.p99=10%. Failures are compared in"
            " percentage points. Repeatable.  [default: 5%, failures=0.1%]",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="Compare only this metric, or group of metrics such as response. Repeatable.  [default: all]",
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare runs that are not alike, or suspect; the result says so.")
    ] = False,
    format: Annotated[  # noqa: A002
        CompareFormat, typer.Option("--format", help="Result as text, JSON, Markdown or JUnit.")
    ] = CompareFormat.TEXT,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 4 when something is inconclusive.")
    ] = False,
) -> int:
    """Compare runs of two releases: did the new one get slower?

    Each figure's ratio comes with a confidence interval, and a verdict: regressed or improved (by more than the
    tolerance, for certain), unchanged (within it, for certain) or inconclusive.

    Exit codes: 0 no regression; 2 wrong usage, or runs that are not alike; 3 regressed; 4 inconclusive, with --strict.
    """
    tolerances, names = _tolerances(tolerance), _names(metric)
    if base is None or new is None:
        raise UsageError("NEW: two sides are compared", "Name BASE and NEW: run files, folders or quoted patterns.")
    from wsload.analysis.compare import compare as compare_sides
    from wsload.analysis.runs import find_runs, reject_shared

    paths = find_runs("BASE", base), find_runs("NEW", new)
    reject_shared(*paths)
    sides = _read(paths[0]), _read(paths[1])
    if not anyway:
        reject_unlike([*sides[0], *sides[1]])
    result = compare_sides(*sides, named=(base, new), tolerances=tolerances, names=names)
    show(result, format, strict=strict)
    return exit_code(result, strict=strict)


def reject_unlike(runs: "list[Series]") -> None:
    """Refuses runs that cannot be compared, naming the difference."""
    from wsload.analysis.alike import differences

    found = differences(runs)
    if found:
        shown = [str(one) for one in found[:SHOWN_DIFFERENCES]]
        more = f"; and {len(found) - len(shown)} more differences" if len(found) > len(shown) else ""
        raise UsageError(
            f"BASE, NEW: the runs are not alike: {'; '.join(shown)}{more}",
            "Repeat the runs with the same load on the same machine, or compare them all the same with --anyway.",
        )


def show(result: "Comparison", format: CompareFormat, *, strict: bool) -> None:  # noqa: A002
    """Prints a comparison."""
    if format is CompareFormat.JSON:
        typer.echo(result.to_json())
        return
    from wsload.report.compare import print_comparison, to_junit, to_markdown

    if format is CompareFormat.MARKDOWN:
        typer.echo(to_markdown(result), nl=False)
    elif format is CompareFormat.JUNIT:
        typer.echo(to_junit(result, strict=strict), nl=False)
    else:
        print_comparison(result)


def exit_code(result: "Comparison", *, strict: bool) -> ExitCode:
    """What a pipeline goes by."""
    if result.verdict == "regressed":
        return ExitCode.REGRESSED
    return ExitCode.INCONCLUSIVE if strict and result.verdict == "inconclusive" else ExitCode.OK


def _read(paths: list[Path]) -> "list[Series]":
    from wsload.analysis.series import read_series

    return [read_series(path) for path in paths]


def _tolerances(texts: list[str] | None) -> "Tolerances":
    from wsload.analysis.compare import DEFAULT_TOLERANCE, Tolerances

    general, special = DEFAULT_TOLERANCE, {}
    for text in texts or ():
        name, found, share = text.rpartition("=")
        value = values.share("--tolerance", share)
        if found:
            _check_name("--tolerance", name)
            special[name] = value
        else:
            general = value
    return Tolerances(general, special)


def _names(asked: list[str] | None) -> set[str] | None:
    if not asked:
        return None
    return {name for text in asked for name in _check_name("--metric", text)}


def _check_name(flag: str, text: str) -> list[str]:
    """The metrics of a name or group."""
    from wsload.analysis.metrics import NAMES

    found = [name for name in NAMES if text in {name, name.partition(".")[0]}]
    if not found:
        raise UsageError(f"{flag}: {text!r} is no metric", f"Metrics: {', '.join(NAMES)}.")
    return found
