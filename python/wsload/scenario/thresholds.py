"""Thresholds: `response[say].p99 < 50ms abort after 10s`. What they mean is written in docs/thresholds.md.

::

    METRIC [ "[" NAME "]" ] [ "." STATISTIC ]  OPERATOR  VALUE  [ "abort" [ "after" TIME ] ]
"""

import operator
import re
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal

from wsload import _core
from wsload.errors import UsageError
from wsload.scenario.metrics import METRICS, Metric, Unit
from wsload.scenario.parts import Frozen
from wsload.units import UnitError, parse_count, parse_duration, parse_rate, parse_share

Operator = Literal["<", "<=", ">", ">=", "==", "!="]
OPERATORS: dict[Operator, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)")
PARSERS: dict[Unit, Callable[[str], float]] = {
    "ns": parse_duration,
    "count": parse_count,
    "share": parse_share,
    "per_s": parse_rate,
}
MAX_CLOSE_CODE = 4999
MAX_VALUE = 10**18


class ThresholdError(UsageError):
    """Text that is no threshold; `what` tells the character."""


class Threshold(Frozen):
    """One threshold. `value` is in `unit`; `abort_after_ns` None: it is judged at the end only."""

    text: str
    metric: str
    selector: str = ""
    statistic: str = ""
    comparison: Operator
    value: float
    unit: Unit
    abort_after_ns: int | None = None

    @property
    def name(self) -> str:
        """What is looked at: `response[say].p99.9`."""
        selector = f"[{self.selector}]" if self.selector else ""
        return f"{self.metric}{selector}{'.' if self.statistic else ''}{self.statistic}"

    @property
    def quantile(self) -> float | None:
        """0 to 1 where the statistic is a percentile."""
        match = PERCENTILE.fullmatch(self.statistic)
        # By way of decimals: 99.9 / 100 is not 0.999 in binary, and may fall on the next rank.
        return float(Decimal(match[1]) / 100) if match else None

    def holds(self, observed: float) -> bool:
        """Whether what was observed is as it should be; infinity is an observation, too."""
        return OPERATORS[self.comparison](observed, self.value)


def parse_thresholds(texts: Iterable[str], where: str = "--threshold") -> tuple[Threshold, ...]:
    """Thresholds, each once.

    Raises:
        UsageError: one is none; the text begins with `where`.
    """
    found: dict[str, Threshold] = {}
    for text in texts:
        try:
            threshold = parse_threshold(text)
        except ThresholdError as error:
            raise UsageError(f"{where}: {error.what}", error.remedy) from None
        if threshold.text in found:
            raise UsageError(f"{where}: {threshold.text!r} is given twice", "Write it once.")
        found[threshold.text] = threshold
    return tuple(found.values())


def check_message_names(thresholds: Iterable[Threshold], known: Collection[str], where: str = "--threshold") -> None:
    """Refuses names that no message of a run will have, before it runs for an hour to find that out.

    Raises:
        UsageError: with the nearest name there is.
    """
    for threshold in thresholds:
        if METRICS[threshold.metric].selector == "message" and threshold.selector not in {"", *known}:
            near = _nearest(threshold.selector, known)
            remedy = f"The nearest is {near}." if near else f"There is {', '.join(sorted(known))}."
            what = f"{where}: {threshold.text!r}: no message is called {threshold.selector!r}"
            raise UsageError(what, remedy)


def parse_threshold(text: str) -> Threshold:
    """Reads a threshold.

    Raises:
        ThresholdError: with the character at which it goes wrong, and the nearest word that would do.
    """
    return _Parser(text).threshold()


