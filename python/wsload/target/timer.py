"""A timer that keeps microseconds, which event loops do not: theirs count milliseconds."""

import asyncio
import ctypes
import heapq
import os
import time
from collections.abc import Callable
from itertools import count

_CLOCK_MONOTONIC, _TFD_TIMER_ABSTIME = 1, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """Calls at instants of the monotonic clock, in order; Linux's timerfd, watched by the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = _LIBC.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._loop.add_reader(self._descriptor, self._fire)

    def call_at(self, at_ns: int, call: Callable[[], None]) -> None:
        """Calls at an instant, or at once if it has passed; calls of one instant in the order in which they came."""
        heapq.heappush(self._due, (at_ns, next(self._order), call))
        if self._due[0][0] == at_ns:
            self._arm()

    def close(self) -> None:
        """Makes the calls that are outstanding now, and nothing more."""
        due, self._due = sorted(self._due), []
        for _, _, call in due:
            call()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _fire(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return
        while self._due and self._due[0][0] <= time.monotonic_ns():
            heapq.heappop(self._due)[2]()
        if self._due:
            self._arm()

    def _arm(self) -> None:
        # 0 would disarm it.
        seconds, nanoseconds = divmod(max(self._due[0][0], 1), 10**9)
        spec = _TimerSpec(_Timespec(0, 0), _Timespec(seconds, nanoseconds))
        _LIBC.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)
