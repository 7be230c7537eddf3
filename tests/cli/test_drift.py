"""`wsload drift`, and what reports say of long runs."""

import json
from pathlib import Path

import jsonschema
import pytest

from analysis.test_drift import written
from made_runs import made_run
from wsload.cli.app import main

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "drift.schema.json"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    written(folder / "slower.wsload", 20, per_minute=0.1)
    written(folder / "steady.wsload", 20, per_minute=0.0)
    return folder


def test_the_exit_code_tells_whether_something_drifts(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", str(runs / "slower.wsload")]) == 3
    assert "drifting    response.p50  50." in capsys.readouterr().out
    assert main(["drift", str(runs / "steady.wsload")]) == 0
    assert "nothing drifts" in capsys.readouterr().out
    assert main(["drift", str(runs / "slower.wsload"), "--tolerance", "50%"]) == 0
    capsys.readouterr()
    # What is wanted to the last nanosecond cannot be told.
    assert main(["drift", str(runs / "steady.wsload"), "--tolerance", "0%", "--strict"]) == 4


def test_the_document_is_what_its_schema_says(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["drift", str(runs / "slower.wsload"), "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert document["verdict"] == "drifting"
    main(["drift", str(runs / "slower.wsload"), "--format", "markdown"])
    assert "| response.p50 | 50" in capsys.readouterr().out


def test_reports_of_long_runs_speak_of_it(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_run(tmp_path / "long.wsload", seed=1, seconds=320, messages=60)
    main(["report", str(tmp_path / "long.wsload")])
    assert "\ndrift     " in capsys.readouterr().out
    made_run(tmp_path / "short.wsload", seed=1, seconds=20, messages=60)
    main(["report", str(tmp_path / "short.wsload")])
    assert "drift" not in capsys.readouterr().out


def test_a_wrong_tolerance_is_explained(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", str(runs / "steady.wsload"), "--tolerance", "much"]) == 2
    assert "--tolerance" in capsys.readouterr().err
