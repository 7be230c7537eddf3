"""Readings as they are stored, and what they come to."""

from samples import SECOND, make_header, make_interval
from wsload.results import Fold
from wsload.results.watched import Watched, readings

GAUGES = {
    "target_processes": 2,
    "target_rss_bytes": 80_000_000,
    "target_threads": 3,
    "target_scraped": 1,
    "target:process_open_fds": 12_000,
    "target:load": 250,
    "rss_bytes": 5,
}


def test_what_is_stored_is_read_by_source_and_name() -> None:
    found = readings(GAUGES, {"target_cpu_ns": 500_000_000}, 2.0)
    assert found == {
        ("target", "rss_bytes"): 80_000_000,
        ("target", "fds"): 0,
        ("target", "threads"): 3,
        ("target", "processes"): 2,
        ("target", "cpu_cores"): 0.25,
        ("target", "process_open_fds"): 12,
        ("target", "load"): 0.25,
    }
    assert readings({"target_rss_bytes": 5, "target:x": 1}, {}, 1.0) == {}, "nothing was there to be read"


def test_the_measured_part_is_summed_up() -> None:
    fold = Fold(make_header())

    def at(index: int, rss_bytes: int, running_ns: int = SECOND, *, warmup: bool = False) -> None:
        gauges = {"running_ns": running_ns, "target_processes": 1, "target_rss_bytes": rss_bytes}
        fold.add(make_interval(index, gauges=gauges, warmup=warmup))

    at(0, 1, warmup=True)
    for index, rss_bytes in enumerate([60, 90, 50, 70], 1):
        at(index, rss_bytes)
    # The schedule is over, connections are being closed.
    at(5, 10, running_ns=0)
    memory = next(one for one in fold.summary("completed").watched if one.name == "rss_bytes")
    assert memory == Watched(source="target", name="rss_bytes", first=60, last=70, least=50, most=90)
