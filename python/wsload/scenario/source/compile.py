"""From a file's steps to a program. The first pass declares what steps set, the second compiles."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wsload.errors import UsageError
from wsload.scenario.model import MAX_MESSAGE_BYTES
from wsload.scenario.origin import FileUsed
from wsload.scenario.parts import JsonKey, KeyPair, KeySpec, RegexKey
from wsload.scenario.program import (
    ByteRange,
    BytesCapture,
    Capture,
    CloseStep,
    Condition,
    ContainsCondition,
    ContainsTest,
    Data,
    EqTest,
    EqualsCondition,
    Every,
    Expect,
    ExpectStep,
    ForEachStep,
    GeTest,
    GtTest,
    IfStep,
    JsonCapture,
    JsonCondition,
    JsonTest,
    LeTest,
    LtTest,
    MatchesTest,
    Name,
    NeTest,
    NotCondition,
    Outgoing,
    PingStep,
    PrefixCondition,
    Program,
    ReconnectStep,
    RegexCapture,
    RegexCondition,
    RepeatStep,
    Reply,
    Rule,
    SchemaCondition,
    SendStep,
    SetStep,
    SizeCondition,
    SizeRange,
    Step,
    Test,
    ThinkStep,
    TypeCondition,
    User,
    WaitForStep,
)
from wsload.scenario.source import refuse
from wsload.scenario.source.file import (
    AsideSpec,
    Behaviour,
    Captures,
    CloseSpec,
    Conditions,
    DataSpec,
    ExpectSpec,
    IfSpec,
    MatchSpec,
    MessageSpec,
    ReplySpec,
    ScenarioFile,
    StepSpec,
    UserSpec,
)
from wsload.scenario.source.inputs import read_bytes
from wsload.scenario.source.names import Lives, Names
from wsload.scenario.source.problems import Problems, nearest
from wsload.scenario.source.tree import Place
from wsload.scenario.wire import check_close

MAX_NAMES = 100
MAX_STEPS = 10_000
MAX_TIMES = 1_000_000_000
FIRST_NAME = "message"
_PAYLOADS = {
    "text": "text",
    "json_value": "json",
    "xml": "xml",
    "html": "html",
    "hex": "hex",
    "base64": "base64",
    "file": "file",
}
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
_TESTS = ("eq", "ne", "lt", "le", "gt", "ge", "contains", "matches", "exists")
_NAMING_KEYS = ("type", "op", "action", "event", "method", "cmd")
Where = Literal["iterate", "on_open", "aside"]
_LIVES: dict[Where, Lives] = {"iterate": "iteration", "on_open": "connection", "aside": "connection"}


@dataclass(slots=True)
class Compiler:
    """Compiles one file; mistakes go to `problems`."""

    file: ScenarioFile
    names: Names
    problems: Problems
    folder: Path
    reply_timeout_ns: int
    files: list[FileUsed] = field(default_factory=list)
    """Files whose content messages are."""
    _exchanges: dict[str, bool] = field(default_factory=dict)
    _messages: dict[tuple[Place, Where], int] = field(default_factory=dict)
    _outgoing: list[tuple[str, Outgoing]] = field(default_factory=list)
    _steps: int = 0

    def users(self) -> list[tuple[Behaviour, Place]]:
        """Kinds of users; the file itself is one unless it lists them."""
        if not self.file.users:
            return [(self.file, ())]
        return [(user, ("users", at)) for at, user in enumerate(self.file.users)]

    def declare(self) -> None:
        """Tells `names` what steps set."""
        for user, place in self.users():
            self._declare_steps(user.iterate, "iterate", (*place, "iterate"))
            self._declare_steps(user.on_open, "on_open", (*place, "on_open"))
            for at, rule in enumerate(user.on_message):
                self._declare_captures(rule.capture, "aside", (*place, "on_message", at, "capture"))
                self._declare_sets(rule.assign, "aside", (*place, "on_message", at, "set"))
            for at, every in enumerate(user.every):
                self._declare_sets(every.assign, "aside", (*place, "every", at, "set"))

    def compile(self) -> Program:
        """The program; `handshake_template` is the caller's to set."""
        users = []
        named: set[str] = set()
        if self.file.users:
            for key in ("iterate", "on_open", "on_message", "every"):
                if getattr(self.file, key):
                    self.problems.add((key,), "users: is given as well", "Move it into one of the users.", at_key=True)
        for user, place in self.users():
            users.append(self._user(user, place))
            if users[-1].name in named:
                self.problems.add((*place, "name"), f"two users are called {users[-1].name!r}", "Give each its own.")
            named.add(users[-1].name)
        if sum(user.weight for user in users) == 0:
            self.problems.add(("users",), "no user has a weight above 0", "Give one 'weight: 1'.")
        if not any(user.on_open or user.iterate or user.on_message or user.every for user, _ in self.users()):
            self.problems.add((), "nothing is done", "Add 'iterate:' with steps, such as '- send: {text: hello}'.")
        if len(self._exchanges) > MAX_NAMES:
            what = f"{len(self._exchanges)} names of messages"
            self.problems.add((), what, f"A run keeps figures for {MAX_NAMES}: give several messages one 'name:'.")
        places = list(self._exchanges)
        messages = tuple(one.model_copy(update={"name": places.index(name)}) for name, one in self._outgoing)
        data = self._data(self.file.data)
        return Program(
            names=tuple(Name(name=name, total=total) for name, total in self._exchanges.items()),
            variables=self.names.table(),
            data=data,
            messages=messages,
            users=tuple(users),
        )

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

    # What steps set.

    def _declare_steps(self, steps: Sequence[StepSpec], where: Where, place: Place) -> None:
        for at, step in enumerate(steps):
            here = (*place, at)
            for key, expect in (("expect", step.expect), ("wait_for", step.wait_for)):
                if expect:
                    self._declare_captures(expect.capture, where, (*here, key, "capture"))
            self._declare_sets(step.assign, where, (*here, "set"))
            if step.for_each:
                self.names.declare(step.for_each.variable, _LIVES[where], (*here, "for_each", "variable"))
            for inner, its_place in _inner(step, here):
                self._declare_steps(inner, where, its_place)

    def _declare_captures(self, captures: Captures, where: Where, place: Place) -> None:
        for name, spec in captures.items():
            self.names.declare(name, "slot" if spec.sticky else _LIVES[where], (*place, name))

    def _declare_sets(self, assign: dict[str, str] | None, where: Where, place: Place) -> None:
        for name in assign or ():
            self.names.declare(name, _LIVES[where], (*place, name))

    # Users and steps.

    def _user(self, user: Behaviour, place: Place) -> User:
        named = isinstance(user, UserSpec)
        iterate = self._compile_steps(user.iterate, "iterate", (*place, "iterate"))
        rules = tuple(
            Rule(
                when=self._conditions(rule.when, (*place, "on_message", at, "when")),
                captures=self._captures(rule.capture, (*place, "on_message", at, "capture")),
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
            on_error=user.on_error,
        )

    def _aside(self, spec: AsideSpec, place: Place) -> tuple[Step, ...]:
        steps: list[Step] = list(self._sets(spec.assign, (*place, "set")))
        if spec.send is not None:
            steps.append(SendStep(message=self._message(spec.send, "aside", (*place, "send"))))
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
            message = self._message(step.send, where, here)
            yield SendStep(message=message)
            if step.expect is not None:
                reply = 0 <= message < len(self._outgoing) and self._outgoing[message][1].reply
                if reply:
                    what = "the message has a reply: that takes the answer"
                    self.problems.add((*place, "expect"), what, "Drop one of the two.", at_key=True)
                yield ExpectStep(expect=self._expect(step.expect, (*place, "expect")))
        elif step.expect is not None:
            yield ExpectStep(expect=self._expect(step.expect, here))
        elif step.wait_for is not None:
            yield WaitForStep(expect=self._expect(step.wait_for, here))
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
        given = [key for key in _TESTS[:-1] if getattr(spec, key, None) is not None]
        test: Test = "exists"
        if len(given) != 1:
            what = f"{given[1]}: {given[0]} is given as well" if given else "no test"
            self.problems.add(place, what, nearest("", _TESTS[:-1], "It takes one of"))
        else:
            test = self._test(given[0], getattr(spec, given[0]), (*place, given[0]))
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

    # Messages.

    def _message(self, spec: MessageSpec | str, where: Where, place: Place) -> int:
        if isinstance(spec, str):
            saved = self.file.messages.get(spec)
            if saved is None:
                remedy = nearest(spec, self.file.messages, "Saved:") if self.file.messages else ""
                remedy = remedy or "Write {text: …} for a message of its own, or save one under 'messages:'."
                self.problems.add(place, f"no message is called {spec!r}", remedy)
                return 0
            return self._saved(saved, spec, where, ("messages", spec))
        return self._saved(spec, "", where, place)

    def _saved(self, spec: MessageSpec, saved_as: str, where: Where, place: Place) -> int:
        if known := self._messages.get((place, where)):
            return known - 1
        before = self.problems.count
        kind, payload, template = self._payload(spec, place)
        name = spec.name or saved_as or self._made_up_name(spec, where)
        if not name.isprintable() or len(name) > MAX_NAMES or set(name) & set("[]"):
            what = f"{name!r} is no name of messages"
            self.problems.add((*place, "name"), what, "It takes up to 100 printable characters, no brackets.")
        reply = self._reply(spec.reply, place) if spec.reply is not None else None
        if where == "aside":
            if reply and not saved_as:
                self.problems.add((*place, "reply"), "beside the steps nothing is awaited", "Drop it.", at_key=True)
            reply = None
        self._exchanges[name] = self._exchanges.get(name, False) or where == "iterate"
        self._outgoing.append((name, Outgoing(name=0, kind=kind, payload=payload, template=template, reply=reply)))
        self._messages[(place, where)] = len(self._outgoing)
        if template and self.problems.count == before and (found := refuse.template(payload, self.names.table())):
            self.problems.add(place, found, "See docs/scenarios.md for what placeholders take.")
        return len(self._outgoing) - 1

    def _made_up_name(self, spec: MessageSpec, where: Where) -> str:
        """`message` for the first of the iterations, else what the message calls itself."""
        base = FIRST_NAME
        first = where == "iterate" and FIRST_NAME not in self._exchanges
        if not first and isinstance(spec.json_value, dict):
            words = (spec.json_value.get(key) for key in _NAMING_KEYS)
            base = next((word for word in words if isinstance(word, str) and word.isidentifier()), FIRST_NAME)
        name, number = base, 1
        while name in self._exchanges or name in self.file.messages:
            number += 1
            name = f"{base} {number}"
        return name

    def _payload(self, spec: MessageSpec, place: Place) -> tuple[Literal["text", "binary"], bytes, bool]:
        given = [(name, key) for name, key in _PAYLOADS.items() if name in spec.model_fields_set]
        if len(given) != 1:
            what = f"{given[1][1]}: {given[0][1]} is given as well" if given else "it has no payload"
            self.problems.add(place, what, nearest("", _PAYLOADS.values(), "A message has one of"))
            return "text", b"", False
        name, key = given[0]
        here = (*place, key)
        if spec.binary and name != "file":
            self.problems.add((*place, "binary"), f"it belongs to file, not to {key}", "Drop it.", at_key=True)
        value = getattr(spec, name)
        if value is None and name != "json_value":
            self.problems.add(here, "takes text, not nothing", "Write '' for an empty message.")
            return "text", b"", False
        if name == "hex":
            return "binary", self._decoded(lambda: bytes.fromhex(value), here, "hexadecimal digits", "'01ff'"), False
        if name == "base64":
            decode = lambda: base64.b64decode(value, validate=True)  # noqa: E731
            return "binary", self._decoded(decode, here, "Base64", "'AQID'"), False
        if name == "file":
            return self._from_file(value, here, binary=spec.binary)
        if name == "json_value":
            text = self.names.json_text(value, here)
            try:
                json.loads(self.names.sample(text))
            except ValueError as error:
                what = f"with the values of {'the first row' if self.names.rows else 'the variables'} it is not JSON"
                self.problems.add(here, f"{what}: {error}", "Leave out |raw where a value is text.")
        else:
            text = self.names.resolve(value, here)
        return "text", text.encode(), "{{" in text

    def _decoded(self, decode: Any, place: Place, what: str, example: str) -> bytes:
        try:
            return bytes(decode())
        except (ValueError, binascii.Error):
            self.problems.add(place, f"it is not {what}", f"Write it as {example}.")
            return b""

    def _from_file(self, name: str, place: Place, *, binary: bool) -> tuple[Literal["text", "binary"], bytes, bool]:
        fixed = "a file must be known before the run"
        path = self.folder / self.names.resolve(name, place, fixed=fixed)
        try:
            payload = read_bytes(path, "", MAX_MESSAGE_BYTES)
            if not binary:
                payload.decode()
        except UsageError as error:
            self.problems.add(place, error.what, error.remedy)
            return "text", b"", False
        except UnicodeDecodeError as error:
            what = f"{path} is not UTF-8 text (byte {error.start})"
            self.problems.add(place, what, "Add 'binary: true' to send it as a binary message.")
            return "text", b"", False
        self.files.append(FileUsed(path=str(path), sha256=hashlib.sha256(payload).hexdigest()))
        return ("binary" if binary else "text"), payload, False

    def _reply(self, spec: ReplySpec | str, place: Place) -> Reply | None:
        if spec == "none":
            return None
        if isinstance(spec, str):
            spec = ReplySpec(match="echo" if spec == "echo" else "order")
        within_ns = self.reply_timeout_ns if spec.within is None else spec.within
        if within_ns <= 0:
            self.problems.add((*place, "reply", "within"), "no time at all", "The default is reply_timeout: 10s.")
        if spec.match == "order":
            return Reply(key=None, within_ns=within_ns)
        if spec.match == "echo":
            return Reply(key=KeyPair(sent="echo", received="echo"), within_ns=within_ns)
        return Reply(key=self._keys(spec.match, (*place, "reply", "match")), within_ns=within_ns)

    def _keys(self, match: MatchSpec | str, place: Place) -> KeyPair | None:
        assert isinstance(match, MatchSpec)  # noqa: S101 - the words are the caller's
        given = sorted(match.model_fields_set)
        if given == ["received", "sent"]:
            sent, received = (
                self._path(text, (*place, key)) for key, text in (("sent", match.sent), ("received", match.received))
            )
            return KeyPair(sent=JsonKey(path=sent), received=JsonKey(path=received))
        if given == ["json_path"]:
            path = self._path(match.json_path, (*place, "json"))
            key: KeySpec = JsonKey(path=path)
        elif given == ["regex"]:
            if found := refuse.condition(RegexCondition(regex=match.regex or "")):
                self.problems.add((*place, "regex"), found, "Write it as Rust's regex crate takes it.")
            key = RegexKey(expression=match.regex or "")
        else:
            remedy = "Write {json: $.id}, {sent: $.id, received: $.re} or {regex: 'id=([0-9]+)'}."
            self.problems.add(place, "it names no key, or more than one", remedy)
            return None
        return KeyPair(sent=key, received=key)

    def _path(self, text: str | None, place: Place) -> str:
        if found := refuse.json_path(text or ""):
            self.problems.add(place, found, "Write a JSONPath (RFC 9535), such as $.id or $.items[0].name.")
        return text or ""

    # Conditions and captures.

    def _expect(self, spec: ExpectSpec, place: Place) -> Expect:
        conditions = self._conditions(spec, place)
        within_ns = self.reply_timeout_ns if spec.within is None else spec.within
        add = self.problems.add
        if within_ns <= 0:
            add((*place, "within"), "no time at all", "The default is reply_timeout: 10s.")
        if not 1 <= spec.count <= 0xFFFF_FFFF:
            add((*place, "count"), f"{spec.count} messages", "It takes at least 1; for none write 'nothing: true'.")
        if spec.nothing and (spec.capture or spec.count != 1):
            add((*place, "nothing"), "there is no message to count or capture from", "Drop it.", at_key=True)
        return Expect(
            conditions=conditions,
            within_ns=within_ns,
            captures=self._captures(spec.capture, (*place, "capture")),
            count=min(max(spec.count, 1), 0xFFFF_FFFF),
            nothing=spec.nothing,
        )

    def _conditions(self, spec: Conditions, place: Place) -> tuple[Condition, ...]:  # noqa: C901 - one case each
        found: list[Condition] = []
        if spec.type:
            found.append(TypeCondition(type=spec.type))
        if spec.equals is not None:
            found.append(EqualsCondition(equals=self.names.resolve(spec.equals, (*place, "equals"))))
        if spec.contains is not None:
            found.append(ContainsCondition(contains=self.names.resolve(spec.contains, (*place, "contains"))))
        if spec.regex is not None:
            fixed = "an expression must be known before the run"
            condition = RegexCondition(regex=self.names.resolve(spec.regex, (*place, "regex"), fixed=fixed))
            self._refused(condition, (*place, "regex"), "Write it as Rust's regex crate takes it.")
            found.append(condition)
        if spec.prefix is not None:
            found.append(PrefixCondition(prefix=self._prefix(spec, (*place, "prefix"))))
        for path, value in (spec.json_tests or {}).items():
            found.extend(self._json(path, value, (*place, "json", path)))
        if spec.by_schema is not None:
            schema = SchemaCondition(by_schema=spec.by_schema)
            self._refused(schema, (*place, "schema"), "See json-schema.org for what it may hold.")
            found.append(schema)
        if spec.size is not None:
            if spec.size.min > spec.size.max:
                self.problems.add((*place, "size"), "min is above max", "Swap the two.")
            found.append(SizeCondition(size=SizeRange(min=spec.size.min, max=spec.size.max)))
        if spec.negated is not None:
            inner = self._conditions(spec.negated, (*place, "not"))
            if len(inner) != 1:
                what = "it takes one condition"
                self.problems.add((*place, "not"), what, "Write 'not:' with one key, such as {contains: error}.")
            found.extend(NotCondition(negated=one) for one in inner[:1])
        return tuple(found)

    def _refused(self, condition: Condition, place: Place, remedy: str) -> None:
        if found := refuse.condition(condition):
            self.problems.add(place, found, remedy)

    def _prefix(self, spec: Conditions, place: Place) -> bytes:
        prefix = spec.prefix
        if prefix is None or (prefix.hex is None) == (prefix.text is None):
            self.problems.add(place, "it takes hex or text", "Write {hex: '0b01'} or the text itself.")
            return b""
        if prefix.text is not None:
            fixed = "a prefix must be known before the run"
            return self.names.resolve(prefix.text, place, fixed=fixed).encode()
        digits = prefix.hex or ""
        return self._decoded(lambda: bytes.fromhex(digits), (*place, "hex"), "hexadecimal digits", "'01ff'")

    def _json(self, path: str, value: Any, place: Place) -> Iterator[Condition]:
        if found := refuse.json_path(path):
            self.problems.add(place, found, "Write a JSONPath (RFC 9535), such as $.id.", at_key=True)
            return
        if not isinstance(value, dict) or not value:
            yield self._compared(path, "eq", value, place)
            return
        for key, bound in value.items():
            if key not in _TESTS:
                remedy = f"{nearest(key, _TESTS)} To compare with an object write {{eq: {{…}}}}."
                self.problems.add((*place, key), "no such test", remedy, at_key=True)
            elif key == "exists":
                if not isinstance(bound, bool):
                    self.problems.add((*place, key), "takes true or false", "Write {exists: true}.")
                there = JsonCondition(test_of=JsonTest(path=path, test="exists"))
                yield there if bound else NotCondition(negated=there)
            else:
                yield self._compared(path, key, bound, (*place, key))

    def _compared(self, path: str, key: str, value: Any, place: Place) -> Condition:
        condition = JsonCondition(test_of=JsonTest(path=path, test=self._test(key, value, place)))
        if key == "matches":
            self._refused(condition, place, "Write it as Rust's regex crate takes it.")
        return condition

    def _test(self, key: str, value: Any, place: Place) -> Test:  # noqa: PLR0911 - one case each
        match key:
            case "eq" | "ne":
                wanted = self.names.resolve(value, place) if isinstance(value, str) else value
                return EqTest(eq=wanted) if key == "eq" else NeTest(ne=wanted)
            case "contains" | "matches":
                if not isinstance(value, str):
                    self.problems.add(place, "takes text", "Put it in quotes.")
                    value = ""
                if key == "contains":
                    return ContainsTest(contains=self.names.resolve(value, place))
                fixed = "an expression must be known before the run"
                return MatchesTest(matches=self.names.resolve(value, place, fixed=fixed))
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.problems.add(place, "takes a number", f"Write {{{key}: 3}}.")
            value = 0
        bound = float(value)
        match key:
            case "lt":
                return LtTest(lt=bound)
            case "le":
                return LeTest(le=bound)
            case "gt":
                return GtTest(gt=bound)
        return GeTest(ge=bound)

    def _captures(self, captures: Captures, place: Place) -> tuple[Capture, ...]:
        found = []
        for name, spec in captures.items():
            here = (*place, name)
            given = sorted(spec.model_fields_set - {"sticky"})
            source: JsonCapture | RegexCapture | BytesCapture
            if given == ["json_path"]:
                source = JsonCapture(query=self._path(spec.json_path, here))
            elif given == ["regex"]:
                if refused := refuse.condition(RegexCondition(regex=spec.regex or "")):
                    self.problems.add(here, refused, "Write it as Rust's regex crate takes it.")
                source = RegexCapture(regex=spec.regex or "")
            elif given == ["span"] and spec.span:
                start, end = spec.span
                if not 0 <= start < end <= 0xFFFF_FFFF:
                    self.problems.add(here, f"bytes {start} to {end} hold nothing", "Write [first, one past the last].")
                    start, end = 0, 1
                source = BytesCapture(bytes=ByteRange(start=start, end=end))
            else:
                what = "it names no part of a message, or more than one"
                self.problems.add(here, what, "Write $.path, {regex: 'id=([0-9]+)'} or {bytes: [0, 4]}.")
                continue
            found.append(Capture(variable=self.names.variable(name), source=source))
        return tuple(found)


def _inner(step: StepSpec, place: Place) -> Iterator[tuple[Sequence[StepSpec], Place]]:
    """Steps inside a step."""
    if step.repeat:
        yield step.repeat.steps, (*place, "repeat", "steps")
    if step.for_each:
        yield step.for_each.steps, (*place, "for_each", "steps")
    if step.branch:
        yield step.branch.then, (*place, "if", "then")
        yield step.branch.otherwise, (*place, "if", "else")
