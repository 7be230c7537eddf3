"""Alerts: thresholds that a run must hold all the time, `response.p99 < 250ms over 5m`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from wsload.errors import UsageError
from wsload.scenario.thresholds import Threshold, ThresholdError, parse_threshold
from wsload.units import UnitError, parse_duration

DEFAULT_WINDOW_NS = 60 * 10**9
MIN_WINDOW_NS = 10**9


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold, and the length of the windows in each of which it is to hold."""

    threshold: Threshold
    window_ns: int = DEFAULT_WINDOW_NS


def parse_alerts(texts: Iterable[str]) -> tuple[Alert, ...]:
    """Alerts, as `--alert` takes them.

    Raises:
        UsageError: one is none.
    """
    found = tuple(_parse(text) for text in texts)
    if len({(alert.threshold.text, alert.window_ns) for alert in found}) < len(found):
        raise UsageError("--alert: one is given twice", "Write it once.")
    return found


def _parse(text: str) -> Alert:
    head, over, length = re.fullmatch(r"(.*?)(?:\s+(over)\b\s*(.*))?", text, re.DOTALL).groups()  # type: ignore[union-attr]
    remedy = "Write METRIC OPERATOR VALUE over TIME, such as 'response.p99 < 250ms over 5m'."
    try:
        threshold = parse_threshold(head)
        window_ns = parse_duration(length) if over else DEFAULT_WINDOW_NS
    except ThresholdError as error:
        raise UsageError(f"--alert: {error.what}", error.remedy) from None
    except UnitError as error:
        raise UsageError(f"--alert: {text!r}: {error.what}", remedy) from None
    if threshold.abort_after_ns is not None:
        what = f"--alert: {text!r}: an alert ends no run"
        raise UsageError(what, "Leave 'abort' out, or give it to --threshold.")
    if window_ns < MIN_WINDOW_NS:
        raise UsageError(f"--alert: {text!r}: windows are a second or longer", remedy)
    return Alert(threshold, window_ns)
