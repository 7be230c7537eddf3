"""What people write on the command line, taken apart."""

import pytest

from wsload.cli import values
from wsload.errors import UsageError
from wsload.scenario.parts import Reconnect, Waits
from wsload.scenario.words import FOREVER
from wsload.units import parse_duration


def test_headers_are_split_at_the_first_colon_and_trimmed() -> None:
    given = ["Authorization: Bearer a:b=c", "X-Empty:", "X:  y  "]
    assert values.headers(given) == (("Authorization", "Bearer a:b=c"), ("X-Empty", ""), ("X", "y"))
    assert values.headers(None) == ()


def test_pairs_are_split_at_the_first_equals_sign_and_keep_their_spaces() -> None:
    assert values.pairs("--param", ["a=b=c", "d=", "e= f "]) == (("a", "b=c"), ("d", ""), ("e", " f "))


def test_an_error_shows_no_more_of_a_header_than_its_first_word() -> None:
    with pytest.raises(UsageError) as error:
        values.headers(["Authorization Bearer secret"])
    assert error.value.what == "-H/--header: 'Authorization' has no ':'"


@pytest.mark.parametrize(
    ("text", "attempts"), [("never", 0), ("1", 1), ("1000000", 1_000_000), ("forever", FOREVER), ("storm", FOREVER)]
)
def test_attempts(text: str, attempts: int) -> None:
    assert values.reconnect(text) == Reconnect(attempts=attempts, storm=text == "storm")


def test_two_waits() -> None:
    assert values.waits("500ms, 1m") == Waits(first_ns=500_000_000, longest_ns=60 * 10**9)


@pytest.mark.parametrize("text", ["1s", "1s,2s,3s", "soon,later", ""])
def test_waits_are_two_durations(text: str) -> None:
    with pytest.raises(UsageError, match="--reconnect-wait: "):
        values.waits(text)


@pytest.mark.parametrize("text", ["0", "-1", "", "1000001", "²"])
def test_attempts_are_a_plain_number(text: str) -> None:
    with pytest.raises(UsageError):
        values.reconnect(text)


@pytest.mark.parametrize(("text", "seed"), [("7f3a", 0x7F3A), ("0", 0), ("F" * 16, (1 << 64) - 1), ("0x10", 16)])
def test_a_seed_is_read_as_it_is_printed(text: str, seed: int) -> None:
    assert values.seed(text) == seed


def test_an_absent_quantity_stays_absent_and_a_bad_one_names_its_flag() -> None:
    assert values.maybe("--duration", parse_duration, None) is None
    assert values.maybe("--duration", parse_duration, "2s") == 2 * 10**9
    with pytest.raises(UsageError) as error:
        values.maybe("--duration", parse_duration, "2")
    assert error.value.what == "--duration: '2' is not a duration"


def test_labels_are_unique() -> None:
    assert values.labels(["a=1", "b=2"]) == {"a": "1", "b": "2"}
    assert values.labels(None) == {}
