"""Records between worker and parent."""

import asyncio

import pytest

from wsload.engine.channel import MAX_RECORD_BYTES, ChannelError, RecordType, pack, read_record


async def read_all(*pieces: bytes) -> list[tuple[RecordType, bytes]]:
    reader = asyncio.StreamReader()
    found = []

    async def read() -> None:
        while (record := await read_record(reader)) is not None:
            found.append(record)

    reading = asyncio.create_task(read())
    for piece in pieces:
        reader.feed_data(piece)
        await asyncio.sleep(0)
    reader.feed_eof()
    await reading
    return found


def test_a_record_is_type_length_payload() -> None:
    assert pack(RecordType.STATE, b"done") == b"S\x04\x00\x00\x00done"


@pytest.mark.parametrize("cut", range(1, 14))
def test_records_survive_any_cut(cut: int) -> None:
    stream = pack(RecordType.STATE, b"idle") + pack(RecordType.INTERVAL, b"")
    found = asyncio.run(read_all(stream[:cut], stream[cut:]))
    assert found == [(RecordType.STATE, b"idle"), (RecordType.INTERVAL, b"")]


@pytest.mark.parametrize("length", [1, 5, 8])
def test_a_stream_that_ends_inside_a_record_ends_before_it(length: int) -> None:
    torn = pack(RecordType.ERROR, b"text")[:length]
    assert asyncio.run(read_all(pack(RecordType.STATE, b"idle"), torn)) == [(RecordType.STATE, b"idle")]


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(ChannelError, match="unknown type b'H'"):
        asyncio.run(read_all(b"Hello!"))


def test_a_claimed_length_is_not_believed() -> None:
    with pytest.raises(ChannelError, match=f"{MAX_RECORD_BYTES + 1} bytes"):
        asyncio.run(read_all(b"I" + (MAX_RECORD_BYTES + 1).to_bytes(4, "little")))
