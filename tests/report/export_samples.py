"""Run files to export."""

from pathlib import Path

from samples import make_header
from wsload.results import Interval, RunFileWriter

HOSTILE = '<script>alert(1)</script> \x1b[31m"quoted" | `x` & \u202eעברית 🙂\\'


def write_run(folder: Path, *intervals: Interval, finished: bool = True, name: str = "run.wsload") -> Path:
    """A run file that holds these."""
    path = folder / name
    writer = RunFileWriter.create(path, make_header())
    writer.write_epoch(5_000, 1_700_000_000_000_000_000)
    writer.append(intervals)
    if finished:
        writer.finish("completed", "")
    else:
        writer.close()
    return path
