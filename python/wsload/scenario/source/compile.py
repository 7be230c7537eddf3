"""From a file's users and their steps to a program."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wsload.errors import UsageError
from wsload.scenario.program import (
    CloseStep,
    Data,
    EqTest,
    Every,
    ExpectStep,
    ForEachStep,
    IfStep,
    NeTest,
    PingStep,
    Program,
    ReconnectStep,
    RepeatStep,
    Rule,
    SendStep,
    SetStep,
    Step,
    Test,
    ThinkStep,
    User,
    WaitForStep,
)
from wsload.scenario.source.conditions import TESTS, ConditionCompiler
from wsload.scenario.source.declare import Declarer, Where
from wsload.scenario.source.file import (
    AsideSpec,
    Behaviour,
    CloseSpec,
    DataSpec,
    IfSpec,
    ScenarioFile,
    StepSpec,
    UserSpec,
)
from wsload.scenario.source.messages import MessageCompiler
from wsload.scenario.source.names import Names
from wsload.scenario.source.problems import Problems, nearest
from wsload.scenario.source.tree import Place
from wsload.scenario.wire import check_close

MAX_STEPS = 10_000
_ACTIONS = {
    "send": "send",
    "expect": "expect",
    "wait_for": "wait_for",
    "think": "think",
    "repeat": "repeat",
    "for_each": "for_each",
    "branch": "if",
    "assign": "set",
    "close": "close",
    "reconnect": "reconnect",
    "ping": "ping",
}


@dataclass(slots=True)
class Compiler:
    """Compiles one file; mistakes go to `problems`."""

    file: ScenarioFile
    names: Names
    problems: Problems
    conditions: ConditionCompiler
    messages: MessageCompiler
    scripted: bool = False
    """A function in Python takes the place of steps."""
    _steps: int = 0

    def compile(self) -> Program:
        """The program; `handshake_template` is the caller's to set."""
        Declarer(self.names).declare(self._users())
        users = []
        named: set[str] = set()
        if self.file.users:
            for key in ("iterate", "on_open", "on_message", "every", "on_close"):
                if getattr(self.file, key):
                    self.problems.add((key,), "users: is given as well", "Move it into one of the users.", at_key=True)
        for user, place in self._users():
            users.append(self._user(user, place))
            if users[-1].name in named:
                self.problems.add((*place, "name"), f"two users are called {users[-1].name!r}", "Give each its own.")
            named.add(users[-1].name)
        if sum(user.weight for user in users) == 0:
            self.problems.add(("users",), "no user has a weight above 0", "Give one 'weight: 1'.")
        does = any(user.on_open or user.iterate or user.on_message or user.every for user, _ in self._users())
        if not (does or self.scripted):
            self.problems.add((), "nothing is done", "Add 'iterate:' with steps, such as '- send: {text: hello}'.")
        names, messages = self.messages.compiled()
        data = self._data(self.file.data)
        return Program(
            names=names,
            variables=self.names.table(),
            data=data,
            messages=messages,
            users=tuple(users),
        )

    def _users(self) -> list[tuple[Behaviour, Place]]:
        """Kinds of users; the file itself is one unless it lists them."""
        if not self.file.users:
            return [(self.file, ())]
        return [(user, ("users", at)) for at, user in enumerate(self.file.users)]

    def _data(self, spec: DataSpec | None) -> Data | None:
        columns, rows = self.names.columns()
        if spec is None or self.names.rows is None:
            return None
        # Rows bound a run even where no value of them is used.
        return Data(
            columns=columns,
            rows=rows or tuple(() for _ in self.names.rows.rows),
            bind=spec.bind,
            order=spec.order,
            exhausted=spec.exhausted,
        )

    def _user(self, user: Behaviour, place: Place) -> User:
        named = isinstance(user, UserSpec)
        iterate = self._compile_steps(user.iterate, "iterate", (*place, "iterate"))
        rules = tuple(
            Rule(
                when=self.conditions.conditions(rule.when, (*place, "on_message", at, "when")),
                captures=self.conditions.captures(rule.capture, (*place, "on_message", at, "capture")),
                steps=self._aside(rule, (*place, "on_message", at)),
                pass_on=rule.pass_on,
            )
            for at, rule in enumerate(user.on_message)
        )
        for at, rule in enumerate(rules):
            if not rule.when:
                here = (*place, "on_message", at, "when")
                self.problems.add(here, "it has no condition", "A rule without one would take every message.")
        every = []
        for at, spec in enumerate(user.every):
            here = (*place, "every", at)
            if spec.period < 1_000_000:
                self.problems.add((*here, "period"), "too short", "It takes at least 1ms.")
            steps = self._aside(spec, here)
            if not steps:
                self.problems.add(here, "nothing is done", "Add 'send:' or 'ping: true'.")
            every.append(Every(period_ns=spec.period, steps=steps))
        return User(
            name=user.name if isinstance(user, UserSpec) else "user",
            weight=user.weight if named and isinstance(user, UserSpec) else 1,
            iterate=iterate,
            on_open=self._compile_steps(user.on_open, "on_open", (*place, "on_open")),
            on_message=rules,
            every=tuple(every),
            on_close=self.conditions.closes(user.on_close, (*place, "on_close")),
            on_error=user.on_error,
        )

    def _aside(self, spec: AsideSpec, place: Place) -> tuple[Step, ...]:
        steps: list[Step] = list(self._sets(spec.assign, (*place, "set")))
        if spec.send is not None:
            steps.append(SendStep(message=self.messages.message(spec.send, "aside", (*place, "send"))))
        if spec.ping:
            steps.append(PingStep())
        if spec.close:
            steps.append(self._close(spec.close, (*place, "close")))
        if spec.reconnect:
            steps.append(ReconnectStep())
        return tuple(steps)

    def _compile_steps(self, steps: Sequence[StepSpec], where: Where, place: Place) -> tuple[Step, ...]:
        found: list[Step] = []
        for at, step in enumerate(steps):
            self._steps += 1
            found.extend(self._step(step, where, (*place, at)))
        if self._steps > MAX_STEPS:
            self.problems.add(place, f"more than {MAX_STEPS:,} steps", "Use repeat or for_each.")
        return tuple(found)

    def _step(self, step: StepSpec, where: Where, place: Place) -> Iterator[Step]:  # noqa: C901, PLR0912 - one case each
        given = [key for name, key in _ACTIONS.items() if getattr(step, name) is not None]
        if not given:
            self.problems.add(place, "a step without anything to do", nearest("", _ACTIONS.values()))
            return
        if len(given) > 1 and given != ["send", "expect"]:
            what = f"{given[1]} and {given[0]} are one step"
            self.problems.add((*place, given[1]), what, f"Begin a step of its own: '- {given[1]}: …'.", at_key=True)
            return
        key = given[0]
        here = (*place, key)
        if step.send is not None:
            message = self.messages.message(step.send, where, here)
            yield SendStep(message=message)
            if step.expect is not None:
                reply = 0 <= message < len(self.messages.outgoing) and self.messages.outgoing[message][1].reply
                if reply:
                    what = "the message has a reply: that takes the answer"
                    self.problems.add((*place, "expect"), what, "Drop one of the two.", at_key=True)
                yield ExpectStep(expect=self.conditions.expect(step.expect, (*place, "expect")))
        elif step.expect is not None:
            yield ExpectStep(expect=self.conditions.expect(step.expect, here))
        elif step.wait_for is not None:
            yield WaitForStep(expect=self.conditions.expect(step.wait_for, here))
        elif step.think is not None:
            yield ThinkStep(law=step.think)
        elif step.repeat is not None:
            if not 1 <= step.repeat.times <= 0xFFFF_FFFF:
                self.problems.add((*here, "times"), f"{step.repeat.times} times", "It takes 1 to 4,294,967,295.")
            inner = self._compile_steps(step.repeat.steps, where, (*here, "steps"))
            yield RepeatStep(times=min(step.repeat.times, 0xFFFF_FFFF), steps=inner)
        elif step.for_each is not None:
            values = tuple(self._value(value, (*here, "values", at)) for at, value in enumerate(step.for_each.values))
            if not values:
                self.problems.add((*here, "values"), "no values", "Write at least one.")
            variable = self.names.variable(step.for_each.variable)
            inner = self._compile_steps(step.for_each.steps, where, (*here, "steps"))
            yield ForEachStep(variable=variable, values=values, steps=inner)
        elif step.branch is not None:
            yield self._branch(step.branch, where, here)
        elif step.close is not None:
            yield self._close(step.close, here)
        else:
            yield from self._sets(step.assign, here)
            if step.reconnect:
                yield ReconnectStep()
            if step.ping:
                yield PingStep()

    def _branch(self, spec: IfSpec, where: Where, place: Place) -> IfStep:
        given = [key for key in TESTS[:-1] if getattr(spec, key, None) is not None]
        test: Test = "exists"
        if len(given) != 1:
            what = f"{given[1]}: {given[0]} is given as well" if given else "no test"
            self.problems.add(place, what, nearest("", TESTS[:-1], "It takes one of"))
        else:
            test = self.conditions.test(given[0], getattr(spec, given[0]), (*place, given[0]))
            if isinstance(test, EqTest | NeTest) and not isinstance(getattr(spec, given[0]), str | int | float):
                self.problems.add((*place, given[0]), "takes text or a number", "The value is a text, too.")
        if not spec.then and not spec.otherwise:
            self.problems.add(place, "nothing is done", "Add 'then:' with steps.")
        return IfStep(
            value=self.names.resolve(spec.value, (*place, "value")),
            test=test,
            then=self._compile_steps(spec.then, where, (*place, "then")),
            otherwise=self._compile_steps(spec.otherwise, where, (*place, "else")),
        )

    def _sets(self, assign: dict[str, str] | None, place: Place) -> Iterator[SetStep]:
        for name, value in (assign or {}).items():
            yield SetStep(variable=self.names.variable(name), value=self.names.resolve(value, (*place, name)))

    def _close(self, spec: CloseSpec, place: Place) -> CloseStep:
        reason = self.names.resolve(spec.reason, place, fixed="a reason must be known before the run")
        try:
            check_close(spec.code, reason)
        except UsageError as error:
            self.problems.add(place, error.what.partition(": ")[2], error.remedy)
        return CloseStep(code=min(spec.code, 4999), reason=reason)

    def _value(self, value: Any, place: Place) -> str:
        return self.names.resolve(value if isinstance(value, str) else json.dumps(value), place)
