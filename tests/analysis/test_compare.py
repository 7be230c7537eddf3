from pathlib import Path

import pytest

from made_runs import made_run, made_sides
from wsload.analysis.compare import Tolerances, compare
from wsload.analysis.model import Comparison, Row
from wsload.analysis.series import Series, read_series


def side(folder: Path) -> list[Series]:
    return [read_series(path) for path in sorted(folder.iterdir())]


def compared(folders: tuple[Path, Path], tolerances: Tolerances | None = None) -> Comparison:
    return compare(side(folders[0]), side(folders[1]), named=("base", "new"), tolerances=tolerances)


def row(result: Comparison, name: str) -> Row:
    return next(one for one in result.rows if one.full_name == name)


def test_a_slower_side_has_regressed_by_what_it_is_slower(tmp_path: Path) -> None:
    result = compared(made_sides(tmp_path, factor=1.3))
    assert result.verdict == "regressed"
    for name in ("response.p50", "response.p90", "service.p50"):
        found = row(result, name)
        assert found.verdict == "regressed"
        assert found.low < 1.3 < found.high
        assert found.basis == "runs"
    assert row(result, "rate").verdict == row(result, "failures").verdict == "unchanged"


def test_a_faster_side_has_improved(tmp_path: Path) -> None:
    result = compared(made_sides(tmp_path, factor=0.7))
    assert row(result, "response.p50").verdict == "improved"
    assert result.verdict in {"improved", "inconclusive"}


def test_equal_sides_are_unchanged_where_figures_are_steady(tmp_path: Path) -> None:
    result = compared(made_sides(tmp_path))
    assert row(result, "response.p50").verdict == "unchanged"
    assert "regressed" not in {one.verdict for one in result.rows}


def test_a_tolerance_makes_a_change_one_that_does_not_matter(tmp_path: Path) -> None:
    result = compared(made_sides(tmp_path, factor=1.3), Tolerances(0.05, {"response": 0.6, "response.p90": 0.01}))
    verdicts = {one.full_name: one.verdict for one in result.rows}
    assert verdicts["response.p50"] == "unchanged"
    assert verdicts["response.p90"] == verdicts["service.p50"] == "regressed"


def test_one_run_a_side_goes_by_its_time_blocks_and_says_what_it_cannot_see(tmp_path: Path) -> None:
    result = compared(made_sides(tmp_path, runs=1, factor=1.5, seconds=30))
    found = row(result, "response.p50")
    assert (found.basis, found.verdict) == ("blocks", "regressed")
    assert found.low < 1.5 < found.high
    assert "nothing of how one run differs" in result.warnings[0]


def test_runs_too_short_for_blocks_are_left_out_and_said(tmp_path: Path) -> None:
    result = compared(made_sides(tmp_path, runs=1, seconds=4))
    assert {skipped.metric for skipped in result.skipped} >= {"response.p50", "rate"}
    assert result.verdict == "inconclusive"


def test_failures_regress_by_percentage_points(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    base.mkdir()
    new.mkdir()
    for number in range(4):
        made_run(base / f"{number}.wsload", seed=number, failed=0)
        made_run(new / f"{number}.wsload", seed=number + 10, failed=9)
    found = row(compared((base, new)), "failures")
    assert (found.scale, found.verdict) == ("difference", "regressed")
    assert found.base == 0
    assert found.low < 9 / 309 < found.high


def test_rounds_of_one_comparison_are_paired_whatever_their_files_are_called(tmp_path: Path) -> None:
    sides = tmp_path / "base", tmp_path / "new"
    for place, (folder, names) in enumerate(zip(sides, ("abc", "zyx"), strict=True)):
        folder.mkdir()
        for number, name in enumerate(names):
            labels = {"comparison": "x", "round": str(number + 9), "side": folder.name}
            made_run(folder / f"{name}.wsload", seed=2 * number + place, factor=1 + number / 2, labels=labels)
    result = compared(sides)
    assert result.paired
    assert [run.labels["round"] for run in result.new.runs] == ["9", "10", "11"]
    # Each round is slower by half than the one before: between runs that is all there is, within rounds it is gone.
    assert row(result, "response.p50").basis == "rounds"
    assert row(result, "response.p50").verdict == "unchanged"


def test_the_curve_has_a_band_for_either_side(tmp_path: Path) -> None:
    result = compared(made_sides(tmp_path, factor=1.3))
    quantiles = [point.quantile for point in result.curve]
    assert quantiles == sorted(quantiles)
    assert {0.5, 0.99} <= set(quantiles)
    assert 0.9999 not in quantiles
    for point in result.curve:
        assert point.base_low
        assert point.base_high
        assert point.ratio_low
        assert point.ratio_high
        assert point.base_low <= point.base <= point.base_high
        assert point.ratio_low <= point.ratio <= point.ratio_high


def test_each_message_name_is_compared_where_there_are_several(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    for folder, chat in ((base, 1.0), (new, 1.5)):
        folder.mkdir()
        for number in range(4):
            factors = {"login": 1.0, "chat": chat}
            made_run(folder / f"{number}.wsload", seed=number + int(100 * chat), factors=factors, messages=150)
    result = compared((base, new))
    assert row(result, "response.p50[chat]").verdict == "regressed"
    assert row(result, "response.p50[login]").verdict == "unchanged"
    assert row(result, "response.p99[chat]").low < 1.5 < row(result, "response.p99[chat]").high


def test_a_single_message_name_is_not_compared_twice(tmp_path: Path) -> None:
    assert {one.message for one in compared(made_sides(tmp_path, messages=100)).rows} == {""}


@pytest.mark.parametrize("runs", [2, 3])
def test_side_that_came_after_the_other_is_said(tmp_path: Path, runs: int) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    base.mkdir()
    new.mkdir()
    for number in range(runs):
        made_run(base / f"{number}.wsload", seed=number)
        made_run(new / f"{number}.wsload", seed=number + 10)
    assert any("before those of the other" in warning for warning in compared((base, new)).warnings)


def test_memory_is_compared_where_the_target_was_watched(tmp_path: Path) -> None:
    for name, memory_bytes in (("base", 80_000_000), ("new", 100_000_000)):
        (tmp_path / name).mkdir()
        for number in range(4):
            made_run(tmp_path / name / f"{number}.wsload", seed=number + len(name), memory_bytes=memory_bytes)
    result = compared((tmp_path / "base", tmp_path / "new"))
    found = row(result, "memory")
    assert (found.verdict, found.unit) == ("regressed", "bytes")
    assert found.base == pytest.approx(80e6, rel=0.01)
    assert found.low < 1.25 < found.high


def test_memory_that_only_some_runs_watched_is_left_out_and_said(tmp_path: Path) -> None:
    folders = made_sides(tmp_path, runs=2)
    made_run(folders[0] / "watched.wsload", seed=9, memory_bytes=80_000_000)
    result = compared(folders)
    assert [(one.metric, one.why) for one in result.skipped if one.metric == "memory"] == [
        ("memory", "not watched in some of the runs")
    ]
    assert "memory" not in {one.metric for one in result.rows}
