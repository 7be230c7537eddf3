"""What was watched beside the messages, in words."""

from collections.abc import Mapping, Sequence

from wsload.report.text import printable
from wsload.results.watched import Source, Watched
from wsload.units import format_bytes, format_count, format_duration

NAMES = {
    "rss_bytes": "memory",
    "fds": "descriptors",
    "threads": "threads",
    "processes": "processes",
    "cpu_cores": "CPU",
}
"""Of processes; metrics of a page have their own."""


def watched_words(watched: Sequence[Watched], source: Source) -> list[str]:
    """`memory 61.2 MB to 121 MB, at most 130 MB`, `4 threads`: what was read of one source."""
    return [_words(one) for one in watched if one.source == source]


def reading_words(name: str, value: float) -> str:
    """A reading with its unit, as far as its name tells it."""
    if name == "cpu_cores":
        return f"{value:.2f} cores"
    if name.endswith("_bytes"):
        return format_bytes(value)
    if name.endswith(("_seconds_total", "_seconds")):
        return format_duration(round(value * 1e9))
    return format_count(round(value)) if value == round(value) else f"{value:,.3g}"


def shown_name(name: str, names: Mapping[str, str] = NAMES) -> str:
    """What a reading is called."""
    return names.get(name, printable(name))


def _words(one: Watched) -> str:
    first, last, most = (reading_words(one.name, value) for value in (one.first, one.last, one.most))
    text = f"{shown_name(one.name)} {last}" if first == last else f"{shown_name(one.name)} {first} to {last}"
    return text if most in {first, last} else f"{text}, at most {most}"
