"""`--web [ADDRESS]` on the command line."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cli.test_run import wsload
from report.export_samples import write_run
from samples import make_interval
from serving import serving
from wsload.cli import web
from wsload.cli.app import main
from wsload.errors import ExitCode


def page_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        (["run.wsload", "--web"], "127.0.0.1:8787"),
        (["--web", "run.wsload"], "127.0.0.1:8787"),
        (["--web", "--format", "json", "run.wsload"], "127.0.0.1:8787"),
        (["--web", "0", "run.wsload"], "0"),
        (["run.wsload", "--web", "[::1]:9000"], "[::1]:9000"),
        (["--web=0.0.0.0:80", "run.wsload"], "0.0.0.0:80"),
    ],
)
def test_the_address_may_be_left_out(monkeypatch: pytest.MonkeyPatch, arguments: list[str], address: str) -> None:
    seen: list[tuple[list[Path], str]] = []
    monkeypatch.setattr("wsload.cli.report.view", lambda files, where: seen.append((list(files), where)))
    assert main(["report", *arguments]) == 0
    assert seen == [([Path("run.wsload")], address)]


def test_the_default_is_the_same_in_both_places() -> None:
    from wsload.report.web import address

    assert web.DEFAULT == address.DEFAULT
    assert web.DEFAULT in web.HELP


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.wsload", "--web", "0"], "none.wsload: no such file"),
        (["run.wsload", "run.wsload", "--web", "0"], "--web: shows one run"),
        (["run.wsload", "--web=here"], "--web: 'here' is no address"),
    ],
)
def test_what_cannot_be_viewed_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path, make_interval(0))
    assert main(["report", *arguments]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_a_missing_extra_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("wsload.report.web.extra.find_spec", lambda _: None)
    assert main(["report", "a.wsload", "--web"]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "error: --web: starlette and uvicorn are not installed\n       Install them with: pip install 'wsload[web]'\n"
    )


def test_a_run_has_its_view_while_it_lasts(tmp_path: Path) -> None:
    with serving() as server:
        command = [sys.executable, "-m", "wsload", "run", server.url, "-c", "2", "-d", "1h", "--web", "0"]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.fullmatch(r"web view: (http://127\.0\.0\.1:\d+/)\n", said)
        assert found, said
        pages = (page_of(found[1]) for _ in range(10_000))
        assert any(">running<" in page for page in pages)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert len(list(tmp_path.glob("*.wsload"))) == 1
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(found[1], timeout=20)


def test_a_run_whose_view_cannot_be_served_does_not_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = wsload("run", "ws://127.0.0.1:1/", "--web", address, cwd=tmp_path)
    assert ran.returncode == ExitCode.FAILED
    assert f"--web: cannot listen on {address}" in ran.stderr
    assert list(tmp_path.iterdir()) == []
