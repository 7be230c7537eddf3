"""Runs a scenario from Python."""

import asyncio
import os
from pathlib import Path
from typing import Any, Unpack

from wsload.api.options import FIELDS, RunOptions, pairs, read
from wsload.api.result import Result
from wsload.api.scenario import Scenario, check_names, in_python_words
from wsload.engine import RunRequest, RunResult, execute, execute_async
from wsload.errors import ExitCode, UsageError

OWN = RunOptions.__annotations__.keys() - FIELDS.keys()
MAX_WORKERS = 1024


def run(scenario: Scenario | str | os.PathLike[str], **options: Unpack[RunOptions]) -> Result:
    """Runs a scenario, a scenario file (.yaml, .py), or an address with keywords, to its end: what it came to.

    Keywords change a scenario's values for this run. May be called from any thread in which no event loop runs.
    Signals are the caller's: KeyboardInterrupt ends the workers, and the file holds what was measured until then.

    Raises:
        UsageError: it cannot be run as asked, or an event loop is running in this thread; nothing was started.
        RunFileError: its file cannot be created; nothing was started.
        EngineError: no worker could be started.
    """
    request = _request(scenario, dict(options))
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with in_python_words():
            return _result(execute(request, heed_signals=False))
    remedy = "Write `await wsload.run_async(...)`, or call run in a thread of its own."
    raise UsageError("run: an event loop is running in this thread", remedy)


async def run_async(scenario: Scenario | str | os.PathLike[str], **options: Unpack[RunOptions]) -> Result:
    """The same on the event loop that is running. Cancelled, it ends the workers and keeps what was measured.

    Raises:
        UsageError, RunFileError, EngineError: as for `run`.
    """
    request = _request(scenario, dict(options))
    with in_python_words():
        return _result(await execute_async(request))


def _result(ran: RunResult) -> Result:
    path = None if ran.summary.file is None else Path(ran.summary.file).absolute()
    return Result(ran.summary, ExitCode(ran.exit_code), path, ran.file_error)


SCENARIO_FILES = (".yaml", ".yml", ".py")


def _request(scenario: Scenario | str | os.PathLike[str], options: dict[str, Any]) -> RunRequest:
    check_names(options, [*FIELDS, *OWN])
    own = {name: options.pop(name) for name in OWN & options.keys() if options[name] is not None}
    if isinstance(scenario, Scenario):
        made = scenario.but(**options)
    elif isinstance(scenario, str) and not scenario.lower().endswith(SCENARIO_FILES):
        made = Scenario(scenario, **options)
    else:
        made = Scenario.from_file(scenario, **options)
    workers, output = own.get("workers"), own.get("output")
    if workers is not None and (isinstance(workers, bool) or workers not in range(1, MAX_WORKERS + 1)):
        raise UsageError(f"workers: {workers!r} is not a number of processes", f"It takes 1 to {MAX_WORKERS}.")
    labels = dict(read("labels", pairs, own.get("labels", {})))
    return RunRequest(made.model, None if output is None else Path(output), workers, labels)
