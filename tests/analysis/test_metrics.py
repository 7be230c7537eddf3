import base64

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import encode
from wsload import _core
from wsload.analysis.metrics import long_run_deviation, percentile
from wsload.analysis.series import Distribution
from wsload.results.steps import merged, steps


def distribution(*blocks: list[int], lost: list[int] | None = None) -> Distribution:
    """Blocks of values, as a run's series holds them."""
    axis = np.unique([value for block in blocks for value in block])
    counts = np.array([[block.count(value) for value in axis] for block in blocks])
    gone = np.array([(lost or []).count(value) for value in axis])
    return Distribution(axis.astype(np.int64), counts.astype(np.int64), gone.astype(np.int64))


VALUES = st.lists(st.integers(1, 10**9), min_size=20, max_size=400)


@settings(max_examples=50, deadline=None)
@given(VALUES, st.sampled_from([0.5, 0.9, 0.95]))
def test_percentiles_are_those_of_hdrhistogram(values: list[int], p: float) -> None:
    encoded = encode(*values)
    reference = HdrHistogram.decode(base64.b64encode(encoded))
    own = _core.Histogram()
    own.add(encoded)
    at, counts = steps(encoded)
    found = percentile(Distribution(at, counts[np.newaxis, :], np.zeros_like(counts)), p)
    if found is None:
        assert len(values) * (1 - p) < 10
        return
    printed = min(reference.get_value_at_percentile(p * 100), reference.get_max_value())
    assert found.value == printed == min(own.value_at_quantile(p), own.max)


def test_steps_hold_every_value_and_none_above_the_maximum() -> None:
    values, counts = steps(merged([encode(1_000, 5_000), encode(5_001, 123_456_789)]))
    assert counts.sum() == 4
    assert values.tolist()[:1] == [1_000]
    own = _core.Histogram()
    own.add(encode(123_456_789))
    assert values[-1] == own.max


def test_a_percentile_needs_messages_beyond_it() -> None:
    values = list(range(1, 100))
    assert percentile(distribution(values), 0.5) is not None
    assert percentile(distribution(values), 0.95) is None


def test_a_run_of_few_blocks_has_a_value_and_no_error() -> None:
    found = percentile(distribution(*[[1_000, 2_000, 3_000] * 10] * 5), 0.5)
    assert found is not None
    assert (found.value, found.above) == (2_000, None)


def test_more_blocks_of_the_same_unrest_make_a_smaller_error() -> None:
    random = np.random.default_rng(1)
    blocks = [(1e6 * np.exp(0.3 * random.normal(size=200))).astype(int).tolist() for _ in range(96)]
    few, many = percentile(distribution(*blocks[:12]), 0.9), percentile(distribution(*blocks), 0.9)
    assert few
    assert many
    assert few.above
    assert many.above
    assert many.above < few.above / 1.5
    assert many.df > few.df


def test_replies_that_never_came_make_lower_bounds_of_what_they_can_raise() -> None:
    answered = [1_000] * 95
    raised = percentile(distribution([*answered, *[5_000] * 15], lost=[5_000] * 15), 0.9)
    untouched = percentile(distribution([*answered, *[5_000] * 15], lost=[5_000] * 15), 0.5)
    assert raised
    assert untouched
    # The age is where it stands; the reply would have come later.
    assert (raised.value, raised.at_least) == (5_000, True)
    assert (untouched.value, untouched.at_least) == (1_000, False)


def test_a_series_whose_neighbours_are_alike_has_the_greater_deviation() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(size=240)
    slow = np.convolve(noise, np.ones(6) / np.sqrt(6), mode="same")
    alone, _ = long_run_deviation(noise - noise.mean())
    together, df = long_run_deviation(slow - slow.mean())
    assert slow.std() == pytest.approx(noise.std(), rel=0.2)
    assert together > 1.6 * alone
    assert df == round(0.4 * 240 ** (2 / 3))


def test_a_tail_that_comes_from_a_few_moments_has_no_error_of_its_own() -> None:
    random = np.random.default_rng(3)
    quiet = [(1e6 * np.exp(0.3 * random.normal(size=300))).astype(int).tolist() for _ in range(40)]
    bursts = [[2 * value for value in block] if second in {7, 8, 30} else block for second, block in enumerate(quiet)]
    even, burst = percentile(distribution(*quiet), 0.99), percentile(distribution(*bursts), 0.99)
    assert even
    assert burst
    assert even.silent is None
    assert (burst.silent, burst.above) == ("moments", None)
    median = percentile(distribution(*bursts), 0.5)
    assert median
    assert median.silent is None
