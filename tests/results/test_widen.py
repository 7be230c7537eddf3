"""Stored intervals that widen with age: nothing that was counted is lost, and the file stays within its budget."""

from pathlib import Path

from samples import SECOND, encode, make_header, make_interval
from wsload.results import Fold, Interval, RunFile, RunFileWriter, read_summary


def written(path: Path, intervals: list[Interval], budget_bytes: int = 1 << 30) -> Path:
    writer = RunFileWriter.create(path, make_header())
    writer.write_epoch(0, 1_700_000_000_000_000_000)
    writer.widen_with_age(budget_bytes)
    for one in intervals:
        writer.append([one])
    writer.finish("completed", "")
    return path


def plain(count: int) -> list[Interval]:
    return [make_interval(number) for number in range(count)]


def widths(path: Path) -> list[tuple[int, int]]:
    """Of the intervals from the oldest on: width in seconds, and how many follow each other."""
    runs: list[tuple[int, int]] = []
    with RunFile.open(path) as run:
        for one in run.intervals():
            width = (one.end_ns - one.start_ns) // SECOND
            runs = [*runs[:-1], (width, runs[-1][1] + 1)] if runs and runs[-1][0] == width else [*runs, (width, 1)]
    return runs


def test_seconds_become_tens_of_seconds_and_these_minutes(tmp_path: Path) -> None:
    file = written(tmp_path / "a.wsload", plain(4200))
    # Ten minutes of seconds, fifty of tens, and minutes before.
    assert widths(file) == [(60, 10), (10, 300), (1, 600)]


def test_the_summary_is_that_of_the_whole(tmp_path: Path) -> None:
    course = plain(1500)
    fold = Fold(make_header())
    for one in course:
        fold.add(one)
    file = written(tmp_path / "a.wsload", course)
    assert read_summary(file) == fold.summary("completed", "", file)


def test_warm_up_and_gaps_stay_apart(tmp_path: Path) -> None:
    warm = [make_interval(number, warmup=number < 15) for number in range(25)]
    gap = [make_interval(n, start_ns=(n + 3) * SECOND, end_ns=(n + 4) * SECOND) for n in range(25, 1000)]
    file = written(tmp_path / "a.wsload", [*warm, *gap])
    with RunFile.open(file) as run:
        found = [(one.start_ns // SECOND, one.end_ns // SECOND, one.warmup) for one in run.intervals()]
    assert found[:5] == [(0, 10, True), (10, 15, True), (15, 20, False), (20, 25, False), (28, 30, False)]


def test_a_file_that_outgrows_its_budget_widens_further(tmp_path: Path) -> None:
    one = encode(*range(1_000, 900_000, 997))
    histograms = {("response_time", f"message {number}"): one for number in range(10)}
    course = [make_interval(number, histograms=histograms) for number in range(3000)]
    budget_bytes = 1 << 20
    file = written(tmp_path / "a.wsload", course, budget_bytes)
    assert file.stat().st_size < 3 * budget_bytes
    assert widths(file)[0][0] > 60
    assert read_summary(file).messages.sent == 100 * 3000
