"""Filters: which events fit, and what is said of filters that are none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recordings import MS, SESSION, write
from wsload.errors import UsageError
from wsload.results import RunFile
from wsload.timeline import Query, parse_json_test
from wsload.timeline.query import compiled


def found(tmp_path: Path, query: Query) -> list[float]:
    """When what fits happened, ms."""
    path = tmp_path / "a.wsload"
    if not path.exists():
        write(path, SESSION)
    with RunFile.open(path) as run:
        return [event.at_ns / MS for _, event in query.run(run)]


@pytest.mark.parametrize(
    ("query", "times"),
    [
        (Query(connections=((3, None),)), [5, 30, 31]),
        (Query(connections=((3, 2),)), []),
        (Query(connections=((3, 1), (9, None))), [5, 30, 31]),
        (Query(direction="received"), [12, 31, 45, 50]),
        (Query(kinds=("binary", "close")), [20, 50]),
        (Query(names=("hello",)), [10, 12]),
        (Query(from_ns=20 * MS, to_ns=45 * MS), [20, 30, 31]),
        (Query(contains=(b"type", b"welcome")), [12]),
        (Query(contains=(b"\xff",)), [20]),
        (Query(patterns=(compiled(r'"n":\d,?\}'),)), [10]),
        (Query(failed=True), [0, 1, 10, 12, 20, 45, 50, 51]),
        (Query(slow_ns=2 * MS), [12, 45]),
        (Query(direction="sent", connections=((0, None),), kinds=("text",)), [10]),
        (Query(contains=(b"nowhere",)), []),
    ],
)
def test_what_fits_is_found_in_order_of_time(tmp_path: Path, query: Query, times: list[float]) -> None:
    assert found(tmp_path, query) == times


@pytest.mark.parametrize(
    ("test", "times"),
    [
        ('$.type == "error"', [45]),
        ("$.type != 'error'", None),
        ('$.type != "error"', [10, 12]),
        ("$.n == 1", [10]),
        ("$.n == 1.0", [10]),
        ("$.n > 1", [12]),
        ("$.n <= 1.5", [10, 12]),
        ("$.code", [45]),
        ('$["type"] == "hello"', [10]),
        ("$[?@ > 5]", [45]),
        ("$.n == true", []),
        ('$[?@ > "error"]', [10, 12]),
        ('$.type == "{{x}}"', []),
        ('$["a == b"]', []),
    ],
)
def test_json_is_asked_by_rfc_9535(tmp_path: Path, test: str, times: list[float] | None) -> None:
    if times is None:
        with pytest.raises(UsageError, match="is no JSON value"):
            parse_json_test(test)
        return
    assert found(tmp_path, Query(json_tests=(parse_json_test(test),))) == times


def test_a_query_that_is_none_is_explained() -> None:
    with pytest.raises(UsageError, match="--json: ") as caught:
        parse_json_test("type == 1")
    assert "RFC 9535" in caught.value.remedy


@pytest.mark.parametrize(
    ("ask", "what", "remedy"),
    [
        (lambda: parse_json_test('$.n < "x"'), "< compares numbers", "inside a path"),
        (lambda: compiled("(a"), r"--regex: '\(a': unclosed group", "no look-around"),
        (lambda: compiled("(?=a)"), "look-around", "no back-references"),
    ],
)
def test_what_rust_refuses_is_explained(ask: Callable[[], object], what: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        ask()
    assert remedy in caught.value.remedy


def test_between_two_events(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wsload", SESSION)
    with RunFile.open(path) as run:
        numbers = {event.at_ns // MS: number for number, event in run.events()}
        both = (numbers[31], numbers[20])
        assert [event.at_ns // MS for _, event in Query(between=both).run(run)] == [20, 30, 31]
        with pytest.raises(UsageError, match="--between: the file has no event"):
            list(Query(between=(1, 999)).run(run))


def test_after_a_number_only_what_is_new(tmp_path: Path) -> None:
    with RunFile.open(write(tmp_path / "a.wsload", SESSION)) as run:
        numbers = sorted(number for number, _ in Query().run(run))
        assert sorted(number for number, _ in Query().run(run, after=numbers[3])) == numbers[4:]
        assert len(list(Query().run(run, limit=2))) == 2
