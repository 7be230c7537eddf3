"""Writes the fixture of the current run file schema, once, when the schema is released. It is never written again."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from samples import make_header, make_interval  # noqa: E402
from wsload.results import Note, RunFileWriter  # noqa: E402
from wsload.results.file import SCHEMA_VERSION  # noqa: E402


def main() -> None:
    """Writes it unless it is there."""
    path = ROOT / "tests" / "results" / "fixtures" / f"v{SCHEMA_VERSION}.wsload"
    writer = RunFileWriter.create(path, make_header())
    writer.write_epoch(5_000, 1_700_000_000_000_000_000)
    writer.append([make_interval(0), make_interval(1)])
    writer.note(Note(7, "worker_lost", "worker 1 of 2 was lost"))
    writer.finish("completed", "")


if __name__ == "__main__":
    main()
