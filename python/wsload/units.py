"""Durations, rates, sizes, counts and shares as people write them, read and printed.

Durations are integer nanoseconds, rates are floats per second, sizes are bytes,
shares are floats from 0 to 1.
"""

import re
from decimal import Decimal

from wsload.errors import UsageError

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION_NS |= {"d": 86400 * 10**9}
_COUNT = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6}
_PER_SECOND = {"": 1.0, "/s": 1.0, "/m": 1 / 60, "/min": 1 / 60, "/h": 1 / 3600}
_SIZE = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class UnitError(UsageError):
    """Text that is no quantity of the kind asked for."""


def parse_duration(text: str) -> int:
    """Nanoseconds of `30s`, `250ms`, `1h30m`; a bare number is an error, its unit a guess."""
    stripped = text.strip()
    if stripped == "0":
        return 0
    parts = re.findall(rf"{_NUMBER}\s*([a-zµ]+)", stripped)
    if not parts or re.sub(rf"{_NUMBER}\s*[a-zµ]+", "", stripped).strip():
        raise UnitError(f"{text!r} is not a duration", "Write a number with its unit, such as 30s, 250ms or 1h30m.")
    unknown = [unit for _, unit in parts if unit not in _DURATION_NS]
    if unknown:
        raise UnitError(f"{text!r} has the unknown unit {unknown[0]!r}", "Known units: ns, us, ms, s, m, h, d.")
    return sum(_scaled(number, _DURATION_NS[unit]) for number, unit in parts)


def parse_rate(text: str) -> float:
    """Messages per second of `20k/s`, `500`, `600/m`."""
    match = re.fullmatch(rf"{_NUMBER}\s*([kKM]?)\s*(/[a-z]+)?", text.strip())
    if not match or (match[3] or "") not in _PER_SECOND:
        raise UnitError(f"{text!r} is not a rate", "Write a number per second, minute or hour: 20k/s, 500, 600/m.")
    return float(match[1]) * _COUNT[match[2]] * _PER_SECOND[match[3] or ""]


def parse_size(text: str) -> int:
    """Bytes of `32`, `64KiB`, `1MB`."""
    match = re.fullmatch(rf"{_NUMBER}\s*([A-Za-z]*)", text.strip())
    if not match or match[2] not in _SIZE:
        raise UnitError(f"{text!r} is not a size", "Write bytes or a unit: 32, 64KiB, 1MB.")
    return _scaled(match[1], _SIZE[match[2]])


def parse_count(text: str) -> int:
    """A whole number such as `1000`, `50k` or `1M`."""
    match = re.fullmatch(rf"{_NUMBER}\s*([kKM]?)", text.strip().replace(",", "").replace("_", ""))
    if not match or (float(match[1]) * _COUNT[match[2]]) % 1:
        raise UnitError(f"{text!r} is not a whole number", "Write it in digits or with k or M: 1000, 50k, 1M.")
    return _scaled(match[1], _COUNT[match[2]])


def parse_share(text: str) -> float:
    """0 to 1 of `0.1%`; a bare number other than 0 is an error: it may mean a hundredth of what it says."""
    match = re.fullmatch(rf"{_NUMBER}\s*(%?)", text.strip())
    if not match or not (match[2] or float(match[1]) == 0) or float(match[1]) > 100:
        raise UnitError(f"{text!r} is not a share", "Write percent, from 0% to 100%: 0.1%.")
    return float(Decimal(match[1]) / 100)


def format_duration(ns: int) -> str:
    """`30 s`, `1 h 30 min`, `250 ms`: exact to the second from a minute up."""
    if ns >= 60 * 10**9:
        seconds = round(ns / 10**9)
        parts = [(seconds // 86400, "d"), (seconds % 86400 // 3600, "h"), (seconds % 3600 // 60, "min")]
        parts.append((seconds % 60, "s"))
        return " ".join(f"{value} {unit}" for value, unit in parts if value)
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        if ns >= size:
            return f"{_trimmed(ns / size)} {unit}"
    return f"{ns} ns"


def format_latency(ns: float) -> str:
    """Three significant digits at most, in the unit that keeps them readable: `52 µs`, `1.1 ms`."""
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        # 999.6 µs would be printed as 1000 µs: it belongs to the next unit.
        if ns >= size * 0.9995:
            return f"{_significant(ns / size)} {unit}"
    return f"{round(ns)} ns"


def format_count(count: int) -> str:
    """`600,000`."""
    return f"{count:,}"


def format_rate(per_second: float) -> str:
    """`20,000/s`, or `0.25/s` where whole numbers say too little."""
    if per_second >= 100 or per_second == int(per_second):
        return f"{round(per_second):,}/s"
    # Two decimals would leave nothing of a rate that was written per hour.
    scale, unit = (1, "s") if per_second >= 0.01 else (3600, "h")
    return f"{_trimmed(float(_significant(per_second * scale)))}/{unit}"


def format_share(share: float) -> str:
    """`0.1 %`, three significant digits; no rounding makes all of what is not all, or nothing of what is something."""
    if share in {0.0, 1.0}:
        return f"{share * 100:.0f} %"
    digits = format(Decimal(f"{share * 100:.3g}"), "f")
    return "99.99 %" if digits == "100" and share < 1 else f"{digits} %"


def format_bytes(size: float, per_second: bool = False) -> str:
    """`0.9 MB`, `34 B`, in decimal units."""
    tail = "/s" if per_second else ""
    for scale, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= scale * 0.9995:
            return f"{_significant(size / scale)} {unit}{tail}"
    return f"{round(size)} B{tail}"


def _scaled(number: str, scale: int) -> int:
    """An exact product where the number is whole; the nearest integer where it is not."""
    return int(number) * scale if number.isdigit() else round(float(number) * scale)


def _significant(value: float) -> str:
    """Up to 999: `1.12`, `11.2`, `112`."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def _trimmed(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
