"""One run from scenario to summary: limits checked, file written, signals heeded, exit code decided."""

import asyncio
import contextlib
import re
import signal
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import uvloop

from wsload import _core
from wsload.engine import capacity, limits
from wsload.engine.alarm import Alarm, AlarmRequest
from wsload.engine.fleet import Fleet, FleetManner
from wsload.engine.keeper import Keeper
from wsload.engine.ray import Cluster, RayNodes, join
from wsload.engine.resume import Before, Placing, this_process
from wsload.engine.surroundings import Surroundings
from wsload.engine.watch import Watch, Watcher, WatchRequest
from wsload.errors import EngineError, ExitCode, UsageError
from wsload.results import Fold, Header, Interval, Note, RunFileWriter, Summary, aside_names
from wsload.results.summary import Outcome
from wsload.results.verdict import judge_interval
from wsload.scenario import Plan, ReplayLoad, Scenario, build_plan, parse_thresholds
from wsload.scenario.script import set_up, tear_down
from wsload.scenario.thresholds import check_message_names
from wsload.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsload.results.thresholds import ThresholdResult

REMEDIES = {
    "--message": r"A literal {{ is written \{{.",
    "--match": "A message such as '{\"id\": {{$id}}}' goes with json:$.id.",
    "--": "Check the file that the flag names, and what it holds.",
}


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run, and where to keep it. `output` None: a name is made up in the current folder.

    `plan` None: the scenario's own; a recording is played by a plan that no scenario describes.
    """

    scenario: Scenario
    output: Path | None = None
    workers: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    watch: WatchRequest = field(default_factory=WatchRequest)
    alarm: AlarmRequest = field(default_factory=AlarmRequest)
    resume: bool = False
    """`output` is the file of an earlier part, and goes on."""
    replace_workers: bool = False
    """Workers that are lost are replaced."""
    file_budget_bytes: int | None = None
    """Stored intervals widen with age to keep the file within it; None: they stay as they are."""
    plan: Plan | None = None
    on: Cluster | None = None
    """The nodes to run on; None: this machine."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run. `file_error` says why there is no complete file."""

    summary: Summary
    exit_code: int
    file_error: str | None


class Listener(Protocol):
    """Somebody who watches a run. Called on the fleet's loop: be quick."""

    def on_start(self, plan: Plan, workers: int) -> None:
        """The run begins."""

    def on_state(self, state: str) -> None:
        """The fleet has come to a state: connecting, running, draining, closing."""

    def on_ramp(self, open_connections: int) -> None:
        """Connections open so far, before the epoch."""

    def on_interval(self, interval: Interval) -> None:
        """An interval is over."""

    def on_note(self, note: Note) -> None:
        """Something a person should know."""

    def on_stop(self, times: int) -> None:
        """A signal asks the run to stop, for the first time or again."""


def execute(request: RunRequest, listener: Listener | None = None, *, heed_signals: bool = True) -> RunResult:
    """Runs a scenario to its end on a loop of its own.

    SIGINT and SIGTERM can be heeded in the main thread only, and are a command's business: who is called by others
    leaves them alone.

    Raises:
        UsageError: it cannot be run as asked; nothing was started.
        RunFileError: its file cannot be created; nothing was started.
        EngineError: no worker could be started.
    """
    with _hooks(request.scenario):
        run = _prepare(request, listener)
        try:
            return uvloop.run(run.play(heed_signals=heed_signals))
        finally:
            run.close()


async def execute_async(request: RunRequest, listener: Listener | None = None) -> RunResult:
    """Runs a scenario on the loop that is running, whatever thread that is in; signals are its caller's business.

    When it is cancelled, workers are ended, and the file holds what was measured until then.

    Raises:
        UsageError, RunFileError, EngineError: as for `execute`.
    """
    with _hooks(request.scenario):
        run = _prepare(request, listener)
        try:
            return await run.play(heed_signals=False)
        finally:
            run.close()


