"""Distributions: held against the histogram that merges in Rust, and against that of Python."""

import random

import pytest

from samples import encode
from wsload import _core
from wsload.results.distribution import Distribution

QUANTILES = (0.0, 0.1, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0)


def spread(seed: int, count: int) -> list[int]:
    """Values over all magnitudes that a histogram holds."""
    source = random.Random(seed)
    return [round(10 ** source.uniform(0, 12.5)) for _ in range(count)]


def rust(*blobs: bytes) -> _core.Histogram:
    histogram = _core.Histogram()
    for blob in blobs:
        histogram.add(blob)
    return histogram


@pytest.mark.parametrize("values", [[1], [2047, 2048, 2049], [5] * 200, spread(1, 500), spread(2, 5000)])
def test_it_holds_what_other_histograms_hold(values: list[int]) -> None:
    blob = encode(*values)
    one, other = Distribution.decode(blob), rust(blob)
    assert one.count == other.count == len(values)
    assert one.quantiles_ns(QUANTILES) == [other.value_at_quantile(q) for q in QUANTILES]
    assert other.max <= one.max_ns <= other.max * 1.001
    assert one.sum_ns == pytest.approx(sum(values), rel=0.001)


def test_what_rust_encodes_is_read() -> None:
    blob = rust(encode(*spread(3, 300))).encode()
    assert Distribution.decode(blob).quantiles_ns(QUANTILES) == [rust(blob).value_at_quantile(q) for q in QUANTILES]


def test_sums_are_those_of_whole_histograms() -> None:
    blobs = [encode(*spread(seed, 100)) for seed in range(5)]
    summed = Distribution.sum(map(Distribution.decode, blobs))
    assert summed.quantiles_ns(QUANTILES) == [rust(*blobs).value_at_quantile(q) for q in QUANTILES]
    assert Distribution.sum([]).count == 0


def test_counts_up_to_a_bound() -> None:
    found = Distribution.decode(encode(10, 10, 20, 1000))
    assert found.counts_up_to([5, 10, 19, 20, 999, 1000, 10**9]) == [0, 2, 2, 3, 3, 4, 4]
    assert Distribution.empty().counts_up_to([5]) == [0]
    assert Distribution.empty().quantiles_ns([0.5]) == [0]


@pytest.mark.parametrize("blob", [b"", b"12345678", encode(5)[:-3], encode(5)[:8] + b"xxxx"])
def test_damage_is_told(blob: bytes) -> None:
    with pytest.raises(ValueError):
        Distribution.decode(blob)
