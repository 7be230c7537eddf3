"""What became of one connection of each kind of user: every step, and the messages that went with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from wsload.report.plan import parts_of, words_of
from wsload.report.text import printable, printable_lines, shortened
from wsload.report.timeline import gist
from wsload.results import Event, Summary
from wsload.scenario.program import MarkStep, Program, Step
from wsload.units import format_latency

MAX_SHOWN = 2000
INDENT = 16
"""Of what stands below words: the verdict and the time stand before them."""
_ARROWS = {"sent": "→", "received": "←"}


@dataclass(frozen=True, slots=True)
class Known:
    """A step that a mark stands for: where it stands, and what it says."""

    section: str
    depth: int
    words: str


@dataclass(slots=True)
class _Played:
    """A step that was begun: the events until the next one."""

    number: int
    events: list[Event] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(event.kind == "failed" for event in self.events)


def marked(program: Program) -> tuple[Program, tuple[Known, ...]]:
    """The program with a mark before each step, whose text is the place of the step in what is returned with it."""
    known: list[Known] = []

    def with_marks(steps: Sequence[Step], section: str, depth: int) -> Iterator[Step]:
        for step in steps:
            yield MarkStep(text=str(len(known)))
            known.append(Known(section, depth, words_of(program, step)))
            parts = {name: tuple(with_marks(inner, section, depth + 1)) for name, inner in parts_of(step)}
            yield step.model_copy(update=parts)

    users = [
        user.model_copy(
            update={
                "on_open": tuple(with_marks(user.on_open, "on_open", 1)),
                "iterate": tuple(with_marks(user.iterate, "iterate", 1)),
            }
        )
        for user in program.users
    ]
    return program.model_copy(update={"users": tuple(users)}), tuple(known)


def once_passed(summary: Summary) -> bool:
    """Whether everything was as expected."""
    unanswered = summary.messages.unanswered + (summary.asides.unanswered if summary.asides else 0)
    failed = summary.iterations.failed if summary.iterations else 0
    return bool(summary.connections.opened) and not summary.failures and not unanswered and not failed


def once_text(program: Program, known: Sequence[Known], summary: Summary, events: Sequence[Event]) -> str:
    """The outcome in lines, each safe to print.

    Args:
        program: of which connection n plays user n.
        known: the steps that its marks stand for.
        summary: of the run.
        events: its timeline, all of it.
    """
    lines: list[str] = []
    by_connection = groupby(sorted(events, key=lambda one: (one.connection, one.attempt, one.seq)), _connection)
    for connection, its in by_connection:
        if len(program.users) > 1:
            lines.append(f"{program.users[connection].name}")
        lines += _connection_lines(list(its), known)
    if program.script:
        # It has no steps that could be shown, but exchanges.
        for one in summary.names:
            if one.response_time and one.response_time.count:
                lines.append(_line("pass", f"{one.name}: answered", format_latency(one.response_time.p50)))
    told = "\n".join(gist(event) for event in events if event.kind == "failed")
    for failure in summary.failures:
        example = failure.example.partition(": ")[2]
        if not (failure.detail and failure.detail in told) and not (example and example in told):
            lines.append(_line("FAIL", f"{failure.kind.replace('_', ' ')}: {failure.detail}".removesuffix(": "), ""))
            lines += [f"{' ' * INDENT}{line}" for line in shortened(failure.example, MAX_SHOWN).splitlines()]
    if summary.iterations and summary.iterations.time:
        word = "FAIL" if summary.iterations.failed else "pass"
        lines.append(_line(word, "the iteration", format_latency(summary.iterations.time.p50)))
    return "\n".join(printable_lines(line) for line in lines)


def _connection(event: Event) -> int:
    return event.connection


def _connection_lines(events: list[Event], known: Sequence[Known]) -> Iterator[str]:
    first, steps = _split(events)
    begun = next((event.at_ns for event in first if event.kind == "connect"), 0)
    opened = next((event.at_ns for event in first if event.kind == "open"), None)
    time = "" if opened is None else format_latency(opened - begun)
    yield _line("FAIL" if opened is None else "pass", "connect", time)
    yield from _message_lines(first, 0)
    section = ""
    for place, step in enumerate(steps):
        one = known[step.number]
        if one.section != section:
            section = one.section
            yield f"{' ' * INDENT}{section}"
        spent = _end(step, steps[place + 1 :]) - step.events[0].at_ns
        yield _line("FAIL" if step.failed else "pass", "  " * one.depth + one.words, format_latency(max(spent, 0)))
        yield from _message_lines(step.events, one.depth)
        if step.failed:
            yield from _not_reached(step.number, known)


def _split(events: list[Event]) -> tuple[list[Event], list[_Played]]:
    """What happens before the first step, and the steps, of each its mark first."""
    first: list[Event] = []
    steps: list[_Played] = []
    for event in events:
        if event.kind == "step":
            steps.append(_Played(int(event.payload)))
        (steps[-1].events if steps else first).append(event)
    return first, steps


def _end(step: _Played, after: Sequence[_Played]) -> int:
    """When a step was over: with the last message that it waited for, or when the next began."""
    received = [event.at_ns for event in step.events if event.direction == "received" and event.kind != "close"]
    if received or not after:
        return max(received, default=max(event.at_ns for event in step.events if event.kind not in {"close", "end"}))
    return after[0].events[0].at_ns


def _message_lines(events: Sequence[Event], depth: int) -> Iterator[str]:
    pad = " " * (INDENT + 2 + 2 * depth)
    for event in events:
        if event.kind == "failed":
            yield from (f"{pad}{line}" for line in shortened(gist(event), MAX_SHOWN).splitlines())
        elif event.direction and not (event.kind == "close" and _is_ours(events)):
            what = "" if event.kind in {"text", "binary"} else f"{event.kind} "
            yield f"{pad}{_ARROWS[event.direction]} {what}{shortened(gist(event), MAX_SHOWN)}".rstrip()


def _is_ours(events: Sequence[Event]) -> bool:
    """Whether we closed the connection, as the end of a run does."""
    return next(event.direction for event in events if event.kind == "close") == "sent"


def _not_reached(failed: int, known: Sequence[Known]) -> Iterator[str]:
    """Steps behind the one that ended it all, on its level and around it."""
    depth = known[failed].depth
    for one in known[failed + 1 :]:
        if one.section != known[failed].section:
            return
        depth = min(depth, one.depth)
        if one.depth == depth:
            yield _line("skip", "  " * one.depth + one.words, "")


def _line(word: str, what: str, time: str) -> str:
    return f"{word}  {time:>8}  {printable(what)}"
