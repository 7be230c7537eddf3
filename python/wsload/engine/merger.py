"""Puts the workers' blocks together: an interval is given out once nobody can add to it any more."""

from collections.abc import Iterable

from wsload import _core
from wsload.engine.channel import ChannelError


class Merger:
    """Collects blocks and gives out intervals that are complete, in order."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, bool], list[bytes]] = {}

    def add(self, block: bytes, completed: int) -> _core.Interval:
        """Takes a block of a worker that has completed the intervals up to `completed`; gives back what it says.

        Raises:
            ChannelError: it is damaged, or of an interval that is over.
        """
        try:
            alone = _core.Interval.merge([block])
        except ValueError as error:
            raise ChannelError(str(error)) from None
        if alone.index <= completed:
            raise ChannelError(f"it handed up interval {alone.index} again")
        # Of one interval the warm-up's block comes first.
        self._blocks.setdefault((alone.index, not alone.warmup), []).append(block)
        return alone

    def complete(self, completed: Iterable[int]) -> list[_core.Interval]:
        """Intervals that are complete, given the last one that each worker still alive has completed."""
        last = min(completed, default=None)
        ready = sorted(key for key in self._blocks if last is None or key[0] <= last)
        return [_core.Interval.merge(self._blocks.pop(key)) for key in ready]
