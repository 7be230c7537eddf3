from pathlib import Path

import pytest

from samples import make_header
from wsload.errors import RunFileError, UsageError
from wsload.results import RunFile, RunFileWriter
from wsload.results.shelf import keep, kept_runs


def run_file(path: Path, *, finished: bool = True) -> Path:
    writer = RunFileWriter.create(path, make_header())
    if finished:
        writer.finish("completed", "")
    else:
        writer.close()
    return path


def test_a_run_is_copied_to_its_label_and_private(tmp_path: Path) -> None:
    kept = keep(run_file(tmp_path / "a.wsload"), tmp_path / "history", "v1.2")
    assert kept == tmp_path / "history" / "v1.2" / "a.wsload"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    with RunFile.open(kept) as run:
        assert run.outcome == "completed"
    assert kept_runs(tmp_path / "history") == {"v1.2": [kept]}


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    path = run_file(tmp_path / "a.wsload")
    kept = keep(path, tmp_path / "history", "v1.2")
    before = kept.read_bytes()
    with pytest.raises(RunFileError, match="exists already"):
        keep(path, tmp_path / "history", "v1.2")
    assert kept.read_bytes() == before


def test_a_run_that_goes_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        keep(run_file(tmp_path / "a.wsload", finished=False), tmp_path / "history", "v1")
    assert not (tmp_path / "history").exists()


@pytest.mark.parametrize("label", ["", "..", ".", "a/b", "-x", "a b", "x" * 101, "\x1b[2J", "ü"])
def test_a_label_that_is_no_safe_name_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(UsageError, match="--label"):
        keep(run_file(tmp_path / "a.wsload"), tmp_path / "history", label)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.wsload"
    other.write_text("text", encoding="utf-8")
    with pytest.raises(RunFileError, match=r"other\.wsload"):
        keep(other, tmp_path / "history", "v1")


def test_an_empty_folder_and_none_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        kept_runs(tmp_path / "none")
    (tmp_path / "v1").mkdir()
    with pytest.raises(UsageError, match="no runs there"):
        kept_runs(tmp_path)
