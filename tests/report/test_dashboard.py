"""The lines that a terminal shows: what they say, at any width."""

from typing import Any

import pytest

from samples import SECOND, encode, make_interval
from wsload.report.dashboard import BARS, Dashboard, bars
from wsload.results import Failure
from wsload.scenario import LoadModel, Scenario, Stage, build_plan


def dashboard(**load: Any) -> Dashboard:
    return Dashboard(build_plan(Scenario(target="ws://h/", load=LoadModel(connections=1000, **load))), 2)


def second(index: int, *latencies: int, **fields: Any) -> Any:
    known: dict[str, Any] = {
        "counters": {"due": 200, "sent": 200, "answered": 190, "connects_opened": 0},
        "gauges": {"open_connections": 998, "in_flight": 10, "running_ns": SECOND},
        "failures": (),
        "histograms": {("response_time", "m"): encode(*(latencies or (50_000,)))},
    }
    return make_interval(index, **(known | fields))


def lines(shown: Dashboard, width: int = 80) -> list[str]:
    return [line.plain.rstrip() for line in shown.render(width)]


def test_before_the_first_interval_it_says_what_is_done() -> None:
    shown = dashboard()
    assert lines(shown) == ["  starting"]
    shown.on_state("connecting")
    shown.on_ramp(12)
    assert lines(shown) == ["  connecting   12 of 1,000 connections open"]


def test_an_open_loop_with_stages() -> None:
    stages = (Stage(duration_ns=10 * SECOND, target_per_s=200), Stage(duration_ns=20 * SECOND, target_per_s=400))
    shown = dashboard(stages=stages)
    shown.on_state("running")
    shown.on_interval(second(0))
    failures = (Failure("reset", "", 3, 0, ""), Failure("dns", "", 1, 0, ""))
    shown.on_interval(second(11, 80_000, 2_000_000, failures=failures))
    assert lines(shown) == [
        "  running   12 s of 30 s   18 s left   stage 2 of 2, to 400/s",
        "  open        998 of 1,000   10 in flight",
        "  rate        200/s asked   200/s sent   190/s answered",
        "  response    p50 80.1 µs   p99 2.00 ms   max 2.00 ms   now",
        "              p50 80.1 µs   p99 2.00 ms   max 2.00 ms   overall",
        f"  p99         {BARS[0]}{BARS[-1]}  50.0 µs to 2.00 ms, last 2 s",
        "  failures    3 connection reset   1 host name not found",
        "  verdict     figures trusted so far",
    ]


def test_a_closed_loop_that_ends_after_so_many_messages() -> None:
    shown = dashboard(iterations=5000)
    shown.on_state("running")
    shown.on_interval(second(0))
    assert lines(shown)[0] == "  running   1 s   200 of 5,000 messages"
    assert lines(shown)[2] == "  rate        200/s sent   190/s answered"


def test_the_warm_up_is_said_and_what_is_left_counts_it() -> None:
    shown = dashboard(duration_ns=10 * SECOND, warmup_ns=5 * SECOND)
    shown.on_state("running")
    shown.on_interval(second(0, warmup=True))
    assert lines(shown)[0] == "  warming up   1 s of 15 s   14 s left"
    shown.on_interval(second(7))
    shown.on_interval(second(7, warmup=True, counters={"answered": 1}))
    assert lines(shown)[0] == "  running   8 s of 15 s   7 s left"
    assert "200/s sent" in lines(shown)[2], "late replies to the warm-up do not take the place of what is measured"


def test_what_never_came_makes_a_figure_a_lower_bound() -> None:
    shown = dashboard()
    histograms = {("response_time", "m"): encode(50_000), ("response_censored", "m"): encode(SECOND)}
    shown.on_interval(second(0, histograms=histograms))
    assert lines(shown)[3] == "  response    p50 50.0 µs   p99 ≥1.00 s  max ≥1.00 s  now"


def test_connections_that_only_listen() -> None:
    shown = dashboard(idle=True)
    fields: dict[str, Any] = {"counters": {"received": 40, "pushes": 40}, "gauges": {"open_connections": 1000}}
    shown.on_interval(second(0, histograms={("push_gap", ""): encode(SECOND)}, **fields))
    found = lines(shown)
    assert found[1:3] == ["  open        1,000 of 1,000", "  rate        40/s received"]
    assert found[3].startswith("  push gap    p50 1.00 s")


def test_a_run_that_measures_nothing_yet() -> None:
    shown = dashboard()
    shown.on_interval(make_interval(0, counters={}, gauges={}, failures=(), histograms={}))
    assert [line.split()[0] for line in lines(shown)] == ["starting", "open", "verdict"]


def test_thresholds_as_they_stand() -> None:
    plan = build_plan(Scenario(target="ws://h/", load=LoadModel(connections=10)))
    shown = Dashboard(plan, 2, ["response.p99 < 5ms", "response.p50 < 10us"])
    shown.on_interval(second(0))
    (line,) = [line for line in lines(shown) if "thresholds" in line]
    assert line == "  thresholds  1 of 2 hold   FAILED response.p50 < 10us: 50.0 µs"


def test_stopping_takes_the_first_line() -> None:
    shown = dashboard()
    shown.on_interval(second(0))
    shown.stopping = "stopping: draining"
    assert lines(shown)[0] == "  stopping: draining"
    assert len(lines(shown)) > 3


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = dashboard(stages=(Stage(duration_ns=3600 * SECOND, target_per_s=123_456),))
    kinds = ("dns", "refused", "reset", "unanswered", "upgrade_rejected", "protocol_error")
    for index in range(300):
        failures = tuple(Failure(kind, "", 10**6, 0, "") for kind in kinds)
        shown.on_interval(second(index, 50_000 * (index + 1), failures=failures))
    assert max(map(len, lines(shown, width))) <= width
    assert any("p99 " in line for line in lines(shown, width))


def test_bars_are_logarithmic_and_leave_gaps() -> None:
    assert bars([1, 10, 100, None, 10**8]) == f"{BARS[0]}{BARS[1]}{BARS[2]} {BARS[7]}"
    assert bars([5, 5]) == BARS[0] * 2
    assert bars([None]) == " "
