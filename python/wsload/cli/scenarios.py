"""Scenario files on the command line: read for `run`, checked by `check`, begun by `init`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsload.cli import flags, values
from wsload.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from wsload.scenario import Proxy, Scenario

YAML = (".yaml", ".yml")
PYTHON = ".py"
RUN_FILE = ".wsload"


def is_scenario(target: str) -> bool:
    """Whether a target is a file rather than a URL."""
    return "://" not in target and target.lower().endswith((*YAML, PYTHON, RUN_FILE))


def given_flags(context: typer.Context) -> set[str]:
    """Names of the parameters that stand on the command line."""
    return {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }


def read(
    target: str,
    variables: dict[str, str],
    environment: str | None,
    env_file: Path | None,
    overrides: Sequence[dict[str, Any]],
    proxy: str | None = None,
) -> "Scenario":
    """The scenario of a file, or of the file of a run.

    Raises:
        UsageError: everything that is wrong with it.
    """
    from wsload.scenario.source import Inputs, Overrides, load_scenario, load_script_scenario

    top, load, tls = overrides or ({}, {}, {})
    inputs = Inputs(variables, environment, env_file)
    if target.lower().endswith(RUN_FILE):
        from wsload.results.repeat import stored_scenario

        scenario = stored_scenario(Path(target), inputs, Overrides(top, load, tls))
    else:
        load_one = load_script_scenario if target.lower().endswith(PYTHON) else load_scenario
        scenario = load_one(Path(target), inputs, Overrides(top, load, tls))
    if proxy is None:
        return scenario
    return scenario.model_copy(update={"proxy": proxy_of(proxy, scenario.target)})


def proxy_of(asked: str | None, url: str) -> "Proxy | None":
    """The proxy that --proxy names, or that the environment names for a URL."""
    from wsload.scenario import environment_proxy, parse_address, parse_proxy

    if asked == "env":
        return environment_proxy(parse_address(url, []), dict(os.environ))
    return None if asked is None else parse_proxy(asked)


def show_plan(scenario: "Scenario") -> None:
    """Prints what would be done."""
    from wsload.report.plan import plan_text

    typer.echo(plan_text(scenario))


def check(
    file: flags.ScenarioPath,
    var: flags.Variable = None,
    env: flags.Environment = None,
    env_file: flags.EnvFile = None,
    once: Annotated[bool, typer.Option("--once", help="Run one connection through it and show each step.")] = False,
) -> int:
    """Check a scenario and print the plan it comes to. Nothing is sent unless --once is given.

    Exit codes: 0 the scenario is sound, and with --once all was as expected; 1 with --once something was not; 2 it
    has mistakes.
    """
    if not is_scenario(str(file)):
        raise UsageError(f"FILE: {file} is no scenario", "Name a .yaml or a .py file.")
    scenario = read(str(file), values.variables(var), env, env_file, ())
    show_plan(scenario)
    return _run_once(scenario) if once else ExitCode.OK


def _run_once(scenario: "Scenario") -> int:
    """One connection of each kind of user, one iteration of each, no schedule and no warm-up."""
    import tempfile

    from wsload.engine import RunRequest, execute
    from wsload.report.once import marked, once_passed, once_text
    from wsload.results import RunFile
    from wsload.scenario import LoadModel
    from wsload.scenario.record import Recording
    from wsload.units import parse_duration

    program = scenario.program
    if program is None:
        raise UsageError("--once: the file has no steps", "Name a scenario file.")
    users = tuple(user.model_copy(update={"weight": 1, "on_error": "abort"}) for user in program.users if user.weight)
    # Who only listens has no iteration that would end it.
    load = LoadModel(connections=len(users), idle=True, duration_ns=parse_duration("2s"))
    if not scenario.load.idle:
        load = LoadModel(connections=len(users), iterations=len(users))
    program, known = marked(program.model_copy(update={"users": users}))
    record = Recording(one_in=1, payload_bytes=64 << 10)
    changes = {"program": program, "load": load, "thresholds": (), "record": record}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "once.wsload"
        summary = execute(RunRequest(scenario.model_copy(update=changes), path, 1)).summary
        with RunFile.open(path) as file:
            events = [event for _, event in file.events()]
    typer.echo(once_text(program, known, summary, events))
    return ExitCode.OK if once_passed(summary) else ExitCode.FAILED


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write it.")] = Path("scenario.yaml"),
) -> int:
    """Write a scenario to start from, with comments: echo, login, subscribe. In Python if FILE ends in .py."""
    from wsload.scenario.source.starter import PYTHON_STARTER, STARTER

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(PYTHON_STARTER if file.suffix == PYTHON else STARTER)
    except FileExistsError:
        raise UsageError(f"FILE: {file} exists", "Name another, or move it away.") from None
    except OSError as error:
        raise UsageError(f"FILE: {file}: {error.strerror or error}", "Name a file that can be written.") from None
    typer.echo(f"Wrote {file}. Next: wsload check {file}")
    return ExitCode.OK
