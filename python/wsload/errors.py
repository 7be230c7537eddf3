"""What can go wrong, and whose fault it is.

::

    WsloadError           anything wsload reports without a traceback; has a remedy and an exit code
    ├── UsageError        the user asked for something that cannot be done            exit 2
    │   ├── UsageErrors   several of them, told at once                             exit 2
    │   └── LimitError    this machine cannot hold what was asked for                 exit 2
    ├── NotMeasuredError  a result is asked for what its run did not measure          exit 1
    ├── RunFileError      a run file cannot be written, or is not one                 exit 2
    │   └── DiskFullError there is no room for it                                     exit 2
    ├── ServeError        a server cannot be started                                  exit 1
    ├── ClientError       a service cannot be talked to by hand                       exit 1
    └── EngineError       the load could not be generated                             exit 1
"""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line; the highest rule that applies wins: 2, signals, 1, 99, 3, 5, 4, 0."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REGRESSED = 3
    INCONCLUSIVE = 4
    SUSPECT = 5
    THRESHOLDS = 99
    INTERRUPTED = 130
    TERMINATED = 143


class WsloadError(Exception):
    """An error for a person: what is wrong, and in `remedy` what to do about it."""

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n{self.remedy}" if self.remedy else self.what


class UsageError(WsloadError):
    """A flag, or a value in a file, that cannot be used; `what` begins with its name."""

    exit_code = ExitCode.USAGE


class UsageErrors(UsageError):  # noqa: N818 - several errors
    """Several mistakes of one file; `unshown` more were found."""

    def __init__(self, errors: Sequence[UsageError], unshown: int = 0) -> None:
        super().__init__("\n".join(str(error) for error in errors), f"{unshown} more." if unshown else "")
        self.errors = tuple(errors)
        self.unshown = unshown


class LimitError(UsageError):
    """More than this machine can hold; the remedy has the number that fits."""


class NotMeasuredError(WsloadError):
    """A figure of a result that there is not: nothing of its kind happened in the run."""


class RunFileError(WsloadError):
    """A run file that cannot be written, or a file that is no run file."""

    exit_code = ExitCode.USAGE


class DiskFullError(RunFileError):
    """There is no room for a run file; later there may be."""


class ServeError(WsloadError):
    """A server that cannot be started."""


class ClientError(WsloadError):
    """A service that cannot be reached or does not speak WebSocket, for a client with one connection or a few."""


class EngineError(WsloadError):
    """Workers that cannot be started or have all died."""
