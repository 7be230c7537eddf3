"""The first pass over a file's steps: which variables they set, and how long these live."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wsload.scenario.source.file import Behaviour, Captures, StepSpec
from wsload.scenario.source.names import Lives, Names
from wsload.scenario.source.tree import Place

Where = Literal["iterate", "on_open", "aside"]
_LIVES: dict[Where, Lives] = {"iterate": "iteration", "on_open": "connection", "aside": "connection"}


@dataclass(frozen=True, slots=True)
class Declarer:
    """Tells `names` what steps set."""

    names: Names

    def declare(self, users: Iterable[tuple[Behaviour, Place]]) -> None:
        """All that the users' steps and rules set."""
        for user, place in users:
            self._steps(user.iterate, "iterate", (*place, "iterate"))
            self._steps(user.on_open, "on_open", (*place, "on_open"))
            for at, rule in enumerate(user.on_message):
                self._captures(rule.capture, "aside", (*place, "on_message", at, "capture"))
                self._sets(rule.assign, "aside", (*place, "on_message", at, "set"))
            for at, every in enumerate(user.every):
                self._sets(every.assign, "aside", (*place, "every", at, "set"))

    def _steps(self, steps: Sequence[StepSpec], where: Where, place: Place) -> None:
        for at, step in enumerate(steps):
            here = (*place, at)
            for key, expect in (("expect", step.expect), ("wait_for", step.wait_for)):
                if expect:
                    self._captures(expect.capture, where, (*here, key, "capture"))
            self._sets(step.assign, where, (*here, "set"))
            if step.for_each:
                self.names.declare(step.for_each.variable, _LIVES[where], (*here, "for_each", "variable"))
            for inner, its_place in _inner(step, here):
                self._steps(inner, where, its_place)

    def _captures(self, captures: Captures, where: Where, place: Place) -> None:
        for name, spec in captures.items():
            self.names.declare(name, "slot" if spec.sticky else _LIVES[where], (*place, name))

    def _sets(self, assign: dict[str, str] | None, where: Where, place: Place) -> None:
        for name in assign or ():
            self.names.declare(name, _LIVES[where], (*place, name))


def _inner(step: StepSpec, place: Place) -> Iterator[tuple[Sequence[StepSpec], Place]]:
    """Steps inside a step."""
    if step.repeat:
        yield step.repeat.steps, (*place, "repeat", "steps")
    if step.for_each:
        yield step.for_each.steps, (*place, "for_each", "steps")
    if step.branch:
        yield step.branch.then, (*place, "if", "then")
        yield step.branch.otherwise, (*place, "if", "else")
