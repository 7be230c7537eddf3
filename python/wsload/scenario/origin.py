"""Where a scenario came from: what is stored of its file, so that a run can be repeated."""

from typing import Any

from wsload.scenario.parts import Frozen


class FileUsed(Frozen):
    """A file that the scenario names, and the SHA-256 of its content."""

    path: str
    sha256: str


class Origin(Frozen):
    """A scenario file without its secrets, and what was given to it."""

    path: str
    text: str
    name: str = ""
    environment: str | None = None
    variables: tuple[tuple[str, Any], ...] = ()
    files: tuple[FileUsed, ...] = ()
