"""How much memory a run will take: what `benchmarks/memory.py` measured, added up.

The constants are resident memory that a process has to itself, on 64-bit Linux; the results they were taken from stand
in `benchmarks/results/memory`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from wsload.scenario import Plan

PARENT_BYTES = 44_000_000
"""The process that keeps the file and prints."""
WORKER_BYTES = 16_000_000
"""A worker without connections: Python, the event loop, and the recorders of its intervals."""
PLAIN_BYTES = 350
"""An open connection."""
TLS_BYTES = 4_210
"""More with TLS."""
DEFLATE_BYTES = 223_000
"""More with permessage-deflate and context takeover on both sides, once something was sent and received."""
RECORDING_BYTES = 530
"""More where a timeline is recorded: the connection's share of its worker's ring of events, and what is kept of it."""
RECORDING_BYTES_MAX = 10_000_000
"""Of a worker: its ring has a bound."""
KERNEL_BYTES = 4_980
"""The kernel's share of a connection's end, without data that waits in it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What bears on the memory of a connection."""

    tls: bool = False
    deflate: bool = False
    """permessage-deflate whose contexts are kept from message to message."""
    recording: bool = False

    @classmethod
    def of(cls, plan: "Plan") -> "Self":
        """That of a plan's connections."""
        offered = plan.handshake.compression
        keeps = offered is not None and not (
            offered.offer.client_no_context_takeover and offered.offer.server_no_context_takeover
        )
        return cls(tls=plan.tls is not None, deflate=keeps, recording=plan.record is not None)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Bytes of memory, by whose they are."""

    processes_bytes: int
    connections_bytes: int
    kernel_bytes: int
    bytes_each: int
    """Of one connection, the kernel's share included."""

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.processes_bytes + self.connections_bytes + self.kernel_bytes


def forecast(connections: int, workers: int, kind: Kind) -> Forecast:
    """What so many connections on so many workers take, when all are open and have been used."""
    each = PLAIN_BYTES + TLS_BYTES * kind.tls + DEFLATE_BYTES * kind.deflate
    recorded = min(connections * RECORDING_BYTES, workers * RECORDING_BYTES_MAX) if kind.recording else 0
    return Forecast(
        processes_bytes=PARENT_BYTES + workers * WORKER_BYTES,
        connections_bytes=connections * each + recorded,
        kernel_bytes=connections * KERNEL_BYTES,
        bytes_each=each + KERNEL_BYTES,
    )
