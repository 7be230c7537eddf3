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
RUN_FILE = ".wsload"


def is_scenario(target: str) -> bool:
    """Whether a target is a file rather than a URL."""
    return "://" not in target and target.lower().endswith((*YAML, RUN_FILE))


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
    from wsload.scenario.source import Inputs, Overrides, load_scenario

    top, load, tls = overrides or ({}, {}, {})
    inputs = Inputs(variables, environment, env_file)
    if target.lower().endswith(RUN_FILE):
        from wsload.results.repeat import stored_scenario

        scenario = stored_scenario(Path(target), inputs, Overrides(top, load, tls))
    else:
        scenario = load_scenario(Path(target), inputs, Overrides(top, load, tls))
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
    """Check a scenario, print the plan it comes to, and send nothing."""
    if not is_scenario(str(file)):
        raise UsageError(f"FILE: {file} is no scenario", "Name a .yaml file.")
    scenario = read(str(file), values.variables(var), env, env_file, ())
    show_plan(scenario)
    del once
    return ExitCode.OK


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write it.")] = Path("scenario.yaml"),
) -> int:
    """Write a scenario to start from, with comments: echo, login, subscribe."""
    from wsload.scenario.source.starter import STARTER

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(STARTER)
    except FileExistsError:
        raise UsageError(f"FILE: {file} exists", "Name another, or move it away.") from None
    except OSError as error:
        raise UsageError(f"FILE: {file}: {error.strerror or error}", "Name a file that can be written.") from None
    typer.echo(f"Wrote {file}. Next: wsload check {file}")
    return ExitCode.OK
