"""A run again, from nothing but its file: the scenario it holds, with its secrets given once more."""

from pathlib import Path

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
        stored = file.header.scenario
    return repeat_scenario(stored, str(path), inputs, overrides)
