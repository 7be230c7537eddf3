"""What `wsload run` and `wsload report` write for others."""

import json
import stat
from pathlib import Path

import pytest

from cli.test_run import wsload
from report.export_samples import write_run
from samples import make_interval
from serving import serving
from wsload.cli.app import main
from wsload.errors import ExitCode

ENDINGS = ("html", "json", "csv", "ndjson", "xml", "hlog", "prom", "md")


def test_a_run_exports_what_its_report_exports(tmp_path: Path) -> None:
    asked = [part for ending in ENDINGS for part in ("--export", f"ran.{ending}")]
    with serving() as server:
        ran = wsload("run", server.url, "-n", "50", "-o", "a.wsload", *asked, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    again = [part for ending in ENDINGS for part in ("--export", f"told.{ending}")]
    assert wsload("report", "a.wsload", *again, cwd=tmp_path).stdout == ran.stdout
    for ending in ENDINGS:
        file = tmp_path / f"ran.{ending}"
        assert file.stat().st_size > 100
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        if ending != "html":  # its charts have numbers of their own
            assert file.read_bytes() == (tmp_path / f"told.{ending}").read_bytes()


def test_intervals_are_printed_as_they_happen(tmp_path: Path) -> None:
    with serving() as server:
        ran = wsload("run", server.url, "-n", "50", "-o", "a.wsload", "--format", "ndjson", cwd=tmp_path)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert sum(line["counters"].get("sent", 0) for line in lines) == 50
    told = wsload("report", "a.wsload", "--format", "ndjson", cwd=tmp_path)
    assert told.stdout == ran.stdout


def test_csv_on_standard_output_keeps_its_line_ends(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["report", str(write_run(tmp_path, make_interval(0))), "--format", "csv"]) == 0
    printed = capfdbinary.readouterr().out
    assert printed.count(b"\r\n") == printed.count(b"\n") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--export", "a.pdf"], "the ending says no format"),
        (["--export", "none/a.csv"], "there is no folder none"),
        (["--html", "a.htm"], "--html: a.htm does not end in .html"),
        (["--format", "csv", "other.wsload"], "--format: csv holds one run"),
        (["--html", "a.html", "--export", "a.csv", "other.wsload"], "--export: a.csv: holds one run"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("run.wsload", "other.wsload"):
        write_run(tmp_path, make_interval(0), name=name)
    assert main(["report", "run.wsload", *arguments]) == ExitCode.USAGE
    assert said in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 2, "nothing was written"


def test_a_run_refuses_before_it_starts(tmp_path: Path) -> None:
    ran = wsload("run", "ws://127.0.0.1:1/", "--export", "a.pdf", cwd=tmp_path)
    assert (ran.returncode, list(tmp_path.iterdir())) == (2, [])
    assert ran.stderr.startswith("error: --export: a.pdf: the ending says no format\n")


def test_several_runs_make_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.wsload", "b.wsload"):
        write_run(tmp_path, make_interval(0), name=name)
    assert main(["report", "a.wsload", "b.wsload", "--html", "both.html"]) == 0
    assert "<h1>wsload 2 runs</h1>" in (tmp_path / "both.html").read_text()
