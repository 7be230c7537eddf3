"""The web view beside a run: a process of its own, so that no browser ever holds up the load."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from wsload.errors import ServeError
from wsload.report.web.address import Address

PATIENCE_S = 5.0


class ViewProcess:
    """Serves the file of a run that is about to begin, for as long as the context lasts."""

    def __init__(self, path: Path, address: Address) -> None:
        self._command = [sys.executable, "-m", "wsload.report.web", str(path), address.authority]
        self.url = ""

    def __enter__(self) -> Self:
        """Starts it.

        Raises:
            ServeError: nothing can listen there; no view is running.
        """
        # A session of its own: Ctrl-C is for the run, which goes on and drains.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        kind, _, text = self._process.stdout.readline().strip().partition(" ")
        if kind != "url":
            self._end()
            what, _, remedy = text.partition("\t")
            raise ServeError(what or "--web: the view ended before it began", remedy)
        self.url = text
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Its input ends: it tells browsers the last news and goes; if it does not, it is made to."""
        process = self._process
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101 - asked for above
        process.stdin.close()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
