"""Scenario files: YAML or Python in, `Scenario` with its compiled program out. docs/scenarios.md has the language."""

from wsload.scenario.source.load import Inputs, Overrides, load_scenario
from wsload.scenario.source.repeat import repeat_scenario
from wsload.scenario.source.script import load_script_scenario

__all__ = ["Inputs", "Overrides", "load_scenario", "load_script_scenario", "repeat_scenario"]
