"""Alerts as people write them."""

import pytest

from wsload.errors import UsageError
from wsload.scenario import parse_alerts

SECOND = 10**9


def test_an_alert_is_a_threshold_and_a_window() -> None:
    (alert,) = parse_alerts(["response[say].p99 < 250ms over 5m"])
    assert (alert.threshold.text, alert.window_ns) == ("response[say].p99 < 250ms", 300 * SECOND)
    (alert,) = parse_alerts(["answered.rate > 1k/s"])
    assert alert.window_ns == 60 * SECOND


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("respnse.p99 < 1ms", "no metric is called 'respnse'"),
        ("response.p99 < 1ms over", "is not a duration"),
        ("response.p99 < 1ms over soon", "is not a duration"),
        ("response.p99 < 1ms over 100ms", "a second or longer"),
        ("response.p99 < 1ms abort after 10s", "an alert ends no run"),
        ("", "no metric is named"),
    ],
)
def test_what_is_none_is_explained(text: str, what: str) -> None:
    with pytest.raises(UsageError, match="--alert") as caught:
        parse_alerts([text])
    assert what in str(caught.value)


def test_an_alert_is_given_once() -> None:
    with pytest.raises(UsageError, match="given twice"):
        parse_alerts(["rate > 1/s over 60s", "rate > 1/s"])
    assert len(parse_alerts(["rate > 1/s over 60s", "rate > 1/s over 30s"])) == 2
