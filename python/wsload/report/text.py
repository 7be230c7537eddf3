"""Text that is safe to print and numbers that line up."""

import unicodedata
from collections.abc import Sequence

_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))


def printable(text: str) -> str:
    """Text of a server with everything escaped that could move a cursor, ring, or reorder a line."""
    return "".join(char if _is_harmless(char) else f"\\u{{{ord(char):x}}}" for char in text)


def latency_column(values_ns: Sequence[int]) -> list[str]:
    """Latencies of one column in one unit, that of the greatest: `0.08 ms`, `1.10 ms`, `12.3 ms`."""
    greatest = max(values_ns, default=0)
    # 999.6 µs would be printed as 1000 µs: it belongs to the next unit.
    scale, unit = next((size, name) for size, name in _UNITS if greatest >= size * 0.9995 or size == 1)
    return [f"{_three_digits(value / scale, whole=scale == 1)} {unit}" for value in values_ns]


def _three_digits(value: float, *, whole: bool) -> str:
    if whole or value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    if value >= 0.0995 or not value:
        return f"{value:.2f}"
    return f"{value:.3f}"


def _is_harmless(char: str) -> bool:
    return char == " " or unicodedata.category(char)[0] not in "CZ"
