from collections import Counter
from pathlib import Path

import pytest

from wsload.engine.rounds import Rounds, Side, Turn, make_folder
from wsload.errors import RunFileError
from wsload.scenario import Scenario


def rounds(count: int, seed: int = 1) -> Rounds:
    def scenario(number: int) -> Scenario:
        return Scenario(target="ws://127.0.0.1:9/", seed=number)

    return Rounds((Side("base", scenario), Side("new", scenario)), count, seed, Path("unused"))


def first_of(turns: list[Turn]) -> list[str]:
    return [turn.side for turn in turns[::2]]


def test_every_round_has_one_run_of_either_side() -> None:
    turns = rounds(7).turns()
    assert Counter((turn.round, turn.side) for turn in turns) == Counter(
        (number, side) for number in range(1, 8) for side in ("base", "new")
    )
    assert [turn.round for turn in turns] == sorted(turn.round for turn in turns)


@pytest.mark.parametrize("seed", range(8))
def test_two_rounds_mirror_each_other_so_that_a_trend_cancels_out(seed: int) -> None:
    sides = [turn.side for turn in rounds(6, seed).turns()]
    for start in range(0, 12, 4):
        assert sides[start : start + 4] == sides[start : start + 4][::-1]
    places = {side: sum(at for at, one in enumerate(sides) if one == side) for side in ("base", "new")}
    assert places["base"] == places["new"]


def test_who_begins_is_drawn_and_repeatable() -> None:
    beginnings = {tuple(first_of(rounds(6, seed).turns())) for seed in range(30)}
    assert len(beginnings) == 8
    assert rounds(6, 5).turns() == rounds(6, 5).turns()


def test_a_folder_is_private_and_never_shared_with_older_runs(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    make_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "old.wsload").touch()
    with pytest.raises(RunFileError, match="is not empty"):
        make_folder(folder)
    with pytest.raises(RunFileError, match="cannot be made"):
        make_folder(folder / "old.wsload")
