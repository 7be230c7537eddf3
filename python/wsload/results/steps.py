"""Histograms as arrays, for statistics. Merging happens in Rust; numpy is loaded by those who ask for arrays only."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from wsload import _core


def merged(encoded: Iterable[bytes]) -> bytes:
    """The sum of V2-deflate histograms, as one.

    Raises:
        ValueError: one of them is damaged.
    """
    histogram = _core.Histogram()
    for one in encoded:
        histogram.add(one)
    return histogram.encode()


def steps(encoded: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The steps of a histogram that hold something, ascending: their values as percentiles print them, and counts.

    Raises:
        ValueError: it is damaged.
    """
    histogram = _core.Histogram()
    histogram.add(encoded)
    pairs = np.frombuffer(histogram.steps(), dtype="<u8").astype(np.int64).reshape(-1, 2)
    # The last step is wider than the greatest value: no percentile may exceed the maximum.
    return np.minimum(pairs[:, 0], histogram.max), pairs[:, 1]
