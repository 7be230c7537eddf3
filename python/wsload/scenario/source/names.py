"""Variables of a scenario and the templates that use them.

What is known before the run is put into the texts; what depends on the connection stays `{{name}}` and gets a
`Variable`. Secrets always stay one, so that no text of the plan holds them.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from wsload.scenario.program import Variable
from wsload.scenario.source.inputs import Rows
from wsload.scenario.source.problems import Problems, nearest
from wsload.scenario.source.tree import Place

Lives = Literal["iteration", "connection", "slot"]
DYNAMIC = (
    "$id", "$seq", "$conn", "$iteration", "$timestamp", "$isoTimestamp", "$sentNs", "$uuid",
    "$randomInt", "$randomString", "$randomEmail", "$payload", "$pick",
)  # fmt: skip
FILTERS = ("json", "url", "raw")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_PLACEHOLDER = re.compile(r"\\\{\{|\{\{(.*?)\}\}|\{\{", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,9})\]|\['([^']*)'\]")
_MISSING = object()
_RANK: dict[Lives, int] = {"iteration": 0, "connection": 1, "slot": 2}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{{value|filter}}` as written."""

    value: str
    filter: str
    text: str


def pieces(text: str) -> list[str | Placeholder]:
    r"""Literal texts (with `\{{` as it is written) and placeholders; a `{{` without end is a placeholder of ''."""
    found: list[str | Placeholder] = []
    at = 0
    for match in _PLACEHOLDER.finditer(text):
        if match[0] == "\\{{":
            continue
        if match.start() > at:
            found.append(text[at : match.start()])
        inside = match[1] or ""
        value, bar, name = inside.rpartition("|")
        if not bar or ")" in name:
            value, name = inside, ""
        found.append(Placeholder(value.strip(), name.strip(), match[0]))
        at = match.end()
    if at < len(text):
        found.append(text[at:])
    return found


