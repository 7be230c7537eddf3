"""Which run files a person means by a file, a folder or a pattern."""

import glob
from collections.abc import Sequence
from pathlib import Path

from wsload.errors import UsageError

SUFFIX = ".wsload"
MAX_FILES = 1_000


def find_runs(what: str, where: str) -> list[Path]:
    """The run files of one side: `where` is a file, a folder of them, or a quoted pattern such as `old/*.wsload`.

    Raises:
        UsageError: there are none, or far too many; `what` names the argument.
    """
    path = Path(where)
    if path.is_dir():
        found = [one for one in path.iterdir() if one.suffix == SUFFIX]
        remedy = f"Run files end in {SUFFIX}."
    elif path.exists() or not glob.has_magic(where):
        found, remedy = [path], ""
        if not path.exists():
            raise UsageError(
                f"{what}: {where}: no such file or folder", "Name a run file, a folder or a quoted pattern."
            )
    else:
        # What begins with a dot, or holds a bracket literally, is found by its own name above.
        found = [Path(one) for one in glob.glob(where, recursive=True)]  # noqa: PTH207 - a pattern may be absolute
        found = [one for one in found if one.is_file()]
        remedy = "Quote the pattern so that the shell leaves it alone."
    if not found:
        raise UsageError(f"{what}: {where}: no run file there", remedy)
    if len(found) > MAX_FILES:
        raise UsageError(f"{what}: {where}: {len(found):,} files", f"A side has {MAX_FILES:,} runs at most.")
    return sorted(found)


def reject_shared(base: Sequence[Path], new: Sequence[Path]) -> None:
    """A run on both sides would be compared with itself.

    Raises:
        UsageError: it names the first such file.
    """
    shared = {path.resolve() for path in base} & {path.resolve() for path in new}
    for path in sorted(shared):
        raise UsageError(f"NEW: {path.name} is in BASE as well", "A run belongs to one side.")
