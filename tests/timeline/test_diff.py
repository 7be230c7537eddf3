"""What differs is named: by its path, with both sides; what may differ is not."""

import json
from typing import Any

import pytest

from recordings import numbered, received
from wsload.errors import UsageError
from wsload.results import Event
from wsload.timeline.diff import Change, Diff, Masks, compare, leaves_of


def messages(*documents: Any) -> list[Event]:
    texts = [one if isinstance(one, bytes | str) else json.dumps(one) for one in documents]
    return numbered(received(place, text) for place, text in enumerate(texts))


def diff(before: list[Event], after: list[Event], *masks: str, automatic: bool = True) -> Diff:
    return compare([(0, before, after)], Masks(masks, before, automatic=automatic))


def test_the_same_does_not_differ() -> None:
    before = messages({"a": 1, "b": [1, {"c": None}]}, "text", b"\xff")
    assert diff(before, messages({"b": [1, {"c": None}], "a": 1}, "text", b"\xff")).differences == []


def test_a_changed_field_is_named_with_both_sides() -> None:
    before = messages({"type": "x", "v": 1}, {"type": "y", "v": 1})
    found = diff(before, messages({"type": "x", "v": 2}, {"type": "y", "v": 2}))
    assert [one.changes for one in found.differences] == [(Change("$['v']", "1", "2"),)] * 2
    assert found.by_path() == {"$['v']": 2}
    assert (found.compared, [one.kind for one in found.differences]) == (2, ["changed", "changed"])


def test_values_that_vary_in_the_recording_are_left_out() -> None:
    before = messages(*({"id": n, "ok": True, "s": {"ts": n}} for n in range(5)))
    after = messages(*({"id": n + 70, "ok": True, "s": {"ts": 9}} for n in range(5)))
    found = diff(before, after)
    assert (found.differences, found.masked) == ([], ("$['id']", "$['s']['ts']"))
    assert len(diff(before, after, automatic=False).differences) == 5
    assert diff(before, after, "$.id", "$.s", automatic=False).differences == []
    assert diff(before, after, "$..ts", "$.id", automatic=False).differences == []


def test_a_single_message_has_nothing_that_varies() -> None:
    found = diff(messages({"id": 1}), messages({"id": 2}))
    assert found.differences[0].changes == (Change("$['id']", "1", "2"),)


def test_missing_extra_and_moved_messages() -> None:
    before = messages("a", "b", "c", "d")
    assert [(one.kind, one.place) for one in diff(before, messages("a", "c", "d")).differences] == [("missing", 2)]
    assert [(one.kind, one.place) for one in diff(before, messages("a", "b", "x", "c", "d")).differences] == [
        ("extra", 3)
    ]
    assert [one.kind for one in diff(before, messages("a", "c", "b", "d")).differences] == ["reordered"]
    changed = diff(before, messages("a", "B", "c", "d")).differences
    assert changed[0].changes == (Change("$", "b", "B"),)
    assert len(diff(before, []).differences) == 4


def test_fields_that_come_and_go() -> None:
    found = diff(messages({"a": 1, "b": {}}), messages({"a": 1, "c'": [1]}))
    assert found.differences[0].changes == (
        Change("$['b']", "{}", None),
        Change("$['c\\'']['0']".replace("['0']", "[0]"), None, "1"),
    )


def test_leaves_are_the_values_of_a_document() -> None:
    assert leaves_of(b'{"a": [1, "x"], "b": {}}') == [("$['a'][0]", "1"), ("$['a'][1]", '"x"'), ("$['b']", "{}")]
    assert leaves_of(b"7") is None
    assert leaves_of(b"{") is None


def test_a_mask_that_is_none_is_explained() -> None:
    with pytest.raises(UsageError, match="--mask: "):
        Masks(["id"], [], automatic=False)
