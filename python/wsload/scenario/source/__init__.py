"""Scenario files: YAML in, `Scenario` with its compiled program out. The language is written in docs/scenarios.md."""

from wsload.scenario.source.load import Inputs, Overrides, load_scenario
from wsload.scenario.source.repeat import repeat_scenario

__all__ = ["Inputs", "Overrides", "load_scenario", "repeat_scenario"]
