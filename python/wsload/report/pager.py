"""Output of any length: through a pager on a terminal, line by line anywhere else."""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable

from rich.console import Console

from wsload.report.timeline import Row

PAGER = "less -FRX"


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None when it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show(lines: Iterable[Row], *, paged: bool = True) -> None:
    """Prints lines as they come. Whoever reads them may stop at any time."""
    if not sys.stdout.isatty():
        try:
            for line in lines:
                sys.stdout.write(line.plain() + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # What Python would flush at its end has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    command = shlex.split(os.environ.get("PAGER") or PAGER)
    if not paged or shutil.which(command[0]) is None:
        # Standard output may be something that draws a prompt below it.
        console = Console(file=sys.stdout, force_terminal=True, highlight=False, soft_wrap=True)
        for line in lines:
            console.print(line.rich())
        return
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, errors="backslashreplace") as pager:
        console = Console(file=pager.stdin, force_terminal=True, highlight=False, soft_wrap=True)
        try:
            for line in lines:
                console.print(line.rich())
        except (BrokenPipeError, KeyboardInterrupt):
            pass
        finally:
            if pager.stdin:
                with contextlib.suppress(BrokenPipeError):
                    pager.stdin.close()
