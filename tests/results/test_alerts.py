"""Alerts, window by window."""

from samples import SECOND, encode, make_interval
from wsload.results import Interval
from wsload.results.alerts import AlertWindows, Event
from wsload.scenario import parse_alerts

MS = 1_000_000


def second(index: int, latency_ms: int, answered: int = 10, *, warmup: bool = False, running: bool = True) -> Interval:
    histograms = {("response_time", "message"): encode(*[latency_ms * MS] * answered)} if answered else {}
    return make_interval(
        index,
        counters={"sent": 10, "answered": answered, "connections_lost": 1},
        gauges={"running_ns": SECOND if running else 0},
        histograms=histograms,
        failures=(),
        warmup=warmup,
    )


def heard(text: str, intervals: list[Interval], asides: tuple[str, ...] = ()) -> list[Event]:
    windows = AlertWindows(parse_alerts([text])[0], asides)
    return [event for interval in intervals for event in windows.add(interval)]


def told(events: list[Event]) -> list[tuple[str, int, int]]:
    return [(event.kind, event.begin_ns // SECOND, event.since_ns // SECOND) for event in events]


def test_every_window_is_judged_by_itself() -> None:
    # Windows of two seconds: 10, 90, 90, 10 ms; the last is over only when another begins.
    latencies = [10, 10, 90, 90, 90, 90, 10, 10, 10]
    events = heard("response.max < 50ms over 2s", [second(at, ms) for at, ms in enumerate(latencies)])
    assert told(events) == [("breach", 2, 2), ("still", 4, 2), ("recovered", 6, 2)]
    assert events[0].end_ns == 4 * SECOND
    assert events[0].result.observed is not None
    assert 90 * MS <= events[0].result.observed < 90.1 * MS


def test_one_wild_second_in_a_window_is_judged_by_the_whole() -> None:
    intervals = [second(at, 90 if at == 3 else 10) for at in range(11)]
    assert heard("response.p50 < 50ms over 10s", intervals) == []
    assert told(heard("response.p99 < 50ms over 10s", intervals)) == [("breach", 0, 0)]


def test_counts_are_those_of_the_window() -> None:
    intervals = [second(at, 10) for at in range(9)]
    assert told(heard("connections.lost <= 1 over 2s", intervals)) == [
        ("breach", 0, 0), ("still", 2, 0), ("still", 4, 0), ("still", 6, 0)
    ]  # fmt: skip
    assert heard("connections.lost <= 2 over 2s", intervals) == []


def test_a_silent_server_is_a_breach_of_its_rate_and_says_nothing_of_latencies() -> None:
    intervals = [second(at, 10, 0 if at in {2, 3} else 10) for at in range(6)]
    assert told(heard("answered.rate > 0/s over 1s", intervals)) == [
        ("breach", 2, 2), ("still", 3, 2), ("recovered", 4, 2)
    ]  # fmt: skip
    assert heard("response.p99 < 50ms over 1s", intervals) == []


def test_replies_that_never_came_break_a_percentile() -> None:
    lost = make_interval(
        0,
        counters={"sent": 10},
        histograms={("response_censored", "message"): encode(20 * MS)},
        failures=(),
    )
    (event,) = heard("response.p99 < 50ms over 1s", [lost, second(1, 10)])
    assert (event.kind, event.result.at_least) == ("breach", True)


def test_warm_up_and_what_is_left_at_the_end_are_not_judged() -> None:
    warm = [second(at, 90, warmup=True) for at in range(4)]
    ending = [second(at, 90, running=False) for at in range(6, 9)]
    intervals = [*warm, second(4, 10), second(5, 10), *ending]
    assert heard("response.max < 50ms over 2s", intervals) == []


def test_messages_beside_the_total_count_by_their_name_only() -> None:
    slow = make_interval(
        0,
        histograms={("response_time", "login"): encode(90 * MS), ("response_time", "say"): encode(10 * MS)},
        failures=(),
    )
    intervals = [slow, second(1, 10)]
    assert heard("response.max < 50ms over 1s", intervals, asides=("login",)) == []
    assert told(heard("response[login].max < 50ms over 1s", intervals, asides=("login",))) == [("breach", 0, 0)]
