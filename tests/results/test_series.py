"""A run over time: windows widen, and lose nothing."""

from samples import SECOND, encode, make_interval
from wsload.results import Failure, Series


def filled(count: int, limit: int) -> Series:
    series = Series(SECOND, limit)
    for index in range(count):
        series.add(make_interval(index))
    return series


def test_windows_are_intervals_while_there_is_room() -> None:
    windows = filled(5, 5).windows
    assert [(window.start_ns, window.end_ns) for window in windows] == [
        (i * SECOND, (i + 1) * SECOND) for i in range(5)
    ]
    assert windows[2].per_second("sent") == 100
    assert windows[2].failures == {"unanswered": 1}


def test_windows_widen_and_lose_nothing() -> None:
    series = filled(1000, 60)
    windows = series.windows
    assert series.width_ns == 32 * SECOND
    assert len(windows) == 32
    assert sum(window.counters["sent"] for window in windows) == 100_000
    assert sum(window.failures.total() for window in windows) == 1000
    assert sum(window.latency("response_time").count for window in windows) == 2000
    assert series.measured("response_time").count == 2000
    assert (windows[0].start_ns, windows[-1].end_ns) == (0, 1000 * SECOND)
    assert windows[-1].gauges["rss_bytes"] == 1_999, "gauges are those of the last interval"
    assert windows[0].per_second("sent") == 100


def test_the_ramp_is_a_window_of_its_own() -> None:
    series = Series(SECOND)
    series.add(make_interval(0, start_ns=-300_000_000, end_ns=0, counters={"connects_opened": 5}))
    series.add(make_interval(1, start_ns=0, end_ns=SECOND))
    assert [window.counters["connects_opened"] for window in series.windows] == [5, 0]


def test_the_warm_up_is_in_the_windows_and_not_in_what_was_measured() -> None:
    series = Series(SECOND)
    series.add(make_interval(0, warmup=True))
    series.add(make_interval(0, counters={"sent": 7}, gauges={"open_connections": 3}))
    (window,) = series.windows
    assert window.counters["sent"] == 107
    assert window.gauges["open_connections"] == 3
    assert window.latency("response_time").count == 4
    assert series.measured("response_time").count == 2


def test_what_was_never_answered_counts_with_its_age() -> None:
    blobs = {
        ("response_time", "a"): encode(1_000),
        ("response_time", "b"): encode(2_000),
        ("response_censored", "a"): encode(5_000_000),
        ("response_uncertain", "a"): encode(1_000),
    }
    series = Series(SECOND)
    series.add(make_interval(0, histograms=blobs, failures=(Failure("reset", "", 2, 0, ""),)))
    assert series.messages("response_time") == ["a", "b"]
    assert series.measured("response_time", "a").count == 2
    assert series.measured("response_time").max_ns > 4_900_000
    assert series.measured("response_uncertain").count == 0
    assert series.windows[0].latency("none").count == 0


def test_messages_beside_the_iterations_are_in_no_total() -> None:
    series = Series(SECOND, asides={"login"})
    blobs = {("response_time", "say"): encode(1_000), ("response_time", "login"): encode(9_000_000)}
    series.add(make_interval(0, histograms=blobs))
    assert series.measured("response_time").max_ns < 1_100
    assert series.windows[0].latency("response_time").count == 1
    assert series.measured("response_time", "login").count == 1
    assert series.messages("response_time") == ["login", "say"]
