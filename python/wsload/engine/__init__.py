"""The fleet: one worker process per core, each an event loop around one Rust shard."""

from wsload.engine.runner import Listener, RunRequest, RunResult, execute

__all__ = ["Listener", "RunRequest", "RunResult", "execute"]
