"""Text that is safe to print, lines that fit, numbers that line up."""

import unicodedata
from collections.abc import Sequence

_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_LEAST_SHOWN = 0.01
"""Below this share of its column's unit a latency has a unit of its own: `0.000 ms` says nothing."""


def printable(text: str) -> str:
    """Text of a stranger with everything escaped that could move a cursor, ring, or reorder a line."""
    return "".join(char if _is_harmless(char) else f"\\u{{{ord(char):x}}}" for char in text)


def printable_lines(text: str) -> str:
    """The same for what has lines of its own, such as a traceback."""
    return "\n".join(printable(line) for line in text.split("\n"))


def shortened(text: str, length: int) -> str:
    """At most so many characters, with a sign that there were more."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def flow(parts: Sequence[str], width: int, joint: str, indent: int) -> list[str]:
    """Parts on as many lines as they need, never broken inside; all lines but the first are indented."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(joint) + len(part) <= width:
            lines[-1] += joint + part
        else:
            lines.append(" " * indent + part if lines else part)
    return lines


def grid(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Each row as lines: its cells in columns shared by all rows, or one after the other where these are too wide."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(columns)]
    for gap in ("   ", "  "):
        if sum(widths) + len(gap) * (columns - 1) <= width:
            return [[gap.join(cell.ljust(widths[at]) for at, cell in enumerate(row)).rstrip()] for row in rows]
    return [flow(row, width, "   ", 0) for row in rows]


def latency_column(values_ns: Sequence[int]) -> list[str]:
    """Latencies of one column in the unit of the greatest: `0.08 ms`, `1.10 ms`, `12.3 ms`."""
    scale, unit = _unit(max(values_ns, default=0))
    return [_latency(value, scale, unit) for value in values_ns]


def _latency(value_ns: int, scale: int, unit: str) -> str:
    if value_ns < scale * _LEAST_SHOWN:
        scale, unit = _unit(value_ns)
    value = value_ns / scale
    if scale == 1 or value >= 99.95:
        return f"{value:,.0f} {unit}"
    return f"{value:.1f} {unit}" if value >= 9.995 else f"{value:.2f} {unit}"


def _unit(value_ns: int) -> tuple[int, str]:
    # 999.6 µs would be printed as 1000 µs: it belongs to the next unit.
    return next((scale, name) for scale, name in _UNITS if value_ns >= scale * 0.9995 or scale == 1)


def _is_harmless(char: str) -> bool:
    return char == " " or unicodedata.category(char)[0] not in "CZ"
