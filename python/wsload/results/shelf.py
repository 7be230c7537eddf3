"""A folder that keeps run files by label: `FOLDER/LABEL/NAME.wsload`. The folders are all there is to it."""

import os
import re
from pathlib import Path

from wsload.errors import RunFileError, UsageError
from wsload.results.file import RunFile

SUFFIX = ".wsload"
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+@~-]{0,99}")


def keep(path: Path, folder: Path, label: str) -> Path:
    """Copies a finished run to a label; the copy's path.

    Raises:
        UsageError: the label is no name for a folder, or the run goes on.
        RunFileError: it is no run file, is there already, or cannot be written.
    """
    if not LABEL.fullmatch(label):
        remedy = "Use letters, digits and . _ + @ ~ -, such as v1.2.0."
        raise UsageError(f"--label: {label!r} is no label", remedy)
    with RunFile.open(path) as run:
        if not run.finished:
            raise UsageError(f"{path}: this run has not ended", "Add it when it has, or run it again.")
    kept = folder / label / f"{path.name.removesuffix(SUFFIX)}{SUFFIX}"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as copy:
            copy.write(path.read_bytes())
    except FileExistsError:
        raise RunFileError(f"{kept}: exists already", "It has been added before, or another of its name.") from None
    except OSError as error:
        raise RunFileError(f"{kept}: cannot be written: {error.strerror}", "Name another folder with --in.") from None
    return kept


def kept_runs(folder: Path) -> dict[str, list[Path]]:
    """The run files of each label, by name.

    Raises:
        UsageError: there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise UsageError(f"--in: {folder}: no such folder", "Begin one with `wsload history add FILE --in FOLDER`.")
    found = {one.name: sorted(one.glob(f"*{SUFFIX}")) for one in sorted(folder.iterdir()) if one.is_dir()}
    runs = {label: paths for label, paths in found.items() if paths}
    if not runs:
        raise UsageError(f"--in: {folder}: no runs there", "Add some with `wsload history add FILE --in FOLDER`.")
    return runs
