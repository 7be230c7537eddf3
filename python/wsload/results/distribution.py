"""Distributions as arrays: what charts need of a histogram beyond its percentiles.

`_core.Histogram` merges whole histograms and tells percentiles, at 132 KiB each. A chart holds hundreds at once and
asks for counts: here a distribution is the cells that are not empty, as HdrHistogram's V2-deflate format stores them,
mostly a few kilobytes.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_COMPRESSED_COOKIE = 0x1C849314
_COOKIE = 0x1C849313
_HEAD = struct.Struct(">iiiiqqd")
"""Cookie, length of the counts, normalizing offset, digits, lowest and highest value, ratio."""
_MAX_INFLATED_BYTES = 1 << 22
_HALF = 1024
"""Cells of one doubling with three significant digits; below twice as many, a cell is a nanosecond wide."""
_HALF_BITS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Cells that are not empty, in order, and how many values each holds."""

    cells: Ints
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
            ValueError: it is damaged, or not of 1 ns with three digits.
        """
        raw = _inflated(encoded)
        cookie, length, offset, digits, lowest, _, _ = _HEAD.unpack_from(raw)
        if cookie != _COOKIE or offset or digits != 3 or lowest != 1 or len(raw) < _HEAD.size + length:
            raise ValueError("not a histogram of nanoseconds with three digits")
        return cls(*_cells(_zigzag(np.frombuffer(raw, np.uint8, length, _HEAD.size))))

    @classmethod
    def sum(cls, parts: Iterable[Self]) -> Self:
        """All values of all parts."""
        kept = [part for part in parts if len(part.cells)]
        if len(kept) < 2:
            return kept[0] if kept else cls.empty()
        cells, places = np.unique(np.concatenate([part.cells for part in kept]), return_inverse=True)
        counts = np.zeros(len(cells), np.int64)
        np.add.at(counts, places, np.concatenate([part.counts for part in kept]))
        return cls(cells, counts)

    @property
    def count(self) -> int:
        """Values in all."""
        return int(self.counts.sum())

    @property
    def values_ns(self) -> Ints:
        """The greatest value that each cell may hold."""
        return _highest(self.cells)

    @property
    def sum_ns(self) -> float:
        """The sum of all values, each taken as the middle of its cell."""
        return float(((_lowest(self.cells) + self.values_ns) / 2 * self.counts).sum())

    @property
    def max_ns(self) -> int:
        """The greatest value, or 0."""
        return int(self.values_ns[-1]) if len(self.cells) else 0

    def quantiles_ns(self, quantiles: Iterable[float]) -> list[int]:
        """The values at quantiles (0 to 1), as `_core.Histogram.value_at_quantile` tells them; 0 when empty."""
        if not len(self.cells):
            return [0 for _ in quantiles]
        total = np.cumsum(self.counts)
        # A quantile times a count is seldom whole in floating point: a rank is not raised by its last bit.
        ranks = np.maximum(np.ceil(np.nextafter(np.asarray(list(quantiles)) * total[-1], 0)), 1)
        return [int(value) for value in self.values_ns[np.searchsorted(total, ranks)]]

    def counts_up_to(self, bounds_ns: Iterable[float]) -> list[int]:
        """How many values lie at or below each bound."""
        total = np.concatenate(([0], np.cumsum(self.counts)))
        return [int(n) for n in total[np.searchsorted(self.values_ns, list(bounds_ns), side="right")]]


def _inflated(encoded: bytes) -> bytes:
    if len(encoded) < 8:
        raise ValueError("too short for a histogram")
    cookie, length = struct.unpack_from(">ii", encoded)
    if cookie != _COMPRESSED_COOKIE or length > len(encoded) - 8:
        raise ValueError("not a V2 histogram")
    try:
        raw = zlib.decompressobj().decompress(encoded[8 : 8 + length], _MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged histogram: {error}") from None
    if len(raw) < _HEAD.size:
        raise ValueError("too short for a histogram")
    return raw


def _zigzag(raw: NDArray[np.uint8]) -> Ints:
    """ZigZag LEB128 numbers: seven bits a byte, low ones first, the high bit where more follow."""
    if not len(raw):
        return np.empty(0, np.int64)
    starts = np.concatenate(([0], np.flatnonzero(raw[:-1] < 0x80) + 1))
    place = np.arange(len(raw)) - np.repeat(starts, np.diff(np.append(starts, len(raw))))
    if raw[-1] >= 0x80 or place.max() > 8:
        raise ValueError("damaged histogram: a count without an end")
    bits = np.add.reduceat((raw & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64), starts)
    return (bits >> np.uint64(1)).astype(np.int64) ^ -(bits & np.uint64(1)).astype(np.int64)


def _cells(numbers: Ints) -> tuple[Ints, Ints]:
    """A positive number is a cell's count, a negative one so many empty cells."""
    ends = np.cumsum(np.where(numbers < 0, -numbers, 1))
    filled = numbers > 0
    return ends[filled] - 1, numbers[filled]


def _lowest(cells: Ints) -> Ints:
    doublings = np.maximum((cells >> _HALF_BITS) - 1, 0)
    within = np.where(cells < _HALF, cells, (cells & (_HALF - 1)) + _HALF)
    return np.asarray(within << doublings, np.int64)


def _highest(cells: Ints) -> Ints:
    doublings = np.maximum((cells >> _HALF_BITS) - 1, 0)
    return np.asarray(_lowest(cells) + (np.int64(1) << doublings) - 1, np.int64)
