import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from wsload.engine import command
from wsload.engine.command import TerminatedError, started
from wsload.errors import EngineError, ExitCode, UsageError

# A server with a child that holds the port as well: stopping the first process alone would leave it behind.
SERVER = """
import os, socket, sys, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
child = os.fork()
if child:
    print(f"child {child}", flush=True)
while True:
    connection, _ = listening.accept()
    connection.close()
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(SERVER, encoding="utf-8")
    return path


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_runs_for_a_block_and_all_of_it_ends_with_it(port: int, script: Path, tmp_path: Path) -> None:
    log = tmp_path / "base.log"
    with started("--base-cmd", f"{sys.executable} {script} {port}", f"ws://127.0.0.1:{port}/", log):
        assert listens(port)
    assert not listens(port)
    child = int(log.read_text(encoding="utf-8").split()[1])
    # It is gone, or waits for its new parent to notice.
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text(encoding="utf-8").split()[2] == "Z"
    assert log.stat().st_mode & 0o777 == 0o600


def test_it_ends_when_the_block_fails(port: int, script: Path, tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{port}/"
    with pytest.raises(ZeroDivisionError), started("--c", f"{sys.executable} {script} {port}", url, tmp_path / "log"):
        raise ZeroDivisionError
    assert not listens(port)


def test_a_server_that_ends_at_once_is_told_with_where_its_words_are(port: int, tmp_path: Path) -> None:
    log = tmp_path / "new.log"
    failing = f"{sys.executable} -c 'import sys; sys.exit(\"no such database\")'"
    url, told = f"ws://127.0.0.1:{port}/", r"--new-cmd: the server ended \(exit code 1\)"
    with pytest.raises(EngineError, match=told) as caught, started("--new-cmd", failing, url, log):
        pass
    assert str(log) in caught.value.remedy
    assert "no such database" in log.read_text(encoding="utf-8")


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        url = f"ws://127.0.0.1:{other.getsockname()[1]}/"
        with pytest.raises(UsageError, match="something listens on"), started("--c", "true", url, tmp_path / "log"):
            pass
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("given", "words"), [("", "no command"), ("'open", "no closing quotation"), ("/no/such/program", "No such file")]
)
def test_what_is_no_command_is_refused(given: str, words: str, port: int, tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{port}/"
    with pytest.raises(UsageError, match=f"--c: .*{words}"), started("--c", given, url, tmp_path / "log"):
        pass


def test_the_server_has_a_group_of_its_own(port: int, script: Path, tmp_path: Path) -> None:
    # Ctrl-C on the terminal must reach wsload alone: it drains first.
    url = f"ws://127.0.0.1:{port}/"
    with started("--c", f"{sys.executable} {script} {port}", url, tmp_path / "log"):
        (child,) = [int(word) for word in (tmp_path / "log").read_text(encoding="utf-8").split()[1:]]
        assert os.getpgid(child) != os.getpgid(0)


def test_sigterm_stops_the_server_first(port: int, script: Path, tmp_path: Path) -> None:
    url, before = f"ws://127.0.0.1:{port}/", signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(TerminatedError) as caught,
        started("--c", f"{sys.executable} {script} {port}", url, tmp_path / "log"),
    ):
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == ExitCode.TERMINATED
    assert not listens(port)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_server_that_goes_into_the_background_is_told(
    port: int, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "END_TIMEOUT_S", 0.2)
    url, log = f"ws://127.0.0.1:{port}/", tmp_path / "log"
    # The first process stays; the server leaves its group.
    hidden = f"sh -c 'setsid {sys.executable} {script} {port} & sleep 100'"
    try:
        with pytest.raises(EngineError, match="still takes connections"), started("--c", hidden, url, log):
            pass
    finally:
        child = int(log.read_text(encoding="utf-8").split()[1])
        os.killpg(os.getpgid(child), signal.SIGKILL)
