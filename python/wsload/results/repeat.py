"""A run again, from nothing but its file: the scenario it holds, with its secrets given once more."""

from pathlib import Path

from wsload.errors import UsageError
from wsload.results.file import RunFile
from wsload.scenario import Scenario
from wsload.scenario.source import Inputs, Overrides, repeat_scenario


def stored_scenario(path: Path, inputs: Inputs, overrides: Overrides) -> Scenario:
    """The scenario of a run file.

    Raises:
        RunFileError: it is no run file.
        UsageError: a secret is not given, or a file that the run used is another one now.
    """
    with RunFile.open(path) as file:
        stored, load = file.header.scenario, file.header.plan.load
    if load.model == "replay":
        raise UsageError(f"{path}: is the run of a recording", "Play that again: wsload replay FILE URL.")
    return repeat_scenario(stored, str(path), inputs, overrides)
