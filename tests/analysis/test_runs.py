from pathlib import Path

import pytest

from wsload.analysis.runs import find_runs, reject_shared
from wsload.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.wsload", "a.wsload", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_means_its_run_files(folder: Path) -> None:
    assert [path.name for path in find_runs("BASE", str(folder))] == ["a.wsload", "b.wsload"]


def test_a_pattern_and_a_file_mean_themselves(folder: Path) -> None:
    assert find_runs("BASE", f"{folder}/a*.wsload") == find_runs("BASE", f"{folder}/a.wsload") == [folder / "a.wsload"]


def test_a_file_named_like_a_pattern_is_a_file(folder: Path) -> None:
    odd = folder / "run[1].wsload"
    odd.touch()
    assert find_runs("BASE", str(odd)) == [odd]


@pytest.mark.parametrize(
    ("where", "words"), [("none", "no such file"), ("z*.wsload", "no run file"), ("empty", "no run file")]
)
def test_nothing_there_is_said_with_the_arguments_name(folder: Path, where: str, words: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match=f"NEW: .*{words}"):
        find_runs("NEW", str(folder / where))


def test_a_run_on_both_sides_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.wsload is in BASE as well"):
        reject_shared([folder / "a.wsload"], [folder / "." / "a.wsload", folder / "b.wsload"])
