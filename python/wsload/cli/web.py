"""`--web [ADDRESS]`: an option whose value may be left out."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from wsload.cli.help import GroupedCommand
from wsload.errors import UsageError

if TYPE_CHECKING:
    from wsload.engine import RunRequest

FLAG = "--web"
DEFAULT = "127.0.0.1:8787"
HELP = "Show it in a browser, live while the run goes on; HOST:PORT, or a port.  [default address: 127.0.0.1:8787]"
_ADDRESS = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):)?\d{1,5}")


def view(files: Sequence[Path], address: str) -> None:
    """Serves a run file until Ctrl-C."""
    from wsload.report.web.address import parse_address
    from wsload.report.web.extra import check_extra

    check_extra()
    where = parse_address(address)
    if len(files) > 1:
        raise UsageError("--web: shows one run", "Name one FILE; --html lays several over each other.")
    from wsload.report.web.server import serve
    from wsload.results import RunFile

    with RunFile.open(files[0]):
        pass  # refused now, and not by a page that waits for ever
    serve(files[0], where, lambda url: typer.echo(f"{url}   Ctrl-C ends it", err=True))


@contextlib.contextmanager
def beside(request: "RunRequest", address: str | None) -> "Iterator[RunRequest]":
    """Serves the run that is about to begin, when that is asked for; its file then has its name beforehand."""
    if address is None:
        yield request
        return
    from wsload.report.web.address import parse_address
    from wsload.report.web.child import ViewProcess
    from wsload.report.web.extra import check_extra

    check_extra()
    where = parse_address(address)
    path = request.output or free_name(request)
    with ViewProcess(path, where) as process:
        typer.echo(f"web view: {process.url}", err=True)
        yield replace(request, output=path)


def free_name(request: "RunRequest") -> Path:
    """The name that a run's file will get, for those who must know it beforehand."""
    from datetime import datetime

    from wsload.engine.runner import default_stem
    from wsload.scenario import build_plan

    stem = default_stem(build_plan(request.scenario), request.labels, datetime.now().astimezone())
    names = (Path(f"{stem}{tail}.wsload") for tail in ("", *(f"-{number}" for number in range(2, 1000))))
    return next(path for path in names if not path.exists())


class WebCommand(GroupedCommand):
    """A command with `--web`; `Any` stands for types that Typer keeps private."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Gives `--web` its address where what follows is none."""
        filled = []
        for place, word in enumerate(args):
            filled.append(word)
            following = args[place + 1] if place + 1 < len(args) else ""
            if word == FLAG and not _ADDRESS.fullmatch(following):
                filled.append(DEFAULT)
        return list(super().parse_args(ctx, filled))
