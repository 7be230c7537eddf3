"""YAML text to plain values with the line and column of each. Bounded in size, depth and expansion of aliases."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from wsload.errors import UsageError

Place = tuple[str | int, ...]
"""Keys and indices that lead to a value."""

MAX_FILE_BYTES = 4 << 20
MAX_VALUES = 200_000
"""Of one file, aliases expanded."""
MAX_DEPTH = 64

_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
_STANDARD = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands in the text; line and column from 1, characters from 0."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tree:
    """A file's value and where its parts stand."""

    name: str
    text: str
    value: Any
    values: dict[Place, Span]
    keys: dict[Place, Span]

    def position(self, place: Place, *, at_key: bool = False) -> tuple[int, int]:
        """Line and column of a place, or of the nearest one around it."""
        spans = (self.keys, self.values) if at_key else (self.values, self.keys)
        for length in range(len(place), -1, -1):
            for known in spans:
                if span := known.get(place[:length]):
                    return span.line, span.column
        return 1, 1


def read_tree(text: str, name: str) -> Tree:
    """The value of a YAML text: YAML 1.2's true, false, null and numbers; everything else is text.

    Raises:
        UsageError: no YAML, keys given twice, tags, or more than the bounds allow; with line and column.
    """
    if len(text.encode()) > MAX_FILE_BYTES:
        raise UsageError(f"{name}: larger than 4 MiB", "Keep rows of values in a data file.")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = f"{name}{where}: not YAML: {error.problem or error.context}"
        raise UsageError(what, _advice(error.problem or "")) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        what = f"{name}:{line}:1: not YAML: it holds a character that YAML does not allow"
        raise UsageError(what, 'Write it as an escape in double quotes, such as "\\x07".') from None
    except RecursionError:
        raise UsageError(f"{name}:1:1: nested deeper than {MAX_DEPTH} levels", "Flatten it.") from None
    if node is None:
        raise UsageError(f"{name}:1:1: the file is empty", "`wsload init` writes one to start from.")
    reader = _Reader(name)
    value = reader.read(node, ())
    return Tree(name, text, value, reader.values, reader.keys)


def _advice(problem: str) -> str:
    if "'\\t'" in problem:
        return "Indent by spaces, not by tabs."
    if "mapping values are not allowed" in problem:
        return "Put text that holds ': ' in quotes."
    if "undefined alias" in problem:
        return "Name an &anchor that stands above."
    if "but found another document" in problem:
        return "A file holds one scenario: drop the '---'."
    return "Look for a missing quote, bracket or space around there."


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self.values: dict[Place, Span] = {}
        self.keys: dict[Place, Span] = {}

    def read(self, node: yaml.Node, place: Place) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            self._fail(node, f"more than {MAX_VALUES:,} values, aliases expanded", "Keep rows in a data file.")
        if len(place) > MAX_DEPTH:
            self._fail(node, f"nested deeper than {MAX_DEPTH} levels", "Flatten it; an alias may hold itself.")
        self.values[place] = _span(node)
        if isinstance(node, yaml.MappingNode):
            self._plain_tag(node, "map")
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            self._plain_tag(node, "seq")
            return [self.read(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fail(key_node, "a key must be text", 'Put {{name}} in quotes: "{{name}}".')
            key = key_node.value
            if key in found:
                line = self.keys[(*place, key)].line
                self._fail(key_node, f"the key {key!r} is given twice, first in line {line}", "Drop one of the two.")
            self.keys[(*place, key)] = _span(key_node)
            found[key] = self.read(value_node, (*place, key))
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        if getattr(node, "style", None) is not None:
            return text
        self._plain_tag(node, "str", "int", "float", "bool", "null", "timestamp", "value", "merge")
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _plain_tag(self, node: yaml.Node, *allowed: str) -> None:
        if node.tag not in {_STANDARD + kind for kind in allowed}:
            tag = node.tag.replace(_STANDARD, "!!")
            self._fail(node, f"the tag {tag!r} is not allowed", "Write the value without a tag.")

    def _fail(self, node: yaml.Node, what: str, remedy: str) -> None:
        span = _span(node)
        raise UsageError(f"{self._name}:{span.line}:{span.column}: {what}", remedy)


def _span(node: yaml.Node) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line + 1, start.column + 1, start.index, end.index)
