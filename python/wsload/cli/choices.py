"""Words that flags take."""

from collections.abc import Callable
from enum import StrEnum


def offered(*words: str) -> Callable[[str], list[str]]:
    """What a shell completes a flag with that takes these words, and others too."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    JUNIT = "junit"
    HLOG = "hlog"
    PROMETHEUS = "prometheus"
    MARKDOWN = "markdown"


class TextOrJson(StrEnum):
    """How a short answer is printed."""

    TEXT = "text"
    JSON = "json"


class CompareFormat(StrEnum):
    """How a comparison is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"


class DriftFormat(StrEnum):
    """How a drift is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class HistoryFormat(StrEnum):
    """How a history is printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


class Arrivals(StrEnum):
    """How an open schedule spreads its messages."""

    CONSTANT = "constant"
    POISSON = "poisson"


class TlsVersion(StrEnum):
    """Versions of TLS."""

    V1_2 = "1.2"
    V1_3 = "1.3"
