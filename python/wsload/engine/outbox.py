"""What a worker has to say: encoded and written beside the loop, in order."""

import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING

from wsload.engine.channel import RecordType, pack

if TYPE_CHECKING:
    from wsload._core import Snapshot

_LOOK_AGAIN_MS = 100
"""While nobody reads: how long a finished interval waits to be encoded."""


class Outbox:
    """Writes records to a pipe.

    An interval as it is recorded holds 132 KiB for each of its histograms, as a block some kilobytes in all: intervals
    are encoded when they are over, even while the parent does not come to read them.

    The thread lives only while there is something to write: a second thread makes every system call of the first one
    dearer, because the kernel then counts references to the table of descriptors.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._items: deque[Snapshot | bytes] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, item: "Snapshot | bytes") -> None:
        """Queues an interval, or a record that is ready."""
        with self._lock:
            self._items.append(item)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="outbox")
                self._thread.start()

    def close(self) -> None:
        """Waits until everything is written."""
        if thread := self._thread:
            thread.join()

    def _run(self) -> None:
        unsent: deque[memoryview] = deque()
        room = select.poll()
        room.register(self._descriptor, select.POLLOUT)
        while self._encode(unsent):
            if room.poll(_LOOK_AGAIN_MS):
                self._write(unsent)

    def _encode(self, unsent: deque[memoryview]) -> bool:
        """Whether there is something to write."""
        with self._lock:
            items, self._items = self._items, deque()
            if not items and not unsent:
                self._thread = None
                return False
        while items:
            item = items.popleft()
            record = item if isinstance(item, bytes) else pack(RecordType.INTERVAL, item.encode())
            unsent.append(memoryview(record))
        return True

    def _write(self, unsent: deque[memoryview]) -> None:
        # A pipe that has room takes so much without making the writer wait (pipe(7)).
        record = unsent.popleft()
        try:
            written = os.write(self._descriptor, record[: select.PIPE_BUF])
        except OSError:
            # Nobody reads any more: the parent is gone.
            os._exit(1)
        if written < len(record):
            unsent.appendleft(record[written:])