def plain(value: Any) -> str:
    """The text of a value in a template: that of a string, else its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _filtered(text: str, name: str) -> str:
    if name == "json":
        text = json.dumps(text, ensure_ascii=False)[1:-1]
    elif name == "url":
        text = quote(text, safe="-._~")
    return text.replace("{{", "\\{{")


@dataclass(slots=True)
class Names:
    """All variables. Names that steps set are declared before any text is compiled."""

    problems: Problems
    known: dict[str, Any]
    places: dict[str, Place]
    secrets: frozenset[str]
    rows: Rows | None = None
    by_iteration: bool = False
    declared: dict[str, Lives] = field(default_factory=dict)
    _table: dict[str, Variable] = field(default_factory=dict)
    _columns: dict[str, str] = field(default_factory=dict)
    _resolving: list[str] = field(default_factory=list)
    _resolved: dict[str, Any] = field(default_factory=dict)
    _tainted: set[str] = field(default_factory=set)
    _open: bool = False
    _late_only: bool = False

    def declare(self, name: str, lives: Lives, place: Place) -> None:
        """A variable that a step sets."""
        if not NAME.fullmatch(name):
            self.problems.add(place, f"{name!r} is no name of a variable", "It takes letters, digits, _ and -.")
            return
        before = self.declared.get(name)
        if before is None or _RANK[before] < _RANK[lives]:
            self.declared[name] = lives

    def variable(self, name: str) -> int:
        """The place of a variable that steps set."""
        if name not in self._table:
            value = None
            if name in self.known and not self._in_rows(name):
                value = plain(self._global(name, ()))
            elif self._in_rows(name):
                self._columns[name] = name
            lives = self.declared.get(name, "connection")
            self._table[name] = Variable(name=name, value=value, lives=lives, secret=name in self.secrets)
        return list(self._table).index(name)

    def set_later(self) -> None:
        """Variables without a value get one from a script."""
        for name in [name for name, value in self.known.items() if value is None]:
            del self.known[name]
            self.declare(name, "slot", ("variables", name))

    def use_all(self) -> None:
        """Every variable may be asked for during the run: a script can."""
        for name in self._all_names():
            self.variable(name)

    def resolve(
        self,
        text: str,
        place: Place,
        *,
        default: str = "",
        fixed: str = "",
        secrets: bool = False,
        late_only: bool = False,
    ) -> str:
        """A template for Rust; `default` is the filter of placeholders that have none.

        `fixed`: why everything in it must be known before the run; then the result is the text itself, with secrets
        in it if they are allowed. `late_only`: what is known is put in as it is, without the filter.
        """
        found = []
        self._open, self._late_only = secrets, late_only
        for piece in pieces(text):
            if isinstance(piece, str):
                found.append(piece)
            else:
                found.append(self._placeholder(piece, place, default, fixed))
        self._open = self._late_only = False
        joined = "".join(found)
        return joined.replace("\\{{", "{{") if fixed else joined

    def json_text(self, value: Any, place: Place) -> str:
        """A JSON text whose strings are templates; `"{{x|raw}}"` alone stands without quotes."""
        match value:
            case str():
                found = pieces(value)
                if len(found) == 1 and isinstance(found[0], Placeholder) and found[0].filter == "raw":
                    return self._placeholder(found[0], place, "", "")
                inside = "".join(
                    json.dumps(piece, ensure_ascii=False)[1:-1].replace("\\\\{{", "\\{{")
                    if isinstance(piece, str)
                    else self._placeholder(piece, place, "json", "")
                    for piece in found
                )
                return f'"{inside}"'
            case dict():
                items = (
                    f"{self.json_text(key, (*place, key))}:{self.json_text(item, (*place, key))}"
                    for key, item in value.items()
                )
                return "{" + ",".join(items) + "}"
            case list():
                return "[" + ",".join(self.json_text(item, (*place, at)) for at, item in enumerate(value)) + "]"
        return json.dumps(value)

    def sample(self, template: str) -> str:
        """A template with values: those known before the run and of the first row, `0` for what is made up later."""
        held = self.first_row()
        found = []
        for piece in pieces(template):
            if isinstance(piece, str):
                found.append(piece.replace("\\{{", "{{"))
            else:
                value = held.get(piece.value, "0")
                found.append(json.dumps(value)[1:-1] if piece.filter == "json" else value)
        return "".join(found)

    def table(self) -> tuple[Variable, ...]:
        """All variables that are used, by place."""
        return tuple(self._table.values())

    def columns(self) -> tuple[tuple[int, ...], tuple[tuple[str, ...], ...]]:
        """Places of the variables that rows set, and the rows' values."""
        if self.rows is None or not self._columns:
            return (), ()
        order = list(self._table)
        getters = [self._getter(expression) for expression in self._columns.values()]
        rows = tuple(tuple(plain(getter(row)) for getter in getters) for row in self.rows.rows)
        return tuple(order.index(name) for name in self._columns), rows

    def first_row(self) -> dict[str, str]:
        """What variables hold before anything is captured, with the first row's values: to try templates with."""
        found = {name: variable.value for name, variable in self._table.items() if variable.value is not None}
        if self.rows is not None:
            for name, expression in self._columns.items():
                found[name] = plain(self._getter(expression)(self.rows.rows[0]))
        return found

    def unused_secrets(self, place: Place) -> None:
        """Secrets that name no variable."""
        names = self._all_names()
        for at, name in enumerate(sorted(self.secrets)):
            if name not in names:
                self.problems.add((*place, at), f"no variable is called {name!r}", nearest(name, names, "Known:"))

    def _in_rows(self, name: str) -> bool:
        return self.rows is not None and name in self.rows.columns

    def _all_names(self) -> list[str]:
        columns = self.rows.columns if self.rows else ()
        return list(dict.fromkeys([*self.known, *columns, *self.declared]))

    def _placeholder(self, piece: Placeholder, place: Place, default: str, fixed: str) -> str:
        add = self.problems.add
        if not piece.text.endswith("}}") or not piece.value:
            what = "'{{' has no '}}'" if not piece.text.endswith("}}") else "'{{}}' names nothing"
            add(place, what, "Write {{name}}; a literal '{{' is \\{{.")
            return ""
        if piece.filter and piece.filter not in FILTERS:
            add(place, f"{piece.text}: no filter is called {piece.filter!r}", nearest(piece.filter, FILTERS))
            return ""
        used = "" if piece.filter == "raw" else piece.filter or default
        tail = f"|{used}" if used else ""
        if piece.value.startswith("$"):
            name = piece.value.partition("(")[0].strip()
            if name not in DYNAMIC:
                add(place, f"{piece.text}: there is no {name}", nearest(name, DYNAMIC))
            elif fixed:
                add(place, f"{piece.text}: {fixed}", "Name a variable that has a value before the run.")
            return "{{" + piece.value + tail + "}}"
        head = NAME.match(piece.value)
        path = self._path(piece.value[head.end() :]) if head else None
        if head is None or path is None:
            add(place, f"{piece.text} is no name of a variable", "Write {{name}}, or {{user.tags[0]}}.")
            return ""
        return self._named(piece, (head[0], path), (used, tail), place, fixed)

    def _named(  # noqa: C901, PLR0911 - one rule for each scope
        self,
        piece: Placeholder,
        target: tuple[str, tuple[str | int, ...]],
        ways: tuple[str, str],
        place: Place,
        fixed: str,
    ) -> str:
        (name, path), (used, tail) = target, ways
        add = self.problems.add
        if name in self.declared:
            if path:
                add(place, f"{piece.text}: {name} is captured as text", "Capture the part itself under a name.")
            elif fixed:
                add(place, f"{piece.text}: {fixed}", f"{name} is set during the run.")
            self.variable(name)
            return "" if fixed else "{{" + name + tail + "}}"
        if self._in_rows(name):
            if fixed:
                add(place, f"{piece.text}: {fixed}", f"{name} is a column of the data.")
            elif self._row_has(piece, name, path, place):
                self._columns.setdefault(piece.value, piece.value)
                lives: Lives = "iteration" if self.by_iteration else "connection"
                secret = name in self.secrets
                self._table.setdefault(piece.value, Variable(name=piece.value, lives=lives, secret=secret))
            return "" if fixed else "{{" + piece.value + tail + "}}"
        if name not in self.known:
            remedy = nearest(name, self._all_names(), "Known:") or "Set it under 'variables:', or by --var."
            add(place, f"{piece.text}: no variable is called {name!r}", remedy)
            return ""
        value = self._global(name, place)
        found = _walk(value, path)
        if isinstance(found, _Absent):
            add(place, f"{piece.text}: {name} has no {found.at}", found.remedy)
            return ""
        if self._open or (name not in self.secrets and name not in self._tainted):
            return plain(found) if fixed else _filtered(plain(found), "" if self._late_only else used)
        if fixed:
            add(place, f"{piece.text}: a secret cannot stand here", "Put it into a header, the query or a message.")
            return ""
        self._table.setdefault(piece.value, Variable(name=piece.value, value=plain(found), secret=True))
        return "{{" + piece.value + tail + "}}"

    def _global(self, name: str, place: Place) -> Any:
        """The value of a variable; other variables in its texts are filled in."""
        if name in self._resolved:
            return self._resolved[name]
        at = self.places.get(name, place)
        if name in self._resolving:
            loop = " → ".join([*self._resolving[self._resolving.index(name) :], name])
            self.problems.add(at, f"it is made of itself: {loop}", "Give one of them a value of its own.")
            return ""
        self._resolving.append(name)
        value = self._fill(self.known[name], at, name)
        self._resolving.pop()
        self._resolved[name] = value
        return value

    def _fill(self, value: Any, place: Place, owner: str) -> Any:
        match value:
            case dict():
                return {key: self._fill(item, (*place, key), owner) for key, item in value.items()}
            case list():
                return [self._fill(item, (*place, at), owner) for at, item in enumerate(value)]
            case str() if "{{" in value:
                found = []
                for piece in pieces(value):
                    if isinstance(piece, str):
                        found.append(piece.replace("\\{{", "{{"))
                        continue
                    found.append(self._inside(piece, place, owner))
                return "".join(found)
        return value

    def _inside(self, piece: Placeholder, place: Place, owner: str) -> str:
        head = NAME.match(piece.value)
        name = head[0] if head else ""
        if name in self.known and name not in self.declared and not self._in_rows(name):
            found = _walk(self._global(name, place), self._path(piece.value[len(name) :]) or ())
            if name in self.secrets or name in self._tainted:
                self._tainted.add(owner)
            if not isinstance(found, _Absent):
                return plain(found)
        fixed = "a variable's value must be known before the run"
        return self._placeholder(piece, place, "", fixed)

    def _path(self, text: str) -> tuple[str | int, ...] | None:
        found: list[str | int] = []
        at = 0
        while at < len(text):
            match = _STEP.match(text, at)
            if match is None:
                return None
            found.append(int(match[2]) if match[2] is not None else match[1] if match[1] is not None else match[3])
            at = match.end()
        return tuple(found)

    def _row_has(self, piece: Placeholder, name: str, path: tuple[str | int, ...], place: Place) -> bool:
        if self.rows is None or not path:
            return True
        column = self.rows.columns.index(name)
        for number, row in enumerate(self.rows.rows, 1):
            found = _walk(row[column], path)
            if isinstance(found, _Absent):
                what = f"{piece.text}: {name} has no {found.at} in row {number} of the data"
                self.problems.add(place, what, found.remedy)
                return False
        return True

    def _getter(self, expression: str) -> Callable[[tuple[Any, ...]], Any]:
        head = NAME.match(expression)
        if self.rows is None or head is None:
            return lambda _row: ""
        column, path = self.rows.columns.index(head[0]), self._path(expression[head.end() :]) or ()
        return lambda row: _walk(row[column], path)


@dataclass(frozen=True, slots=True)
class _Absent:
    at: str
    remedy: str


def _walk(value: Any, path: Iterable[str | int]) -> Any:
    for part in path:
        if isinstance(part, int):
            if not isinstance(value, list) or part >= len(value):
                has = f"It has {len(value)} items." if isinstance(value, list) else "It is no list."
                return _Absent(f"[{part}]", has)
            value = value[part]
        elif not isinstance(value, Mapping) or part not in value:
            has = nearest(part, [str(key) for key in value], "It has") if isinstance(value, Mapping) else ""
            return _Absent(f".{part}", has or "It is plain text, without parts.")
        else:
            value = value[part]
    return value