@contextlib.contextmanager
def _hooks(scenario: Scenario) -> "Iterator[None]":
    """What a script wants done when its run is over."""
    try:
        yield
    finally:
        if scenario.program and scenario.program.script:
            tear_down(scenario.program.script.path)


def _set_up(plan: Plan) -> Plan:
    """The plan with the values that a script's setup gives."""
    program = plan.program
    if program is None or program.script is None:
        return plan
    given = set_up(program.script.path, [one.name for one in program.variables])
    variables = tuple(
        one.model_copy(update={"value": given[one.name]}) if one.name in given else one for one in program.variables
    )
    return plan.model_copy(update={"program": program.model_copy(update={"variables": variables})})


def _prepare(request: RunRequest, listener: Listener | None) -> "Run":
    plan = request.plan or build_plan(request.scenario)
    if request.on and (request.resume or request.replace_workers):
        raise UsageError("--on: nodes are not replaced, and their runs not resumed", "Leave --on out, or use `run`.")
    limits.raise_soft_fd_limit()
    here = limits.machine()
    workers = choose_workers(plan, request.workers, here)
    check(plan)
    if known := message_names(plan):
        check_message_names(parse_thresholds(request.scenario.thresholds), known)
        check_message_names([alert.threshold for alert in request.alarm.alerts], known, "--alert")
    if request.on is None:
        capacity.check(plan, workers, here)
        return _part(request, _set_up(plan), workers, listener)
    nodes = join(request.on)
    try:
        workers = nodes.plan_workers(plan, request.workers)
        return _part(request, _set_up(plan), workers, listener, nodes)
    except BaseException:
        nodes.close()
        raise


def _part(
    request: RunRequest, plan: Plan, workers: int, listener: Listener | None, nodes: RayNodes | None = None
) -> "Run":
    """A run with its file, new or gone on with."""
    watch = Watch.of(request.watch)
    before = None
    if request.resume and request.output is not None:
        before = Before.read(request.output)
        header = before.header.model_copy(update={"workers": workers})
        writer = RunFileWriter.reopen(request.output)
    else:
        header = Header.describe(request.scenario, plan, request.labels, workers)
        header = header.model_copy(update={"watched": watch.words()})
        if nodes:
            header = header.model_copy(update={"host": header.host.model_copy(update={"cpus": nodes.cpus})})
        writer = create_file(request.output, plan, request.labels, header)
    writer.write_writer(this_process())
    if request.file_budget_bytes is not None:
        record = request.scenario.record
        writer.widen_with_age(request.file_budget_bytes - (record.limit_bytes if record else 0))
    run = Run(plan, header, writer, listener, watch, Part(request.replace_workers, before, nodes))
    run.sound(request.alarm)
    return run


def choose_workers(plan: Plan, asked: int | None, here: limits.Machine | None = None) -> int:
    """One worker per core unless asked otherwise, more where descriptors demand it; never more than connections.

    Raises:
        UsageError: several workers cannot open one connection at a time.
    """
    alone = {"--serialize-connects": plan.max_opening == 1, "--publishers": plan.publishers is not None}
    for flag, holds in alone.items():
        if holds and asked not in {None, 1}:
            raise UsageError(f"--workers: {flag} takes one worker", "It must see all connections: leave --workers out.")
    if any(alone.values()):
        return 1
    here = here or limits.machine()
    return min(asked or capacity.workers_needed(plan.connections, here), plan.connections)


def check(plan: Plan) -> None:
    """Refuses certificates, keys, templates and matching that cannot be used, before a worker does.

    Raises:
        UsageError: what is wrong with which.
    """
    try:
        _core.check_plan(plan.to_json())
    except ValueError as error:
        what = str(error)
        remedy = next((text for flag, text in REMEDIES.items() if what.startswith(flag)), "Check what it names.")
        raise UsageError(what, remedy) from None


def message_names(plan: Plan) -> set[str]:
    """Names under which exchanges will be recorded; empty where that is not known before."""
    if plan.program is not None:
        return {one.name for one in plan.program.names}
    if isinstance(plan.load, ReplayLoad):
        return set(plan.load.names)
    return {plan.message.name} if plan.message else set()


