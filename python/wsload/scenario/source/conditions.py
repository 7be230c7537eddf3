"""From a file's conditions and captures to those of a program."""

import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wsload.scenario.program import (
    ByteRange,
    BytesCapture,
    Capture,
    Condition,
    ContainsCondition,
    ContainsTest,
    EqTest,
    EqualsCondition,
    Expect,
    GeTest,
    GtTest,
    JsonCapture,
    JsonCondition,
    JsonTest,
    LeTest,
    LtTest,
    MatchesTest,
    NeTest,
    NotCondition,
    OnClose,
    PrefixCondition,
    RegexCapture,
    RegexCondition,
    SchemaCondition,
    SizeCondition,
    SizeRange,
    Test,
    TypeCondition,
)
from wsload.scenario.source import refuse
from wsload.scenario.source.file import Captures, Conditions, ExpectSpec, OnCloseSpec
from wsload.scenario.source.names import Names
from wsload.scenario.source.problems import Problems, nearest
from wsload.scenario.source.tree import Place

TESTS = ("eq", "ne", "lt", "le", "gt", "ge", "contains", "matches", "exists")


@dataclass(frozen=True, slots=True)
class ConditionCompiler:
    """Compiles what messages must be, and what is kept of them; mistakes go to `problems`."""

    names: Names
    problems: Problems
    reply_timeout_ns: int

    def expect(self, spec: ExpectSpec, place: Place) -> Expect:
        """What a step waits for."""
        conditions = self.conditions(spec, place)
        within_ns = self.reply_timeout_ns if spec.within is None else spec.within
        add = self.problems.add
        if within_ns <= 0:
            add((*place, "within"), "no time at all", "The default is reply_timeout: 10s.")
        if not 1 <= spec.count <= 0xFFFF_FFFF:
            add((*place, "count"), f"{spec.count} messages", "It takes at least 1; for none write 'nothing: true'.")
        if spec.nothing and (spec.capture or spec.count != 1):
            add((*place, "nothing"), "there is no message to count or capture from", "Drop it.", at_key=True)
        if spec.order is not None:
            checked_path(self.problems, spec.order, (*place, "order"))
            if spec.nothing or spec.count < 2:
                add((*place, "order"), "one message has no order", "Say of how many: 'count: 3'.", at_key=True)
        return Expect(
            conditions=conditions,
            within_ns=within_ns,
            captures=self.captures(spec.capture, (*place, "capture")),
            count=min(max(spec.count, 1), 0xFFFF_FFFF),
            nothing=spec.nothing,
            order=spec.order,
        )

    def conditions(self, spec: Conditions, place: Place) -> tuple[Condition, ...]:  # noqa: C901 - one case each
        """All that is written; none is no mistake here."""
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
            inner = self.conditions(spec.negated, (*place, "not"))
            if len(inner) != 1:
                what = "it takes one condition"
                self.problems.add((*place, "not"), what, "Write 'not:' with one key, such as {contains: error}.")
            found.extend(NotCondition(negated=one) for one in inner[:1])
        return tuple(found)

    def closes(self, rules: Sequence[OnCloseSpec], place: Place) -> tuple[OnClose, ...]:
        """Closes of the server that are as they should be."""
        found = []
        for at, rule in enumerate(rules):
            reason = rule.when.reason
            if reason is not None:
                where = (*place, at, "when", "reason")
                self._refused(RegexCondition(regex=reason), where, "Write it as Rust's regex crate takes it.")
            found.append(OnClose(codes=tuple(rule.when.code), reason=reason, then=rule.then))
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
        return decoded(self.problems, lambda: bytes.fromhex(digits), (*place, "hex"), "hexadecimal digits", "'01ff'")

    def _json(self, path: str, value: Any, place: Place) -> Iterator[Condition]:
        if found := refuse.json_path(path):
            self.problems.add(place, found, "Write a JSONPath (RFC 9535), such as $.id.", at_key=True)
            return
        if not isinstance(value, dict) or not value:
            yield self._compared(path, "eq", value, place)
            return
        for key, bound in value.items():
            if key not in TESTS:
                remedy = f"{nearest(key, TESTS)} To compare with an object write {{eq: {{…}}}}."
                self.problems.add((*place, key), "no such test", remedy, at_key=True)
            elif key == "exists":
                if not isinstance(bound, bool):
                    self.problems.add((*place, key), "takes true or false", "Write {exists: true}.")
                there = JsonCondition(test_of=JsonTest(path=path, test="exists"))
                yield there if bound else NotCondition(negated=there)
            else:
                yield self._compared(path, key, bound, (*place, key))

    def _compared(self, path: str, key: str, value: Any, place: Place) -> Condition:
        condition = JsonCondition(test_of=JsonTest(path=path, test=self.test(key, value, place)))
        if key == "matches":
            self._refused(condition, place, "Write it as Rust's regex crate takes it.")
        return condition

    def test(self, key: str, value: Any, place: Place) -> Test:  # noqa: PLR0911 - one case each
        """One test of a value, by its key."""
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

    def captures(self, captures: Captures, place: Place) -> tuple[Capture, ...]:
        """What is kept, and as which variables."""
        found = []
        for name, spec in captures.items():
            here = (*place, name)
            given = sorted(spec.model_fields_set - {"sticky"})
            source: JsonCapture | RegexCapture | BytesCapture
            if given == ["json_path"]:
                source = JsonCapture(query=checked_path(self.problems, spec.json_path, here))
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


def checked_path(problems: Problems, text: str | None, place: Place) -> str:
    """A JSONPath; a mistake in it goes to `problems`."""
    if found := refuse.json_path(text or ""):
        problems.add(place, found, "Write a JSONPath (RFC 9535), such as $.id or $.items[0].name.")
    return text or ""


def decoded(problems: Problems, decode: Callable[[], bytes], place: Place, what: str, example: str) -> bytes:
    """What `decode` makes of a text that should be `what`; a mistake in it goes to `problems`."""
    try:
        return bytes(decode())
    except (ValueError, binascii.Error):
        problems.add(place, f"it is not {what}", f"Write it as {example}.")
        return b""