class _Parser:
    """Reads from left to right; `at` is where it has come to."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def threshold(self) -> Threshold:
        self._take(r"\s*")
        begin = self._at
        word = self._take(r"[^\s\[\]<>=!]*")
        if not word:
            raise self._error(begin, "no metric is named", f"Write METRIC OPERATOR VALUE, such as {_example('')}.")
        name, statistic = self._metric(word, begin)
        metric, selector = METRICS[name], ""
        if self._rest.startswith("["):
            if statistic:
                raise self._error(self._at, f"the name belongs before .{statistic}", f"Write {name}[NAME].{statistic}.")
            selector, statistic = self._selector(name, metric), self._take(r"[^\s<>=!]*")
            if statistic and not statistic.startswith("."):
                raise self._error(
                    self._at - len(statistic), f"{statistic!r} follows the ']'", _remedy_statistic(name, metric)
                )
            statistic = statistic.removeprefix(".")
        elif metric.needs_selector:
            raise self._error(self._at, f"{name} needs a code in brackets", f"Write {name}[1006] == 0.")
        unit = self._unit(name, metric, statistic)
        comparison = self._operator(name)
        value = self._value(unit)
        return Threshold(
            text=" ".join(self._text.split()),
            metric=name,
            selector=selector,
            statistic=statistic,
            comparison=comparison,
            value=value,
            unit=unit,
            abort_after_ns=self._abort(),
        )

    def _metric(self, word: str, begin: int) -> tuple[str, str]:
        """The metric that a dotted word begins with, and the statistic that follows."""
        parts = word.split(".")
        for count in range(len(parts), 0, -1):
            name = ".".join(parts[:count])
            if name in METRICS:
                return name, ".".join(parts[count:])
        near = _OTHER_WORDS.get(parts[0].lower()) or _nearest(word, METRICS) or _nearest(parts[0], METRICS)
        known = f"Metrics are {', '.join(METRICS)}."
        raise self._error(
            begin, f"no metric is called {parts[0]!r}", f"The nearest is {near}. {known}" if near else known
        )

    def _selector(self, name: str, metric: Metric) -> str:
        begin = self._at + 1
        inside = self._take(r"\[[^\]]*")
        if not self._take(r"\]"):
            raise self._error(self._at, "']' is missing", f"Write {name}[NAME].")
        selector = inside[1:].strip()
        match metric.selector:
            case None:
                takers = [one for one, other in METRICS.items() if other.selector]
                raise self._error(
                    begin - 1, f"{name} takes no name in brackets", f"One is taken by {', '.join(takers)}."
                )
            case "failure" if selector not in _core.FAILURE_KINDS:
                near = _nearest(selector, _core.FAILURE_KINDS)
                known = f"Kinds are {', '.join(_core.FAILURE_KINDS)}."
                hint = f"The nearest is {near}. {known}" if near else known
                raise self._error(begin, f"{selector!r} is no kind of failure", hint)
            case "close" if not (selector.isdecimal() and 1000 <= int(selector) <= MAX_CLOSE_CODE):
                raise self._error(
                    begin, f"{selector!r} is no close code", "Codes are 1000 to 4999, such as close[1006]."
                )
            case "message" if not selector:
                raise self._error(begin, "the brackets are empty", f"Name a message, such as {name}[say].p99.")
        return selector

    def _unit(self, name: str, metric: Metric, statistic: str) -> Unit:
        """The unit of the statistic, which has just been read."""
        if metric.histogram and PERCENTILE.fullmatch(statistic) and float(statistic[1:]) > 0:
            return "ns"
        unit = metric.stats.get(statistic)
        if unit is None:
            begin = self._at - len(statistic)
            known = [f"p{number}" for number in (50, 90, 95, 99)] if metric.histogram else []
            near = _nearest(statistic, [*known, *metric.stats])
            what = f"{name} has no {statistic!r}" if statistic else f"{name} needs a statistic"
            if statistic == "p100":
                near = "max"
            raise self._error(
                begin, what, (f"The nearest is {near}. " if near else "") + _remedy_statistic(name, metric)
            )
        return unit

    def _operator(self, name: str) -> Operator:
        self._take(r"\s*")
        for comparison in OPERATORS:
            if self._rest.startswith(comparison):
                self._at += len(comparison)
                return comparison
        what = f"{self._rest.split()[0]!r} is no operator" if self._rest else "the operator is missing"
        remedy = "Operators are <, <=, >, >=, == and !=."
        if self._rest.startswith("="):
            what, remedy = "'=' is no operator", "Write ==."
        raise self._error(self._at, what, f"{remedy} Such as {_example(name)}." if not self._rest else remedy)

    def _value(self, unit: Unit) -> float:
        self._take(r"\s*")
        begin = self._at
        text = self._take(r".*?(?=\s+abort\b|\s*$)")
        if not text:
            raise self._error(begin, "the value is missing", f"Write {_VALUES[unit]}.")
        try:
            value = PARSERS[unit](text)
        except UnitError as error:
            raise self._error(begin, error.what, f"Write {_VALUES[unit]}.") from None
        except OverflowError:
            value = MAX_VALUE + 1
        if value > MAX_VALUE:
            raise self._error(begin, "the value is beyond anything that can be observed", f"Write {_VALUES[unit]}.")
        return value

    def _abort(self) -> int | None:
        self._take(r"\s*")
        if not self._take(r"abort\b"):
            return None
        self._take(r"\s*")
        if not self._rest:
            return 0
        begin = self._at
        if not self._take(r"after\b\s*") or not self._rest:
            raise self._error(begin, "after 'abort' comes 'after' and a time", "Write abort, or abort after 10s.")
        try:
            return parse_duration(self._rest)
        except UnitError as error:
            raise self._error(self._at, error.what, error.remedy) from None

    @property
    def _rest(self) -> str:
        return self._text[self._at :]

    def _take(self, pattern: str) -> str:
        """What matches here, which may be nothing."""
        match = re.compile(pattern).match(self._text, self._at)
        self._at = match.end() if match else self._at
        return match[0] if match else ""

    def _error(self, at: int, what: str, remedy: str) -> ThresholdError:
        return ThresholdError(f"{self._text!r}, character {at + 1}: {what}", remedy)


_OTHER_WORDS = {
    "latency": "response",
    "duration": "response",
    "errors": "failures",
    "connections": "connections.failed",
    **dict.fromkeys(("p50", "p90", "p95", "p99", "mean", "max"), "response"),
}
"""What people may write for a metric and resembles none, or the wrong one."""
_VALUES: dict[Unit, str] = {
    "ns": "a time with its unit, such as 50ms",
    "count": "a whole number, such as 0 or 10k",
    "share": "a share in percent, such as 0.1%",
    "per_s": "a rate, such as 20k/s",
}


def _nearest(word: str, known: Iterable[str]) -> str:
    return next(iter(get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)), "")


def _example(name: str) -> str:
    metric = METRICS.get(name)
    if metric is None or metric.histogram:
        return f"{name or 'response'}.p99 < 50ms"
    return {"share": f"{name} >= 99%", "per_s": f"{name} >= 20k/s"}.get(str(metric.plain), f"{name} == 0")


def _remedy_statistic(name: str, metric: Metric) -> str:
    if metric.histogram:
        return (
            f"Write {name}.p99 (any percentile above 0 and below 100), {', '.join(f'.{one}' for one in metric.stats)}."
        )
    return "Write " + " or ".join(f"{name}.{stat}" if stat else name for stat in metric.stats) + "."
