import csv
import io
import json
import subprocess
from pathlib import Path

import pytest

from made_runs import made_run
from wsload.cli.app import main
from wsload.errors import ExitCode


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, factor in enumerate((1.0, 1.5)):
        made_run(tmp_path / f"{number}.wsload", seed=number, factor=factor, seconds=8, messages=50)
    return tmp_path


def test_runs_are_kept_listed_charted_and_compared(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        assert main(["history", "add", f"{number}.wsload", "--label", f"v{number}"]) == ExitCode.OK
    assert "kept wsload-history/v1/1.wsload" in capsys.readouterr().out
    assert main(["history", "list"]) == ExitCode.OK
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["label", "v0", "v1"]
    assert main(["history", "show", "--metric", "response.p50"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("response.p50\n")
    assert main(["compare", "wsload-history/v0", "wsload-history/v1", "--metric", "response.p50"]) == 3


def test_csv_and_json_have_every_metric(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["history", "add", "0.wsload", "1.wsload", "--label", "v1"])
    capsys.readouterr()
    main(["history", "show", "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 2
    assert {"time", "label", "response_p50_ns", "rate_per_s", "failures_share"} <= set(rows[0])
    main(["history", "show", "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert document["entries"][0]["label"] == "v1"


def test_the_label_is_what_git_calls_the_commit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "x")
    git("tag", "-a", "release/2.0", "-m", "x")
    assert main(["history", "add", "0.wsload"]) == ExitCode.OK
    assert (here / "wsload-history" / "release-2.0" / "0.wsload").exists()


def test_without_git_a_label_is_asked_for(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(here.parent))
    assert main(["history", "add", "0.wsload"]) == ExitCode.USAGE
    assert "--label: git has no name" in capsys.readouterr().err


WRONG = {
    "no folder": (["history", "list", "--in", "none"], "--in: none: no such folder"),
    "metric": (["history", "show", "--metric", "speed"], "--metric: 'speed' is no metric"),
    "label": (["history", "add", "0.wsload", "--label", "../x"], "--label: '../x' is no label"),
    "file": (["history", "add", "none.wsload", "--label", "x"], "none.wsload: no such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_names_the_flag(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = WRONG[name]
    assert main(arguments) == ExitCode.USAGE
    assert words in capsys.readouterr().err
