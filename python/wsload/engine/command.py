"""A server that is started for a run and stopped after it: the whole of its process group, whatever it has started."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from wsload.errors import EngineError, ExitCode, UsageError, WsloadError
from wsload.scenario import parse_address

START_TIMEOUT_S = 60.0
END_TIMEOUT_S = 10.0
POLL_S = 0.02
CONNECT_TIMEOUT_S = 1.0


class TerminatedError(WsloadError):
    """SIGTERM came while no run was there to heed it."""

    exit_code = ExitCode.TERMINATED


@contextlib.contextmanager
def started(flag: str, command: str, url: str, log: Path) -> Iterator[None]:
    """Runs a command, in no shell, until the block is over; begins it when the URL's port takes connections.

    What it prints is appended to `log`.

    Raises:
        UsageError: it is no command, or something else listens there already.
        EngineError: it ends, does not listen in time, or listens when it has been stopped.
    """
    words = _words(flag, command)
    address = parse_address(url, [])
    where = address.host, address.port
    if _listens(where):
        what = f"{flag}: something listens on {where[0]}:{where[1]} already"
        raise UsageError(what, "Stop it, or name another port in the URL and the command.")
    descriptor = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with _heeding_sigterm(), os.fdopen(descriptor, "wb") as output:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise UsageError(f"{flag}: {words[0]}: {error.strerror}", "Check the command's name and path.") from None
        try:
            _await_listening(flag, process, where, log)
            yield
        finally:
            # The run's loop has put the handlers back to what they were before any.
            with _heeding_sigterm():
                stop(process)
                _await_silence(flag, where)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process and all of its group: asked first, then killed."""
    _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + END_TIMEOUT_S
    try:
        # The group may outlive its first process: it holds the port.
        while (process.poll() is None or _lives(process)) and time.monotonic() < deadline:
            time.sleep(POLL_S)
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()


def _words(flag: str, command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{flag}: {str(error).lower()}", "Quote its parts as for a shell.") from None
    if not words:
        raise UsageError(f"{flag}: no command", "Name the command that starts the server in the foreground.")
    return words


def _await_listening(flag: str, process: "subprocess.Popen[bytes]", where: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _listens(where):
        if process.poll() is not None:
            code = process.returncode
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise EngineError(f"{flag}: the server ended ({how}) before it listened", f"{log} has what it said.")
        if time.monotonic() > deadline:
            what = f"{flag}: nothing listens on {where[0]}:{where[1]} after {START_TIMEOUT_S:.0f} s"
            raise EngineError(what, f"{log} has what the server said.")
        time.sleep(POLL_S)


def _await_silence(flag: str, where: tuple[str, int]) -> None:
    """Waits until nobody takes connections: what the server has started in other groups may live a little longer."""
    deadline = time.monotonic() + END_TIMEOUT_S
    while _listens(where):
        if time.monotonic() > deadline:
            what = f"{flag}: {where[0]}:{where[1]} still takes connections after the server was stopped"
            raise EngineError(what, "The command has to stay in the foreground and end all that it has started.")
        time.sleep(POLL_S)


def _listens(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where, timeout=CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _lives(process: "subprocess.Popen[bytes]") -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 0)
        return True
    return False


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextlib.contextmanager
def _heeding_sigterm() -> Iterator[None]:
    """Turns SIGTERM into an exception, so that no server is left behind. A run's loop has handlers of its own."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TerminatedError("stopped by SIGTERM")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
