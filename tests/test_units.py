"""Quantities as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.units import (
    UnitError,
    format_bytes,
    format_duration,
    format_latency,
    format_rate,
    format_share,
    parse_count,
    parse_duration,
    parse_rate,
    parse_share,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30 * 10**9),
        ("2m", 120 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("250ms", 250 * 10**6),
        ("250us", 250_000),
        ("250µs", 250_000),
        ("1.5s", 1_500_000_000),
        ("72h", 259_200 * 10**9),
        (" 10 s ", 10**10),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "30", "s", "30x", "-5s", "1h foo", "5 s s", "1,5s", "∞"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_duration(text)
    assert repr(text) in caught.value.what
    assert "s" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20k/s", 20_000), ("500", 500), ("1.5k/s", 1_500), ("600/m", 10), ("2M/s", 2e6), ("36/h", 0.01)],
)
def test_rates_are_per_second(text: str, expected: float) -> None:
    assert parse_rate(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "fast", "20k/x", "20kk", "-1", "1e5", "/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="is not a rate"):
        parse_rate(text)


def test_sizes_know_both_kinds_of_units() -> None:
    assert [parse_size(text) for text in ("32", "64KiB", "1MB", "1.5K", "0")] == [32, 65_536, 1_000_000, 1_536, 0]
    with pytest.raises(UnitError, match="is not a size"):
        parse_size("64 elephants")


def test_counts_are_whole() -> None:
    assert [parse_count(text) for text in ("1000", "50k", "1M", "1,000", "2.5k")] == [1000, 50_000, 10**6, 1000, 2500]
    for text in ("1.5", "", "k", "-3"):
        with pytest.raises(UnitError, match="is not a whole number"):
            parse_count(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (30 * 10**9, "30 s"),
        (90 * 60 * 10**9, "1 h 30 min"),
        (72 * 3600 * 10**9, "3 d"),
        (250_000, "250 µs"),
        (500, "500 ns"),
        (1_500_000_000, "1.5 s"),
    ],
)
def test_durations_are_printed_as_people_write_them(ns: int, text: str) -> None:
    assert format_duration(ns) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (52_000, "52.0 µs"),
        (1_100_000, "1.10 ms"),
        (999_600, "1.00 ms"),
        (123_456_789, "123 ms"),
        (2_500_000_000, "2.50 s"),
        (4, "4 ns"),
    ],
)
def test_latencies_have_three_digits(ns: int, text: str) -> None:
    assert format_latency(ns) == text


def test_rates_and_bytes_are_printed() -> None:
    assert [format_rate(rate) for rate in (20_000.0, 0.25, 5.0)] == ["20,000/s", "0.25/s", "5/s"]
    assert [format_bytes(size) for size in (34, 900_000, 1_500_000_000)] == ["34 B", "900 kB", "1.50 GB"]
    assert format_bytes(760_000, per_second=True) == "760 kB/s"


@given(st.integers(min_value=0, max_value=10**15))
def test_whole_seconds_survive_printing_and_reading(seconds: int) -> None:
    assert parse_duration(f"{seconds}s") == seconds * 10**9


def test_shares_are_percent() -> None:
    assert [parse_share(text) for text in ("0.1%", "99 %", "100%", "0", "0%")] == [0.001, 0.99, 1, 0, 0]
    for text in ("0.1", "101%", "-1%", "", "%", "1e1%"):
        with pytest.raises(UnitError):
            parse_share(text)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.001, "0.1 %"),
        (0.99996, "99.99 %"),
        (0.123456, "12.3 %"),
        (2 / 3, "66.7 %"),
        (1e-7, "0.00001 %"),
    ],
)
def test_shares_are_printed_without_becoming_all_or_nothing(share: float, expected: str) -> None:
    assert format_share(share) == expected
