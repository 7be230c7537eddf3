"""Distributions as arrays: what charts need of a histogram beyond its percentiles.

`_core.Histogram` merges whole histograms and tells percentiles, at 132 KiB each. A chart holds hundreds at once and
asks for counts: here a distribution is the steps that are not empty, mostly a few kilobytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wsload import _core

Ints = NDArray[np.int64]

_STEPS_OF_A_DOUBLING = 1024
"""With three significant digits; below twice as many a step is a nanosecond wide."""


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Steps that are not empty, ascending: the greatest value that each may hold, and how many it does."""

    values_ns: Ints
    counts: Ints

    @classmethod
    def empty(cls) -> Self:
        """Nothing was measured."""
        none = np.empty(0, np.int64)
        return cls(none, none)

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Reads one histogram of a run file.

        Raises:
            ValueError: it is damaged.
        """
        histogram = _core.Histogram()
        histogram.add(encoded)
        pairs = np.frombuffer(histogram.steps(), "<u8").astype(np.int64).reshape(-1, 2)
        return cls(np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]))

    @classmethod
    def sum(cls, parts: Iterable[Self]) -> Self:
        """All values of all parts."""
        kept = [part for part in parts if len(part.values_ns)]
        if len(kept) < 2:
            return kept[0] if kept else cls.empty()
        values, places = np.unique(np.concatenate([part.values_ns for part in kept]), return_inverse=True)
        counts = np.zeros(len(values), np.int64)
        np.add.at(counts, places, np.concatenate([part.counts for part in kept]))
        return cls(values, counts)

    @property
    def count(self) -> int:
        """Values in all."""
        return int(self.counts.sum())

    @property
    def sum_ns(self) -> float:
        """The sum of all values, each taken as the middle of its step."""
        # A step is as wide as what its values leave of two thousand or so: 1, 2, 4, 8 ns.
        width = 2.0 ** np.maximum(np.floor(np.log2(self.values_ns / _STEPS_OF_A_DOUBLING + 1e-12)), 0)
        return float(((self.values_ns - (width - 1) / 2) * self.counts).sum())

    @property
    def max_ns(self) -> int:
        """The greatest value, or 0."""
        return int(self.values_ns[-1]) if len(self.values_ns) else 0

    def quantiles_ns(self, quantiles: Iterable[float]) -> list[int]:
        """The values at quantiles (0 to 1), as `_core.Histogram.value_at_quantile` tells them; 0 when empty."""
        if not len(self.values_ns):
            return [0 for _ in quantiles]
        total = np.cumsum(self.counts)
        # A quantile times a count is seldom whole in floating point: a rank is not raised by its last bit.
        ranks = np.maximum(np.ceil(np.nextafter(np.asarray(list(quantiles)) * total[-1], 0)), 1)
        return [int(value) for value in self.values_ns[np.searchsorted(total, ranks)]]

    def counts_up_to(self, bounds_ns: Iterable[float]) -> list[int]:
        """How many values lie at or below each bound."""
        total = np.concatenate(([0], np.cumsum(self.counts)))
        return [int(n) for n in total[np.searchsorted(self.values_ns, list(bounds_ns), side="right")]]
