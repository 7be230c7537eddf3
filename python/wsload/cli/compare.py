"""`wsload compare`: did the new one get slower?"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsload.cli import flags, scenarios, values
from wsload.cli.choices import CompareFormat
from wsload.cli.rounds import make_rounds, play_rounds
from wsload.errors import ExitCode, UsageError
from wsload.units import parse_count, parse_duration, parse_rate, parse_size

if TYPE_CHECKING:
    from wsload.analysis.compare import Tolerances
    from wsload.analysis.model import Comparison
    from wsload.analysis.series import Series

SHOWN_DIFFERENCES = 5
COMPARISON = "Comparison"
ROUNDS = "Rounds"


def compare(
    context: typer.Context,
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
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="Compare only this metric, or group of metrics such as response. Repeatable.  [default: all]",
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway",
            help="Compare runs that are not alike, or suspect; the result says so.",
            rich_help_panel=COMPARISON,
        ),
    ] = False,
    format: Annotated[  # noqa: A002
        CompareFormat,
        typer.Option("--format", help="Result as text, JSON, Markdown or JUnit.", rich_help_panel=COMPARISON),
    ] = CompareFormat.TEXT,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="End with exit code 4 when something is inconclusive.", rich_help_panel=COMPARISON
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a page with charts as well: curves with their bands, every run.",
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    run: Annotated[
        bool,
        typer.Option("--run", help="Make the runs: both servers under the same load in turn.", rich_help_panel=ROUNDS),
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option("--base", metavar="URL", help="Server to compare with.", rich_help_panel=ROUNDS),
    ] = None,
    new_url: Annotated[
        str | None,
        typer.Option(
            "--new", metavar="URL", help="Server to be judged.  [default: the same URL]", rich_help_panel=ROUNDS
        ),
    ] = None,
    base_cmd: Annotated[
        str | None,
        typer.Option(
            "--base-cmd",
            metavar="COMMAND",
            help="Starts the base's server, in the foreground, anew for each of its runs; no shell.",
            rich_help_panel=ROUNDS,
        ),
    ] = None,
    new_cmd: Annotated[
        str | None,
        typer.Option("--new-cmd", metavar="COMMAND", help="The same for the other side.", rich_help_panel=ROUNDS),
    ] = None,
    rounds: Annotated[
        str,
        typer.Option("--rounds", metavar="COUNT", help="Runs of each side, alternating.", rich_help_panel=ROUNDS),
    ] = "6",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="New folder for the run files.  [default: compare-DATE-TIME]",
            rich_help_panel=ROUNDS,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress while it runs.", rich_help_panel=ROUNDS)] = False,
    warmup: flags.Warmup = "2s",
    connections: flags.Connections = "1",
    duration: flags.Duration = None,
    rate: flags.Rate = None,
    rate_per_conn: flags.RatePerConn = None,
    arrivals: flags.ArrivalsFlag = None,
    in_flight: flags.InFlight = None,
    think: flags.ThinkFlag = None,
    message: flags.MessageText = None,
    message_file: flags.MessageFile = None,
    size: flags.Size = None,
    binary: flags.Binary = False,
    match: flags.MatchFlag = "order",
    match_received: flags.MatchReceived = None,
    reply_timeout: flags.ReplyTimeout = "10s",
    connect_rate: flags.ConnectRate = None,
    header: flags.HeaderFlag = None,
    subprotocol: flags.Subprotocol = None,
    bearer: flags.Bearer = None,
    compress: flags.CompressFlag = None,
    cacert: flags.CaCert = None,
    insecure: flags.Insecure = False,
    workers: flags.Workers = None,
    seed: flags.Seed = None,
    var: flags.Variable = None,
    env: flags.Environment = None,
    env_file: flags.EnvFile = None,
) -> int:
    """Compare runs of two releases: did the new one get slower?

    Each figure's ratio comes with a confidence interval, and a verdict: regressed or improved (by more than the
    tolerance, for certain), unchanged (within it, for certain) or inconclusive.

    With --run the runs are made first: rounds of both servers under the same load, in an order that is drawn and
    balanced, each with a warm-up. BASE may then be a scenario file. All other flags below "Rounds" are those of
    `wsload run`.

    Exit codes: 0 no regression; 1 a run measured nothing, or a server did not start; 2 wrong usage, or runs that are
    not alike; 3 regressed; 4 inconclusive, with --strict; 130 and 143 stopped by SIGINT or SIGTERM.
    """
    tolerances, names = _tolerances(tolerance), values.metrics("--metric", metric)
    if run:
        from wsload.scenario import LoadModel, Message, Scenario, TlsOptions, parse_compression

        file = _scenario_file(base, new, base_url)
        # Each field with the flag that sets it: over a scenario file only flags that were given have a say.
        load = {
            "connections": ("connections", values.quantity("--connections", parse_count, connections)),
            "connect_rate_per_s": ("connect_rate", values.maybe("--connect-rate", parse_rate, connect_rate)),
            "duration_ns": ("duration", values.maybe("--duration", parse_duration, duration)),
            "warmup_ns": ("warmup", values.quantity("--warmup", parse_duration, warmup)),
            "rate_per_s": ("rate", values.maybe("--rate", parse_rate, rate)),
            "rate_per_conn_per_s": ("rate_per_conn", values.maybe("--rate-per-conn", parse_rate, rate_per_conn)),
            "arrivals": ("arrivals", arrivals.value if arrivals else None),
            "think": ("think", None if think is None else values.think(think)),
            "in_flight": ("in_flight", values.maybe("--in-flight", parse_count, in_flight)),
        }
        tls = {"cacert": ("cacert", cacert), "insecure": ("insecure", insecure)}
        size_bytes = values.maybe("--size", parse_size, size)
        sources = {"message": message, "message_file": message_file, "size": size, "binary": binary}
        top = {
            "headers": ("header", values.headers(header)),
            "bearer": ("bearer", bearer),
            "subprotocols": ("subprotocol", tuple(subprotocol or ())),
            "compression": ("compress", None if compress is None else parse_compression(compress)),
            "message": (
                next((flag for flag, given in sources.items() if given), "message"),
                Message(text=message, file=message_file, size_bytes=size_bytes, binary=binary),
            ),
            "match": ("match", match),
            "match_received": ("match_received", match_received),
            "reply_timeout_ns": ("reply_timeout", values.quantity("--reply-timeout", parse_duration, reply_timeout)),
        }
        given = scenarios.given_flags(context)

        def scenario(url: str, number: int) -> Scenario:
            fixed: dict[str, Any] = {"target": url, "seed": number}
            if file is not None:
                parts: list[dict[str, Any]] = [
                    {name: value for name, (flag, value) in part.items() if flag in given} for part in (top, load, tls)
                ]
                parts[0] |= fixed
                return scenarios.read(file, values.variables(var), env, env_file, parts)
            values.refuse_variables(var, env, env_file)
            return Scenario(
                load=LoadModel.model_validate({name: value for name, (_, value) in load.items()}),
                tls=TlsOptions.model_validate({name: value for name, (_, value) in tls.items()}),
                **fixed,
                **{name: value for name, (_, value) in top.items()},
            )

        plan = make_rounds(
            (base_url or "", new_url), (base_cmd, new_cmd), scenario, rounds=rounds, seed=seed, output=output
        )
        ended = play_rounds(replace(plan, workers=None if workers is None else values.workers(workers)), quiet=quiet)
        if ended != ExitCode.OK:
            return ended
        base, new = str(plan.folder / "base"), str(plan.folder / "new")
    else:
        _reject_load(context)
    if base is None or new is None:
        raise UsageError("NEW: two sides are compared", "Name BASE and NEW: run files, folders or quoted patterns.")
    result = compare_files(base, new, tolerances, names, anyway=anyway)
    show(result, format, strict=strict)
    if html is not None:
        from wsload.report.export import write
        from wsload.report.html.compare import render_comparison

        write(iter([render_comparison(result)]), html)
    return exit_code(result, strict=strict)


def compare_files(
    base: str, new: str, tolerances: "Tolerances", names: list[str] | None, *, anyway: bool
) -> "Comparison":
    """Reads the runs of both sides and compares them."""
    from wsload.analysis.compare import compare as compare_sides
    from wsload.analysis.runs import find_runs, reject_shared

    paths = find_runs("BASE", base), find_runs("NEW", new)
    reject_shared(*paths)
    sides = _read(paths[0]), _read(paths[1])
    if not anyway:
        reject_unlike([*sides[0], *sides[1]])
    return compare_sides(*sides, named=(base, new), tolerances=tolerances, names=None if names is None else set(names))


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


def _scenario_file(scenario: str | None, other: str | None, base_url: str | None) -> str | None:
    """With --run the first argument, if any, is a scenario."""
    if other is not None or (scenario is not None and not scenarios.is_scenario(scenario)):
        remedy = "Leave BASE and NEW out, name a scenario (.yaml) instead, or leave --run out."
        raise UsageError("BASE: --run makes the runs itself", remedy)
    if base_url is None:
        raise UsageError("--base: with --run, two servers are needed", "Name them with --base URL and --new URL.")
    return scenario


def _reject_load(context: typer.Context) -> None:
    """Flags of a load mean nothing when runs are read from files."""
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if (
            getattr(param, "rich_help_panel", None) not in {None, COMPARISON}
            and source
            and source.name == "COMMANDLINE"
        ):
            what = f"{param.opts[-1]}: runs are read from files"
            raise UsageError(what, "Leave it out, or make runs with --run --base URL --new URL.")


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
            values.metrics("--tolerance", [name])
            special[name] = value
        else:
            general = value
    return Tolerances(general, special)
