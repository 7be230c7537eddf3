"""The Python API: what `import wsload` offers, for tests, notebooks and scenarios. docs/python-api.md shows it."""

from wsload.api.options import RunOptions, ScenarioOptions
from wsload.api.result import Result
from wsload.api.running import run, run_async
from wsload.api.scenario import Scenario
from wsload.engine.connection import (
    Connection,
    ConnectionClosedError,
    ExpectationError,
    Message,
    NoMessageError,
    NoReplyError,
)
from wsload.scenario.script import script
from wsload.units import parse_duration as ns

__all__ = [
    "Connection",
    "ConnectionClosedError",
    "ExpectationError",
    "Message",
    "NoMessageError",
    "NoReplyError",
    "Result",
    "RunOptions",
    "Scenario",
    "ScenarioOptions",
    "ns",
    "run",
    "run_async",
    "script",
]
