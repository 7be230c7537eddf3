"""What parent and worker say to each other, through the worker's standard input and output.

Commands are JSON lines: `plan`, `connect`, `go`, `stop`, `abort`. The end of the pipe means that the parent is gone.
Records are one byte of type, a 32-bit little-endian length, and as many bytes: `S` the worker's state as text, `I` an
interval block (see `rust/wsload-core/src/interval/block.rs`), `E` an error as text, `L` what a node has lost, as text.
"""

import asyncio
import struct
from enum import Enum

HEAD = struct.Struct("<cI")
MAX_RECORD_BYTES = 256 << 20
MAX_COMMAND_BYTES = 256 << 20


class RecordType(Enum):
    """First byte of a record."""

    STATE = b"S"
    INTERVAL = b"I"
    ERROR = b"E"
    LOSS = b"L"


class ChannelError(Exception):
    """Bytes that are no record."""


def pack(record_type: RecordType, payload: bytes) -> bytes:
    """A record."""
    return HEAD.pack(record_type.value, len(payload)) + payload


async def read_record(reader: asyncio.StreamReader) -> tuple[RecordType, bytes] | None:
    """The next record; None at the end of the pipe, also when it ends inside a record.

    Raises:
        ChannelError: the bytes are no record.
    """
    try:
        head, length = HEAD.unpack(await reader.readexactly(HEAD.size))
        try:
            record_type = RecordType(head)
        except ValueError:
            raise ChannelError(f"a record of the unknown type {head!r}") from None
        if length > MAX_RECORD_BYTES:
            raise ChannelError(f"a record of {length} bytes")
        return record_type, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
