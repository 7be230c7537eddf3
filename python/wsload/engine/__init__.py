"""The fleet: one worker process per core, each an event loop around one Rust shard.

A worker imports this package as well, so what only the parent needs is imported when it is asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsload.engine.runner import Listener, RunRequest, RunResult, execute, execute_async
    from wsload.engine.watch import WatchRequest

__all__ = ["Listener", "RunRequest", "RunResult", "WatchRequest", "execute", "execute_async"]


def __getattr__(name: str) -> object:
    if name == "WatchRequest":
        from wsload.engine.watch import WatchRequest

        return WatchRequest
    if name in __all__:
        from wsload.engine import runner

        return getattr(runner, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
