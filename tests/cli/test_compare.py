import json
import re
from pathlib import Path

import jsonschema
import pytest

from made_runs import made_run, made_sides
from wsload.analysis.model import Comparison
from wsload.cli.app import main
from wsload.errors import ExitCode

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two folders, the second slower by 30 %."""
    return [str(folder) for folder in made_sides(tmp_path_factory.mktemp("slower"), factor=1.3, messages=120)]


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two folders of equal servers."""
    return [str(folder) for folder in made_sides(tmp_path_factory.mktemp("equal"), messages=120)]


def test_exit_codes_are_those_that_pipelines_know() -> None:
    assert (int(ExitCode.REGRESSED), int(ExitCode.INCONCLUSIVE)) == (3, 4)


def test_a_regression_has_its_exit_code(slower: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *slower]) == ExitCode.REGRESSED
    assert "REGRESSED: response.p50" in capsys.readouterr().out


def test_equal_sides_are_exit_code_0_and_what_is_open_4_when_strict(
    equal: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    steady = ["--metric", "response.p50", "--metric", "rate"]
    assert main(["compare", *equal, *steady, "--strict"]) == ExitCode.OK
    # No interval is that narrow.
    unsure = [*steady, "--tolerance", "0%"]
    assert main(["compare", *equal, *unsure]) == ExitCode.OK
    assert main(["compare", *equal, *unsure, "--strict"]) == ExitCode.INCONCLUSIVE
    assert "inconclusive" in capsys.readouterr().out


def test_tolerances_decide(slower: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    # In a pipeline a known and accepted slowdown of one metric must not hide another.
    assert main(["compare", *slower, "--metric", "response.p50", "--tolerance", "60%"]) == ExitCode.OK
    arguments = ["--metric", "response.p50", "--tolerance", "60%", "--tolerance", "response.p50=1%"]
    assert main(["compare", *slower, *arguments]) == ExitCode.REGRESSED
    assert "±1 %" in capsys.readouterr().out


def test_json_is_one_document(slower: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", *slower, "--format", "json", "--metric", "response"])
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "regressed"
    assert {row["metric"].partition(".")[0] for row in document["rows"]} == {"response"}


@pytest.mark.parametrize(("form", "start"), [("markdown", "### ✗"), ("junit", "<?xml")])
def test_forms_for_pipelines(slower: list[str], form: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *slower, "--format", form]) == ExitCode.REGRESSED
    assert capsys.readouterr().out.startswith(start)


def test_patterns_and_single_files_are_sides(slower: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    base, new = slower
    assert main(["compare", f"{base}/*.wsload", f"{new}/0.wsload", "--metric", "response.p50"]) in {0, 3}
    assert "(4 runs)" in capsys.readouterr().out


def test_runs_that_are_not_alike_are_refused_unless_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [made_run(tmp_path / "a.wsload", seed=1), made_run(tmp_path / "b.wsload", seed=2, connections=9)]
    arguments = ["compare", *map(str, sides)]
    assert main(arguments) == ExitCode.USAGE
    assert "b.wsload: connections is 9, and 1 in the first run" in capsys.readouterr().err
    assert main([*arguments, "--anyway"]) in {ExitCode.OK, ExitCode.REGRESSED}
    assert "not alike: b.wsload: connections" in " ".join(capsys.readouterr().out.split())


WRONG = {
    "one side": (["compare", "a"], "NEW: two sides are compared"),
    "no such file": (["compare", "none", "none"], "BASE: none: no such file"),
    "tolerance": (["compare", "a", "b", "--tolerance", "5"], "--tolerance: '5' is no share"),
    "above all": (["compare", "a", "b", "--tolerance", "200%"], "--tolerance: '200%' is no share"),
    "metric": (["compare", "a", "b", "--metric", "speed"], "--metric: 'speed' is no metric"),
    "tolerance of nothing": (["compare", "a", "b", "--tolerance", "speed=5%"], "--tolerance: 'speed' is no metric"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_names_the_argument(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = WRONG[name]
    assert main(arguments) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_a_run_is_not_compared_with_itself(slower: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", slower[0], slower[0]]) == ExitCode.USAGE
    assert "in BASE as well" in capsys.readouterr().err


def test_a_torn_file_is_named(slower: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "torn.wsload").write_bytes(b"SQLite format 3\0" + bytes(100))
    assert main(["compare", slower[0], str(tmp_path)]) == ExitCode.USAGE
    assert re.search(r"error: .*torn\.wsload", capsys.readouterr().err)


def test_the_document_is_what_its_schema_says(slower: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", *slower, "--format", "json"])
    schema = json.loads((ROOT / "docs" / "schema" / "comparison.schema.json").read_text(encoding="utf-8"))
    assert schema == Comparison.model_json_schema(by_alias=True, mode="serialization")
    jsonschema.validate(json.loads(capsys.readouterr().out), schema)
