"""wsload: load and soak testing for WebSocket services.

From Python: `wsload.run("ws://127.0.0.1:9000/", connections=100, rate="1k/s", duration="5s")`; see docs/python-api.md.
"""

import importlib

TYPE_CHECKING = False  # typing itself would take longer to load than all the rest of this module
if TYPE_CHECKING:
    from wsload.api import (
        Connection,
        ConnectionClosedError,
        ExpectationError,
        Message,
        NoMessageError,
        NoReplyError,
        Result,
        Scenario,
        ns,
        run,
        run_async,
        script,
    )

__version__ = "0.1.0"
__all__ = [
    "Connection",
    "ConnectionClosedError",
    "ExpectationError",
    "Message",
    "NoMessageError",
    "NoReplyError",
    "Result",
    "Scenario",
    "__version__",
    "ns",
    "run",
    "run_async",
    "script",
]


def __getattr__(name: str) -> object:
    # Every part of wsload imports this module: what it offers is loaded when it is asked for.
    if name in __all__:
        return getattr(importlib.import_module("wsload.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
