"""Workers that take the place of lost ones: whether there is one, from when on it counts, what is left for it to do."""

from collections import Counter, deque
from dataclasses import dataclass, replace

from wsload.engine.resume import cut_stages
from wsload.results import Interval
from wsload.scenario import OpenLoad, Plan

START_NS = 1_500_000_000
"""Until a new process is ready to connect."""
CONNECTING = 2
"""Intervals from there until its schedule goes on."""
MOST, WITHIN_NS = 3, 60 * 10**9
"""A worker that is lost so often within this time is lost for good."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a successor falls in with the others, monotonic ns."""

    first_index: int
    at_ns: int
    """It begins to connect: a boundary of everybody's intervals."""
    epoch_ns: int
    """Its schedule goes on: another one."""
    plan: Plan


class Successors:
    """Decides for one run. Instants are monotonic ns."""

    def __init__(self, plan: Plan, workers: int) -> None:
        self._plan = plan
        self._workers = workers
        self._losses: dict[int, deque[int]] = {}
        self._attempts: Counter[int] = Counter()
        """Of each worker, the greatest number of an attempt that was seen."""
        self._later: dict[int, list[tuple[int, int]]] = {}
        """Of each worker that had successors: from which interval on attempts count from which number."""

    def entry(self, number: int, last: tuple[int, int], now_ns: int, epoch_ns: int) -> Entry | None:
        """Where the successor of worker `number` falls in; `last` is the last interval: its number and its end.

        None: there is none. A number of messages cannot be shared anew, deliveries of what others publish are only
        known to one who has seen all, and near the end of the run it is not worth it.
        """
        plan = self._plan
        if plan.duration_ns is None or plan.iterations is not None or plan.publishers is not None:
            return None
        warm_ns = epoch_ns + plan.warmup_ns + (plan.reply_timeout_ns + plan.interval_ns if plan.warmup_ns else 0)
        steps = -(-(now_ns + START_NS - last[1]) // plan.interval_ns)
        at_ns = last[1] + steps * plan.interval_ns
        again_ns = at_ns + CONNECTING * plan.interval_ns
        end_ns = epoch_ns + plan.warmup_ns + plan.duration_ns
        if last[1] < warm_ns or again_ns + plan.interval_ns > end_ns or not self._has_luck(number, now_ns):
            return None
        index = last[0] + 1 + steps
        self._later.setdefault(number, []).append((index, self._attempts[number]))
        update: dict[str, object] = {"warmup_ns": 0, "duration_ns": end_ns - again_ns}
        if isinstance(plan.load, OpenLoad) and plan.load.stages:
            stages = cut_stages(plan.load.stages, again_ns - epoch_ns)
            update["load"] = plan.load.model_copy(update={"stages": stages})
        return Entry(index, at_ns, again_ns, plan.model_copy(update=update))

    def place(self, interval: Interval) -> Interval:
        """The interval with attempts numbered on where a worker has had predecessors."""
        if not interval.events:
            return interval
        events = interval.events
        if self._later:
            events = tuple(
                one._replace(attempt=one.attempt + self._before(one.connection % self._workers, interval.index))
                for one in events
            )
        for one in events:
            number = one.connection % self._workers
            self._attempts[number] = max(self._attempts[number], one.attempt)
        return interval if events is interval.events else replace(interval, events=events)

    def _before(self, number: int, index: int) -> int:
        return max((attempts for first, attempts in self._later.get(number, ()) if index >= first), default=0)

    def _has_luck(self, number: int, now_ns: int) -> bool:
        losses = self._losses.setdefault(number, deque(maxlen=MOST))
        losses.append(now_ns)
        return len(losses) < MOST or now_ns - losses[0] > WITHIN_NS
