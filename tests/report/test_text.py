"""Text that is safe, lines that fit, numbers that line up."""

import pytest

from wsload.report.text import flow, grid, latency_column, printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, grüße, 数, 🙂", "plain, grüße, 数, 🙂"),
        ("\x1b[2J", "\\u{1b}[2J"),
        ("a\nb\tc\r", "a\\u{a}b\\u{9}c\\u{d}"),
        ("\x9b31m", "\\u{9b}31m"),
        ("right \u202e left", "right \\u{202e} left"),
        ("line\u2028paragraph\u2029", "line\\u{2028}paragraph\\u{2029}"),
        ("\ud800", "\\u{d800}"),
        ("\u00a0", "\\u{a0}"),
    ],
)
def test_nothing_but_printable_text_is_left(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_shortened_text_says_that_it_is() -> None:
    assert shortened("12345", 5) == "12345"
    assert shortened("123456", 5) == "1234…"


def test_parts_flow_and_are_never_broken() -> None:
    assert flow(["aaa", "bbb", "ccc"], 9, " · ", 2) == ["aaa · bbb", "  ccc"]
    assert flow(["aaaaaaaaaaaa", "b"], 5, " ", 0) == ["aaaaaaaaaaaa", "b"]
    assert flow([], 5, " ", 0) == []


def test_a_grid_shares_columns_while_they_fit() -> None:
    rows = [["a", "bbbb"], ["aaa", "b", "c"]]
    # Widths 3, 4 and 1: 8 and two gaps.
    assert grid(rows, 14) == [["a     bbbb"], ["aaa   b      c"]]
    assert grid(rows, 12) == [["a    bbbb"], ["aaa  b     c"]]
    assert grid(rows, 11) == [["a   bbbb"], ["aaa   b   c"]]
    assert grid(rows, 7) == [["a", "bbbb"], ["aaa   b", "c"]]
    assert grid([], 80) == []


@pytest.mark.parametrize(
    ("values_ns", "shown"),
    [
        ([52_000, 51_000, 4_000], ["52.0 µs", "51.0 µs", "4.00 µs"]),
        ([1_100_000, 900_000, 80_000], ["1.10 ms", "0.90 ms", "0.08 ms"]),
        # 0.01 of the column's unit is the least that still says something.
        ([1_000_000, 10_000, 9_999], ["1.00 ms", "0.01 ms", "10.0 µs"]),
        ([12_340_000_000, 812], ["12.3 s", "812 ns"]),
        ([999_499, 999_500], ["1.00 ms", "1.00 ms"]),
        ([999_499], ["999 µs"]),
        ([3_600_000_000_000], ["3,600 s"]),
        ([0, 7], ["0 ns", "7 ns"]),
        ([1_000_000, 0], ["1.00 ms", "0 ns"]),
        ([99_949, 99_950], ["99.9 µs", "100 µs"]),
        ([], []),
    ],
)
def test_a_column_of_latencies_has_the_unit_of_its_greatest(values_ns: list[int], shown: list[str]) -> None:
    assert latency_column(values_ns) == shown
