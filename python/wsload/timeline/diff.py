"""What came back the second time against what came back the first: changed, missing, extra, reordered."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from wsload import _core
from wsload.errors import UsageError
from wsload.results import Event

MASKED = "…"
Leaf = tuple[str, str]
"""A path and the JSON text of the value there."""


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs; None: it is not there. `$` alone is a whole payload that is no JSON."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One message that is not the same. `place` counts the messages of its connection from 1."""

    kind: str
    """changed, missing, extra, reordered."""
    connection: int
    place: int
    before: Event | None
    after: Event | None
    changes: tuple[Change, ...] = ()


@dataclass(slots=True)
class Diff:
    """All differences, and how much was compared."""

    compared: int = 0
    masked: tuple[str, ...] = ()
    """Paths that vary within the recording."""
    differences: list[Difference] = field(default_factory=list)

    def by_path(self) -> dict[str, int]:
        """How many messages differ at which path."""
        return dict(Counter(change.path for one in self.differences for change in one.changes).most_common())


class Masks:
    """Values that may differ: those at explicit paths, and those that vary from message to message in the recording."""

    def __init__(self, paths: Sequence[str], recorded: Iterable[Event], *, automatic: bool) -> None:
        """Raises UsageError: a path is none."""
        try:
            self._queries = [_core.JsonPath(path) for path in paths]
        except ValueError as error:
            raise UsageError(f"--mask: {error}", "Write JSONPaths (RFC 9535) with commas: '$.ts,$.id'.") from None
        self._varying: dict[tuple[str, ...], set[str]] = {}
        if automatic:
            seen: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
            for event in recorded:
                leaves = leaves_of(event.payload)
                for path, value in leaves or ():
                    seen[_shape(leaves)][path].add(value)
            for shape, values in seen.items():
                self._varying[shape] = {path for path, found in values.items() if len(found) > 1}

    @property
    def automatic(self) -> tuple[str, ...]:
        """The paths that vary."""
        return tuple(sorted({path for paths in self._varying.values() for path in paths}))

    def apply(self, event: Event) -> list[Leaf]:
        """The message as its leaves, those that may differ masked; a payload that is no JSON is one leaf."""
        leaves = leaves_of(event.payload)
        if leaves is None:
            return [("$", event.payload.hex() if event.kind == "binary" else event.payload.decode(errors="replace"))]
        hidden = {path for query in self._queries for path in query.paths(event.payload)}
        varying = self._varying.get(_shape(leaves), set())
        return [(path, MASKED if path in varying or _within(path, hidden) else value) for path, value in leaves]


def compare(pairs: Iterable[tuple[int, Sequence[Event], Sequence[Event]]], masks: Masks) -> Diff:
    """Compares what each connection received: its number, before and after."""
    diff = Diff(masked=masks.automatic)
    for connection, before, after in pairs:
        diff.compared += max(len(before), len(after))
        diff.differences += _compare_one(connection, before, after, masks)
    return diff


def leaves_of(payload: bytes) -> list[Leaf] | None:
    """The values of a JSON object or array by normalised path (RFC 9535 section 2.7); None for anything else."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return list(_leaves("$", document)) if isinstance(document, dict | list) else None


def _leaves(path: str, value: object) -> Iterator[Leaf]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _leaves(f"{path}[{_quoted(key)}]", value[key])
    elif isinstance(value, list) and value:
        for place, one in enumerate(value):
            yield from _leaves(f"{path}[{place}]", one)
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _quoted(key: str) -> str:
    escaped = json.dumps(key, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{escaped}'"


def _shape(leaves: Sequence[Leaf] | None) -> tuple[str, ...]:
    return tuple(path for path, _ in leaves or ())


def _within(path: str, hidden: set[str]) -> bool:
    return any(path == one or path.startswith(f"{one}[") for one in hidden)


def _compare_one(connection: int, before: Sequence[Event], after: Sequence[Event], masks: Masks) -> list[Difference]:
    first = [_canonical(event, masks) for event in before]
    second = [_canonical(event, masks) for event in after]
    found: list[Difference] = []
    missing: list[int] = []
    extra: list[int] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        both = min(i2 - i1, j2 - j1)
        moved = set(first[i1:i2]) & set(second)
        for step in range(both):
            if first[i1 + step] in moved or second[j1 + step] in set(first):
                missing.append(i1 + step)
                extra.append(j1 + step)
                continue
            changes = _changes(masks.apply(before[i1 + step]), masks.apply(after[j1 + step]))
            one, other = before[i1 + step], after[j1 + step]
            found.append(Difference("changed", connection, i1 + step + 1, one, other, changes))
        missing += range(i1 + both, i2)
        extra += range(j1 + both, j2)
    return sorted([*found, *_unmatched(connection, before, after, (first, second), (missing, extra))], key=_place)


def _unmatched(
    connection: int,
    before: Sequence[Event],
    after: Sequence[Event],
    canonical: tuple[list[str], list[str]],
    places: tuple[list[int], list[int]],
) -> Iterator[Difference]:
    """What is missing here and extra there is the same message at another place."""
    first, second = canonical
    elsewhere: dict[str, list[int]] = defaultdict(list)
    for place in places[1]:
        elsewhere[second[place]].append(place)
    for place in places[0]:
        if found := elsewhere[first[place]]:
            yield Difference("reordered", connection, place + 1, before[place], after[found.pop(0)])
        else:
            yield Difference("missing", connection, place + 1, before[place], None)
    for rest in elsewhere.values():
        for place in rest:
            yield Difference("extra", connection, place + 1, None, after[place])


def _place(difference: Difference) -> tuple[int, str]:
    return difference.place, difference.kind


def _canonical(event: Event, masks: Masks) -> str:
    return json.dumps([event.kind, masks.apply(event)])


def _changes(before: Sequence[Leaf], after: Sequence[Leaf]) -> tuple[Change, ...]:
    first, second = dict(before), dict(after)
    paths = [*first, *(path for path in second if path not in first)]
    changed = [path for path in paths if first.get(path) != second.get(path)]
    return tuple(Change(path, first.get(path), second.get(path)) for path in changed)
