"""A run for other tools: one format each, all from the run file, written as it is read."""

import importlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from wsload.errors import UsageError, WsloadError
from wsload.report.export.rows import Thresholds
from wsload.results import RunFile, summarize

FORMATS = ("json", "ndjson", "csv", "junit", "hlog", "prometheus", "markdown")
"""Each but the first has a module of its own, loaded when it is asked for: some need numpy, some a library."""
ENDINGS = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".xml": "junit",
    ".hlog": "hlog",
    ".prom": "prometheus",
    ".md": "markdown",
    ".html": "html",
}


def format_of(path: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        UsageError: its ending says nothing, or its folder does not exist.
    """
    name = ENDINGS.get(path.suffix.lower())
    if name is None:
        what = f"--export: {path}: the ending says no format"
        raise UsageError(what, f"Known endings: {', '.join(ENDINGS)}.")
    if not path.parent.is_dir():
        raise UsageError(f"--export: {path}: there is no folder {path.parent}", "Make it first, or name another.")
    return name


def render(path: Path, format_name: str, thresholds: Thresholds = None) -> Iterator[str]:
    """A run file in a format of `FORMATS`, piece by piece; `thresholds` take the place of its own.

    Raises:
        RunFileError: the file cannot be read.
    """
    with RunFile.open(path) as run:
        if format_name == "json":
            yield summarize(run, thresholds).to_json() + "\n"
        else:
            yield from importlib.import_module(f"wsload.report.export.{format_name}").render(run, thresholds)


def write(pieces: Iterable[str], path: Path) -> None:
    """Writes a file whole or not at all, mode 0600, over one that exists.

    Raises:
        WsloadError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        # Made anew: a file that others left there would keep its owner and its mode.
        partial.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        with os.fdopen(os.open(partial, flags, stat.S_IRUSR | stat.S_IWUSR), "w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        remedy = "Free some space, or write to another folder."
        raise WsloadError(f"--export: {path}: cannot be written: {error.strerror}", remedy) from None
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
