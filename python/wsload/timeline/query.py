"""Which events of a file are wanted: criteria to SQL."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wsload import _core
from wsload.errors import UsageError
from wsload.results import Event, RunFile

KINDS = ("connect", "open", "text", "binary", "ping", "pong", "close", "failed", "end", "step")
ORDER = "at_ns, connection, attempt, seq"
_TESTS = {"==": "eq", "!=": "ne", "<=": "le", ">=": "ge", "<": "lt", ">": "gt"}
"""What an operator is called in a scenario's conditions."""
Clause = tuple[str, list[object]]
"""A condition and its parameters."""
_SINGULAR = re.compile(r"\$(?:\.\w+|\[\d+\]|\['[^'\\]*'\]|\[\"[^\"\\]*\"\])*")
_STRINGS_AND_FILTERS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\[\?.*\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JsonTest:
    """What a JSON text must hold: a query alone, or one of the values it finds in relation to another."""

    condition: _core.Condition
    parts: tuple[str, ...] = ()
    """What any text that fits holds, unless it writes it with escapes."""


@dataclass(frozen=True, slots=True)
class Query:
    """Criteria that all must hold; nothing given is no criterion."""

    connections: tuple[tuple[int, int | None], ...] = ()
    """Slots, with the number of the attempt where one is meant."""
    direction: str | None = None
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    contains: tuple[bytes, ...] = ()
    patterns: tuple[_core.Condition, ...] = ()
    json_tests: tuple[JsonTest, ...] = ()
    failed: bool = False
    slow_ns: int | None = None
    between: tuple[int, int] | None = None
    """Numbers of two events: what happened from one to the other."""

    @property
    def is_of_whole_connections(self) -> bool:
        """Whether nothing but connections is chosen, so that what is missing between two events was not kept."""
        chosen = Query(connections=self.connections, failed=self.failed)
        return (bool(self.connections) or self.failed) and self == chosen

    def run(self, run: RunFile, *, after: int | None = None, limit: int = -1) -> Iterator[tuple[int, Event]]:
        """The events in order of time; with `after` only those with a greater number.

        Raises:
            UsageError: there is no event of a number named.
        """
        where, parameters = self._condition(run)
        if after is not None:
            where = f"id > {int(after)} AND {where}"
        yield from run.events(where, parameters, order=ORDER, limit=limit)

    def _condition(self, run: RunFile) -> tuple[str, list[object]]:
        clauses = [*self._by_place(), *self._by_time(run), *self._by_payload(run)]
        parameters = [value for _, values in clauses for value in values]
        return " AND ".join(clause for clause, _ in clauses) or "1", parameters

    def _by_place(self) -> Iterator[Clause]:
        if self.connections:
            one = "(connection = ? AND attempt = coalesce(?, attempt))"
            yield f"({' OR '.join([one] * len(self.connections))})", [n for pair in self.connections for n in pair]
        if self.direction:
            yield "direction = ?", [self.direction]
        for column, values in (("kind", self.kinds), ("name", self.names)):
            if values:
                yield f"{column} IN ({', '.join('?' * len(values))})", list(values)
        if self.failed:
            yield "(connection, attempt) IN (SELECT connection, attempt FROM events WHERE failure IS NOT NULL)", []

    def _by_time(self, run: RunFile) -> Iterator[Clause]:
        if self.between:
            ends = [event.at_ns for _, event in run.events("id IN (?, ?)", self.between)]
            if len(ends) < len(set(self.between)):
                what = f"--between: the file has no event {self.between[0]} or {self.between[1]}"
                raise UsageError(what, "The first column of the list has their numbers.")
            yield "at_ns BETWEEN ? AND ?", [min(ends), max(ends)]
        for condition, bound_ns in (
            ("at_ns >= ?", self.from_ns),
            ("at_ns < ?", self.to_ns),
            ("latency_ns >= ?", self.slow_ns),
        ):
            if bound_ns is not None:
                yield condition, [bound_ns]

    def _by_payload(self, run: RunFile) -> Iterator[Clause]:
        for text in self.contains:
            yield "instr(payload, ?)", [text]
        for number, pattern in enumerate(self.patterns):
            run.add_function(f"matches_{number}", pattern.holds)
            yield f"matches_{number}(payload)", []
        for number, test in enumerate(self.json_tests):
            run.add_function(f"json_{number}", test.condition.holds)
            # What must stand in the text, as it is or with escapes, is found faster than anything is parsed.
            for part in test.parts:
                yield "(instr(payload, ?) OR instr(payload, x'5c'))", [part.encode()]
            yield f"kind IN ('text', 'binary') AND json_{number}(payload)", []


def compiled(text: str, flag: str = "--regex") -> _core.Condition:
    """A regular expression over payloads, in the dialect of scenarios.

    Raises:
        UsageError: it is none.
    """
    try:
        return _core.Condition(json.dumps({"regex": text}))
    except ValueError as error:
        why = str(error).splitlines()[-1].removeprefix("error: ")
        remedy = "Write a regular expression, such as 'id=[0-9]+'; there are no back-references and no look-around."
        raise UsageError(f"{flag}: {text!r}: {why}", remedy) from None


def parse_json_test(text: str) -> JsonTest:
    """`$.type == "error"`, `$.price > 100`, or `$.error` for what exists.

    Raises:
        UsageError: it is none.
    """
    # Operators inside strings and filters of the query are not ours.
    blanked = _STRINGS_AND_FILTERS.sub(lambda match: "_" * len(match[0]), text)
    found = re.search("==|!=|<=|>=|<|>", blanked)
    query = (text[: found.start()] if found else text).strip()
    try:
        _core.JsonPath(query)
    except ValueError as error:
        raise UsageError(f"--json: {error}", "Write a JSONPath (RFC 9535), such as $.items[0].id.") from None
    test: object = "exists"
    parts = tuple(re.findall(r"\.(\w+)", query)) if _SINGULAR.fullmatch(query) else ()
    if found is not None:
        value = _value(text[found.end() :].strip(), found[0])
        test = {_TESTS[found[0]]: value.replace("{{", "\\{{") if isinstance(value, str) else value}
        if found[0] == "==" and isinstance(value, str):
            parts += (value,)
    condition = _core.Condition(json.dumps({"json": {"path": query, "test": test}}))
    return JsonTest(condition, tuple(part for part in parts if _is_plain(part)))


def _value(text: str, operator: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        remedy = "Write a JSON value: --json '$.type == \"error\"', --json '$.count > 3'."
        raise UsageError(f"--json: {text!r} is no JSON value", remedy) from None
    if operator not in {"==", "!="} and (isinstance(value, bool) or not isinstance(value, int | float)):
        remedy = "Strings are compared inside a path: --json '$[?@ > \"2026-01-01\"]'."
        raise UsageError(f"--json: {operator} compares numbers, and {text} is none", remedy)
    return value


def _is_plain(text: str) -> bool:
    """Whether JSON writes it as it is."""
    return json.dumps(text, ensure_ascii=False)[1:-1] == text
