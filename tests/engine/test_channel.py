"""Records between worker and parent."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.engine.channel import HEAD, ChannelError, RecordType, pack, read_record


def read_all(stream: bytes, size: int) -> list[tuple[RecordType, bytes]]:
    async def read() -> list[tuple[RecordType, bytes]]:
        reader = asyncio.StreamReader()
        for start in range(0, len(stream), size):
            reader.feed_data(stream[start : start + size])
        reader.feed_eof()
        records = []
        while (record := await read_record(reader)) is not None:
            records.append(record)
        return records

    return asyncio.run(read())


@given(st.lists(st.tuples(st.sampled_from(RecordType), st.binary(max_size=100)), max_size=5), st.integers(1, 20))
def test_records_survive_however_the_pipe_cuts_them(records: list[tuple[RecordType, bytes]], size: int) -> None:
    stream = b"".join(pack(*record) for record in records)
    assert read_all(stream, size) == records


def test_a_pipe_that_ends_inside_a_record_is_just_over() -> None:
    record = pack(RecordType.STATE, b"ready")
    for length in range(1, len(record)):
        assert read_all(record + record[:length], 3) == [(RecordType.STATE, b"ready")]


def test_garbage_is_no_record_and_no_length_is_believed() -> None:
    with pytest.raises(ChannelError, match="unknown type"):
        read_all(b"hello world", 4)
    with pytest.raises(ChannelError, match="a record of 4294967295 bytes"):
        read_all(HEAD.pack(b"I", 0xFFFF_FFFF), 5)
