"""Which events of a file are wanted: criteria to SQL."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from wsload import _core
from wsload.errors import UsageError
from wsload.results import Event, RunFile

KINDS = ("connect", "open", "text", "binary", "ping", "pong", "close", "failed", "end", "step")
ORDER = "at_ns, connection, attempt, seq"
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: type(one) is type(other) and one == other,
    "!=": lambda one, other: type(one) is not type(other) or one != other,
    "<=": lambda one, other: _ordered(one, other) and one <= other,
    ">=": lambda one, other: _ordered(one, other) and one >= other,
    "<": lambda one, other: _ordered(one, other) and one < other,
    ">": lambda one, other: _ordered(one, other) and one > other,
}
Clause = tuple[str, list[object]]
"""A condition and its parameters."""
_SINGULAR = re.compile(r"\$(?:\.\w+|\[\d+\]|\['[^'\\]*'\]|\[\"[^\"\\]*\"\])*")
_STRINGS_AND_FILTERS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\[\?.*\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JsonTest:
    """What a JSON text must hold: a query alone, or one of the values it finds in relation to another."""

    path: _core.JsonPath
    holds: Callable[[Any], bool] | None = None
    singular: bool = False
    """It finds one value at most: the rest of a text need not be read."""
    parts: tuple[str, ...] = ()
    """What any text that fits holds, unless it writes it with escapes."""

    def fits(self, payload: bytes) -> bool:
        """Whether it does."""
        if self.singular:
            value = self.path.first(payload)
            return value is not None and (self.holds is None or self.holds(_number(_loaded(value))))
        found = self.path.all(payload)
        return bool(found) if self.holds is None else any(self.holds(_number(json.loads(text))) for text in found)


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
    patterns: tuple[re.Pattern[bytes], ...] = ()
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
            run.add_function(f"matches_{number}", partial(_is_found, pattern))
            yield f"matches_{number}(payload)", []
        for number, test in enumerate(self.json_tests):
            run.add_function(f"json_{number}", test.fits)
            # What must stand in the text, as it is or with escapes, is found faster than anything is parsed.
            for part in test.parts:
                yield "(instr(payload, ?) OR instr(payload, x'5c'))", [part.encode()]
            yield f"kind IN ('text', 'binary') AND json_{number}(payload)", []


def compiled(text: str, flag: str = "--regex") -> re.Pattern[bytes]:
    """A regular expression over payloads.

    Raises:
        UsageError: it is none.
    """
    try:
        return re.compile(text.encode())
    except re.error as error:
        raise UsageError(f"{flag}: {text!r}: {error}", "Write a regular expression, such as 'id=[0-9]+'.") from None


def parse_json_test(text: str) -> JsonTest:
    """`$.type == "error"`, `$.price > 100`, or `$.error` for what exists.

    Raises:
        UsageError: it is none.
    """
    # Operators inside strings and filters of the query are not ours.
    blanked = _STRINGS_AND_FILTERS.sub(lambda match: "_" * len(match[0]), text)
    found = re.search("==|!=|<=|>=|<|>", blanked)
    query = text[: found.start()] if found else text
    try:
        path = _core.JsonPath(query.strip())
    except ValueError as error:
        raise UsageError(f"--json: {error}", "Write a JSONPath (RFC 9535), such as $.items[0].id.") from None
    singular = _SINGULAR.fullmatch(query.strip()) is not None
    parts = tuple(re.findall(r"\.(\w+)", query)) if singular else ()
    if found is None:
        return JsonTest(path, singular=singular, parts=parts)
    value_text = text[found.end() :].strip()
    try:
        value = _number(json.loads(value_text))
    except ValueError:
        remedy = "Write a JSON value: --json '$.type == \"error\"', --json '$.count > 3'."
        raise UsageError(f"--json: {value_text!r} is no JSON value", remedy) from None
    operator = _OPERATORS[found[0]]
    if found[0] == "==" and isinstance(value, str):
        parts += (value,)
    return JsonTest(path, lambda one: operator(one, value), singular, tuple(part for part in parts if _is_plain(part)))


def _is_found(pattern: re.Pattern[bytes], payload: bytes) -> bool:
    return pattern.search(payload) is not None


def _is_plain(text: str) -> bool:
    """Whether JSON writes it as it is."""
    return json.dumps(text, ensure_ascii=False)[1:-1] == text


def _loaded(text: bytes) -> Any:
    """The value of a JSON text that stands in what may not be JSON as a whole."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _number(value: Any) -> Any:
    """1 and 1.0 are the same number in JSON."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _ordered(one: Any, other: Any) -> bool:
    return type(one) is type(other) and isinstance(one, float | str)
