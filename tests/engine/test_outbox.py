"""What a worker says gets out whole and in order, and costs little while nobody listens."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from wsload.engine.channel import RecordType, pack
from wsload.engine.outbox import Outbox

if TYPE_CHECKING:
    from wsload._core import Snapshot


class FakeSnapshot:
    """Tells when it is encoded."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.encoded = threading.Event()

    def encode(self) -> bytes:
        self.encoded.set()
        return self._number.to_bytes(4, "big") * 1_000


@contextmanager
def pipe() -> Iterator[tuple[int, Outbox]]:
    read_end, write_end = os.pipe()
    try:
        yield read_end, Outbox(write_end)
    finally:
        os.close(read_end)
        os.close(write_end)


def read(descriptor: int, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        parts += os.read(descriptor, length - len(parts))
    return parts


def test_it_writes_in_order_and_closes_when_all_is_written() -> None:
    records = [pack(RecordType.STATE, str(number).encode()) for number in range(100)]
    with pipe() as (read_end, outbox):
        for record in records:
            outbox.put(record)
        outbox.close()
        assert read(read_end, len(b"".join(records))) == b"".join(records)


def test_it_begins_again_after_it_was_empty() -> None:
    with pipe() as (read_end, outbox):
        for record in (b"one", b"two"):
            outbox.put(record)
            outbox.close()
            assert read(read_end, 3) == record


def test_a_record_larger_than_the_pipe_arrives_whole() -> None:
    record = pack(RecordType.INTERVAL, os.urandom(1 << 20))
    with pipe() as (read_end, outbox):
        outbox.put(record)
        assert read(read_end, len(record)) == record
        outbox.close()


def test_intervals_are_encoded_while_nobody_reads() -> None:
    snapshots = [FakeSnapshot(number) for number in range(64)]
    with pipe() as (read_end, outbox):
        for snapshot in snapshots[:63]:
            outbox.put(cast("Snapshot", snapshot))
        # The pipe, which holds 16 of them, is full by now.
        assert snapshots[62].encoded.wait(30)
        outbox.put(cast("Snapshot", snapshots[63]))
        assert snapshots[63].encoded.wait(30)
        expected = b"".join(pack(RecordType.INTERVAL, snapshot.encode()) for snapshot in snapshots)
        assert read(read_end, len(expected)) == expected
        outbox.close()
