"""The drift of a run in words."""

from wsload.analysis.drift import Drift, Row
from wsload.report.drift import amount, drift_lines, markdown, shown_name

MINUTE_NS = 60 * 10**9


def made(metric: str, unit: str, verdict: str, *values: float) -> Row:
    per_hour, low, high, over_run, level, first, last = values
    return Row.model_validate(
        {"metric": metric, "unit": unit, "verdict": verdict, "per_hour": per_hour, "low": low, "high": high,
         "over_run": over_run, "matters": 1.0, "level": level, "first": first, "last": last, "chance": 0.01,
         "windows": 110}
    )  # fmt: skip


SLOWER = made("response.p50", "ns", "drifting", 3e6, 2.9e6, 3.1e6, 2.95e6, 50e6, 50.1e6, 53e6)
LEAK = made("target.rss_bytes", "bytes", "drifting", 60.9e6, 60.7e6, 61.2e6, 60e6, 80e6, 81e6, 100e6)
UNSURE = made("response.p99", "ns", "cannot tell", -8e5, -7.5e6, 5.9e6, -3.8e5, 55e6, 54.6e6, 55.3e6)
STEADY = made("rate", "per_s", "steady", 0, 0, 0, 0, 200, 200, 200)


def drift(*rows: Row, hours: float = 1.0, **changes: object) -> Drift:
    document = {
        "wsload_version": "0.1.0", "file": "a.wsload", "verdict": "drifting", "level": 0.95, "begin_ns": MINUTE_NS,
        "end_ns": MINUTE_NS + round(hours * 60) * MINUTE_NS, "window_ns": 32 * 10**9, "restarts": 0, "by_hours": False,
        "rows": list(rows), "skipped": [],
    } | changes  # fmt: skip
    return Drift.model_validate(document)


def test_what_drifts_comes_first_and_what_is_steady_in_one_line() -> None:
    lines = drift_lines(drift(STEADY, UNSURE, SLOWER, LEAK, restarts=2))
    assert lines == [
        "drift     2 of 4 metrics drift  from 1 min to 1 h 1 min  110 windows of 32 s  2 restarts of the target",
        "  drifting    response.p50     50.1 ms to 53.0 ms  +3.00 ms per hour (+2.90 ms to +3.10 ms)  +5.9 % in all",
        "              target's memory  81.0 MB to 100 MB   +60.9 MB per hour (+60.7 MB to +61.2 MB)  between restarts",
        "  cannot tell response.p99     54.6 ms to 55.3 ms  -800 µs per hour (-7.50 ms to +5.90 ms)   -0.7 % in all",
        "  steady      rate",
    ]


def test_nothing_that_drifts_is_said() -> None:
    assert drift_lines(drift(STEADY))[0].startswith("drift     nothing drifts  from 1 min to 1 h 1 min")
    assert drift_lines(drift(skipped=["rate: 9 windows are too few"])) == [
        "drift     too little was measured to tell",
        "  not judged  rate: 9 windows are too few",
    ]


def test_half_a_day_may_be_part_of_a_cycle() -> None:
    caution = "  a run of less than two days cannot tell a drift from a part of a daily cycle"
    assert drift_lines(drift(SLOWER, hours=12))[-1] == caution
    assert caution not in drift_lines(drift(SLOWER, hours=1))
    assert drift_lines(drift(SLOWER, hours=72, by_hours=True))[-1] == "  the same hours of different days were compared"


def test_amounts_have_units_and_signs() -> None:
    share = made("failures", "share", "steady", 0.012, 0, 0, 0, 0, 0, 0)
    assert amount(share, 0.012, sign=True) == "+1.2 %"
    assert amount(share, -3.0, sign=True) == "-300 %"
    assert amount(made("target.cpu_cores", "cores", "steady", *[0.0] * 7), 0.257) == "0.257 cores"
    assert amount(made("target.fds", "count", "steady", *[0.0] * 7), 1234.5) == "1.23e+03"
    assert amount(STEADY, -0.5, sign=True) == "-0.5/s"


def test_names_of_a_page_are_escaped() -> None:
    assert shown_name("target.x\x1b[31m|y") == "target's x\\u{1b}[31m|y"
    row = made("target.x|y", "other", "steady", *[1.0] * 7)
    assert markdown(drift(row))[-1].startswith("| target's x\\|y | 1 | 1 | +1 |")