def create_file(output: Path | None, plan: Plan, labels: dict[str, str], header: Header) -> RunFileWriter:
    """Creates the run file under the name asked for, or under one that is free."""
    if output is not None:
        return RunFileWriter.create(output, header)
    stem = default_stem(plan, labels, header.started_at)
    path, number = Path(f"{stem}.wsload"), 1
    while path.exists():
        number += 1
        path = Path(f"{stem}-{number}.wsload")
    return RunFileWriter.create(path, header)


def default_stem(plan: Plan, labels: dict[str, str], started_at: datetime) -> str:
    """`echo-20261123-101502`: the label `name`, else the first part of the path, else the host."""
    path = plan.target.resource.partition("?")[0].strip("/").partition("/")[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", labels.get("name") or path or plan.target.host).strip("-.")
    return f"{name[:60] or 'run'}-{started_at.astimezone():%Y%m%d-%H%M%S}"


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a run it is, and whether it outlives its workers."""

    replace_workers: bool = False
    before: Before | None = None
    nodes: RayNodes | None = None
    """Where its workers are; None: here."""


FIRST = Part()


class Run:
    """The fleet's sink: everything that is measured goes to the file, the summary and the listener, in that order."""

    def __init__(
        self,
        plan: Plan,
        header: Header,
        writer: RunFileWriter,
        listener: Listener | None,
        watch: Watch,
        part: Part = FIRST,
    ) -> None:
        before = part.before
        self._manner = FleetManner(part.replace_workers, again=before is not None)
        self._nodes = part.nodes
        self._plan = plan
        self._header = header
        self._workers = header.workers
        self._path = writer.path
        self._keeper = Keeper(writer, self._on_recording)
        self._listener = listener
        self._before = before
        self._placing = None if before is None else Placing(before)
        self._fold = Fold(header) if before is None else before.fold
        self._cpus = header.host.cpus
        self._signals: list[signal.Signals] = []
        self._broken: ThresholdResult | None = None
        """The threshold that ended the run early."""
        self._fleet: Fleet | None = None
        self._last_end_ns = 0
        self._state = ""
        self._steal = limits.Steal()
        self._watcher = Watcher(watch, lambda: self._fleet.pids if self._fleet else ())
        self._surroundings = Surroundings()
        self._alarm: Alarm | None = None

    def sound(self, asked: AlarmRequest) -> None:
        """Says what is to hold all the time, and what to do when it does not."""
        header = self._header
        facts = {"target": header.target, "labels": header.labels, "file": str(self._path.absolute())}

        def report(kind: str, text: str) -> None:
            self._take_note(Note(self._last_end_ns, kind, text))

        self._alarm = Alarm(asked, facts, report, aside_names(self._plan))

    async def play(self, *, heed_signals: bool) -> RunResult:
        """Runs the fleet; of signals that are heeded the first stops it, the second ends it at once.

        Raises:
            EngineError: no worker could be started; the file says so.
        """
        count = len(self._nodes.nodes) if self._nodes else self._workers
        self._fleet = Fleet(self._plan, count, self, self._manner, self._nodes)
        if heed_signals:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._on_signal, number)
        if self._listener:
            self._listener.on_start(self._plan, self._workers)
        scraping = asyncio.create_task(self._watcher.scrape())
        try:
            await self._fleet.run()
        except EngineError as error:
            reason = error.what
            self._keeper.finish("failed", reason)
            raise
        except asyncio.CancelledError:
            self._keeper.finish("interrupted", "cancelled")
            raise
        finally:
            scraping.cancel()
            if self._alarm:
                await self._alarm.close()
        # Still on the loop: a signal that comes now must not tear the file.
        return self._result()

    def close(self) -> None:
        """Lets go of the file and of other machines."""
        self._keeper.close()
        if self._nodes:
            self._nodes.close()

    def on_epoch(self, monotonic_ns: int, unix_ns: int) -> None:
        """Stores the epoch; that of the first part is that of all."""
        if self._before is None or self._placing is None:
            self._keeper.epoch(monotonic_ns, unix_ns)
            return
        self._placing.on_epoch(unix_ns)
        gap_ns = max(unix_ns - self._before.epoch_unix_ns - self._before.end_ns, 0)
        text = f"nothing was measured for {format_duration(gap_ns)} ({self._before.ended}); the run goes on"
        self._take_note(Note(self._before.end_ns, "gap", text))

    def on_state(self, state: str) -> None:
        """Passes the state on."""
        self._state = state
        if self._listener:
            self._listener.on_state(state)

    def on_ramp(self, open_connections: int) -> None:
        """Passes the ramp's progress on."""
        if self._listener:
            self._listener.on_ramp(open_connections)

    def on_interval(self, interval: Interval) -> None:
        """Keeps an interval."""
        if self._placing:
            interval = self._placing.place(interval)
        gauges, counters = self._watcher.take()
        gauges = interval.gauges | gauges | {"stolen_ns": self._steal.take()}
        counters = interval.counters | counters
        # As a file has them: by name.
        interval = replace(interval, gauges=dict(sorted(gauges.items())), counters=dict(sorted(counters.items())))
        interval = replace(interval, suspicions=judge_interval(interval, self._plan, self._cpus))
        self._last_end_ns = interval.end_ns
        self._keeper.interval(interval)
        self._fold.add(interval)
        if self._listener:
            self._listener.on_interval(interval)
        self._heed_thresholds(interval)
        if self._alarm:
            self._alarm.hear(interval)
        for kind, text in (*self._watcher.take_notes(), *self._surroundings.hear(interval)):
            self._take_note(Note(interval.end_ns, kind, text))

    def on_note(self, note: Note) -> None:
        """Keeps a note of the fleet's."""
        self._take_note(replace(note, at_ns=self._placing.at_ns(note.at_ns)) if self._placing else note)

    def _take_note(self, note: Note) -> None:
        self._keeper.note(note)
        self._fold.note(note)
        if self._listener:
            self._listener.on_note(note)

    def _on_recording(self, note: Note) -> None:
        """What became of the file; the keeper stores it."""
        self._fold.note(note)
        if self._listener:
            self._listener.on_note(note)

    def _result(self) -> RunResult:
        outcome, reason = self._outcome()
        self._keeper.finish(outcome, reason)
        kept = self._path if self._keeper.error is None else None
        summary = self._fold.summary(outcome, reason, kept)
        return RunResult(summary, self._exit_code(summary), self._keeper.error)

    def _heed_thresholds(self, interval: Interval) -> None:
        """Stops the run, once, when a threshold that may end it does not hold; not when it is ending anyway."""
        if self._signals or self._broken or self._state != "running" or not interval.gauges.get("running_ns"):
            return
        self._broken = self._fold.broken()
        if self._broken and self._fleet:
            if self._listener:
                self._listener.on_stop(1)
            self._fleet.stop()

    def _on_signal(self, number: signal.Signals) -> None:
        self._signals.append(number)
        times = len(self._signals) + bool(self._broken)
        if self._listener:
            self._listener.on_stop(times)
        if self._fleet:
            if times == 1:
                self._fleet.stop()
            else:
                self._fleet.abort()

    def _outcome(self) -> tuple[Outcome, str]:
        if self._signals:
            return "interrupted", f"stopped by {self._signals[0].name}"
        if self._fleet is None or self._fleet.lost_all:
            return "failed", "every worker was lost"
        if self._broken:
            return "interrupted", f"stopped by the threshold '{self._broken.text}'"
        return "completed", ""

    def _exit_code(self, summary: Summary) -> int:
        if self._signals:
            return ExitCode.INTERRUPTED if self._signals[0] == signal.SIGINT else ExitCode.TERMINATED
        if self._fleet is None or self._fleet.lost_all or not self._fold.has_result():
            return ExitCode.FAILED
        if not all(threshold.passed for threshold in summary.thresholds):
            return ExitCode.THRESHOLDS
        return ExitCode.OK
