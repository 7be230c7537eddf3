"""The Rust half of wsload. Times are nanoseconds; instants are on CLOCK_MONOTONIC (`time.monotonic_ns`)."""

from collections.abc import Sequence
from typing import Final, final

__all__ = [
    "COUNTERS",
    "FAILURE_KINDS",
    "GAUGES",
    "METRICS",
    "PLAN_SCHEMA_VERSION",
    "Condition",
    "Histogram",
    "Interval",
    "JsonPath",
    "Scripts",
    "Shard",
    "Snapshot",
    "build_info",
    "check_plan",
    "payload_key",
]

COUNTERS: Final[tuple[str, ...]]
"""Names of the counters of an interval; merging adds."""
GAUGES: Final[tuple[str, ...]]
"""Names of the gauges of an interval."""
METRICS: Final[tuple[str, ...]]
"""Names of the latency metrics."""
FAILURE_KINDS: Final[tuple[str, ...]]
"""The closed list of failure kinds."""
PLAN_SCHEMA_VERSION: Final[int]
"""The only plan version this build reads."""

def build_info() -> dict[str, str]:
    """`version`, `profile` (release or debug) and `target` (architecture and system) of this module."""

def check_plan(plan_json: str) -> None:
    """ValueError: what is wrong with a certificate, key, template or matching, for the person who named it."""

@final
class Shard:
    """One worker's share of a run behind one descriptor. Watch `fileno()`, call `poll()` when it is readable."""

    def __new__(cls, plan_json: str, worker: int, workers: int) -> Shard:
        """Reads a plan. ValueError: not a valid plan; OSError: the kernel gives no descriptors."""
    def fileno(self) -> int:
        """The descriptor: readable when `poll` has something to do. Owned by the shard."""
    def connect(self, addresses: Sequence[tuple[str, int]], at_ns: int, first_index: int | None = None) -> None:
        """Begins to open connections at `at_ns`, trying resolved (ip, port) pairs in order.

        With `first_index` the slots have been open before, in a shard that is no more, and intervals are numbered from
        there on.

        ValueError: no address, or one that is not an IP address. RuntimeError: called before.
        """
    def set_addresses(self, addresses: Sequence[tuple[str, int]]) -> None:
        """Later attempts go to these addresses: the name was looked up again. ValueError: as for `connect`."""
    def resolved_in(self, span_ns: int) -> None:
        """Counts how long the resolver took; told to one worker of a run."""
    def fail_dns(self, reason: str, at_ns: int) -> None:
        """Instead of `connect`: the name did not resolve, every first attempt fails with kind `dns`."""
    def go(self, at_ns: int) -> None:
        """Sets the schedule's epoch, the same on all workers. Later calls change nothing."""
    def stop(self) -> None:
        """Sends nothing more, awaits replies up to the reply time-out, closes every connection."""
    def abort(self) -> None:
        """Closes every socket at once; what was measured can still be taken."""
    def poll(self) -> int:
        """Serves what is ready and due for about 2 ms. Bit 0: `take` has something; bit 1: `state` changed."""
    def state(self) -> str:
        """idle, connecting, ready, running, draining, closing or done."""
    def take(self) -> Snapshot | None:
        """The oldest finished interval not yet taken."""

@final
class Scripts:
    """What scripts ask of a shard's connections and are told. Connections go by their place on the worker.

    Commands return 0: done, or to be answered by a note; 1: the connection is gone. After a batch, call `settle`.
    """

    def __new__(cls, shard: Shard) -> Scripts: ...
    def match_by(self, sent: str, received: str) -> int:
        """Number of a way to tell replies: each `echo`, `json:PATH` or `regex:RE`. ValueError: none of these."""
    def send(
        self, index: int, payload: bytes, text: bool, name: int, within_ns: int | None, match_id: int | None
    ) -> int:
        """Sends a message; `within_ns`: a reply is awaited, a note tells it. 2: the message has no key."""
    def receive(self, index: int, within_ns: int) -> tuple[bool, bytes] | tuple[int] | None:
        """A message that came before: is it text, payload. (1,): the connection is gone; None: a note tells it."""
    def iterate(self, index: int) -> int:
        """The opening or the iteration is over. 2: the next one has begun; else a note tells when it does."""
    def think(self, index: int, for_ns: int) -> int: ...
    def ping(self, index: int) -> int: ...
    def close(self, index: int, code: int, reason: str) -> int: ...
    def reconnect(self, index: int) -> int: ...
    def back(self, index: int) -> int:
        """The script has waited for something else: what it sends next counts from now."""
    def over(self, index: int, failed: bool, told: tuple[str, str] | None, expected: bool) -> int:
        """The script has returned or failed; `told`: what is counted, in general and in particular."""
    def notes(self) -> list[tuple[int, int, tuple[bool, bytes] | None]]:
        """Connection and what it is told: 0 opened, 1 begun, 2 message, 3 waited, 4 nothing came in time, 5 closed."""
    def settle(self) -> None:
        """Commands are over: the timer is set."""
    def variable(self, index: int, place: int) -> bytes | None: ...
    def set_variable(self, index: int, place: int, value: bytes) -> None: ...
    def number_of(self, index: int) -> int:
        """Number of the connection over the whole run."""

@final
class Snapshot:
    """One worker's finished interval."""

    def encode(self) -> bytes:
        """The interval as a block for `Interval.merge`. Takes a millisecond or so: call it off the loop's thread."""

@final
class Interval:
    """Any number of workers' blocks of the same interval, merged. Histograms are whole, never percentiles."""

    @staticmethod
    def merge(blocks: Sequence[bytes]) -> Interval:
        """ValueError: no block, one that is damaged, or blocks of different intervals."""
    def encode(self, shift_ns: int = 0) -> bytes:
        """A block for `merge`, with every instant moved to a clock that shows `shift_ns` more."""
    @property
    def index(self) -> int: ...
    @property
    def warmup(self) -> bool:
        """Holds messages that were intended during the warm-up."""
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...
    @property
    def counters(self) -> dict[str, int]: ...
    @property
    def gauges(self) -> dict[str, int]: ...
    @property
    def close_codes(self) -> dict[int, int]:
        """How often each close code was received; 1005: a Close without code, 1006: none (RFC 6455 section 7.1.5)."""
    @property
    def failures(self) -> list[tuple[str, str, int, int, str]]:
        """Kind, detail, count, first seen (instant), example."""
    @property
    def negotiated(self) -> list[tuple[str, str, int]]:
        """Aspect, value, connections: what new connections agreed on with the server."""
    @property
    def events(
        self,
    ) -> list[
        tuple[int, int, int, int, str, str, str | None, int, int | None, int | None, str | None, int, int, bytes]
    ]:
        """Events that were kept, in order: instant, then as in `wsload.results.Event`."""
    @property
    def histograms(self) -> list[tuple[str, str, bytes]]:
        """Metric, message name (empty where it has none), V2-deflate HDR histogram."""

@final
class Histogram:
    """An HDR histogram of nanoseconds, 3 significant digits, 1 ns to 1 h."""

    def __new__(cls) -> Histogram: ...
    def add(self, encoded: bytes) -> None:
        """Adds a V2-deflate histogram. ValueError: not one, or of another range."""
    def subtract(self, encoded: bytes) -> None:
        """Takes away what was added before. ValueError: not a histogram, or never added."""
    def encode(self) -> bytes: ...
    def steps(self) -> bytes:
        """Steps that hold something, ascending: pairs of greatest value and count, unsigned 64-bit little-endian."""
    @property
    def count(self) -> int: ...
    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int: ...
    @property
    def mean(self) -> float: ...
    def value_at_quantile(self, quantile: float) -> int:
        """The value at `quantile` (0 to 1), as its histogram step prints it. ValueError: outside 0 to 1."""

def payload_key(payload: bytes) -> int:
    """What tells a payload from others: 64 bits, the same for the same bytes as long as this module is the same."""

@final
class Condition:
    """A condition of a scenario, by itself."""

    def __new__(cls, condition_json: str) -> Condition:
        """Reads a condition as it stands in a plan.

        Raises:
            ValueError: it is none; the text says why.
        """

    def holds(self, payload: bytes) -> bool:
        """Whether a message with this payload fits."""

@final
class JsonPath:
    """A JSONPath query (RFC 9535)."""

    def __new__(cls, text: str) -> JsonPath:
        """Reads a query.

        Raises:
            ValueError: it is none; the text says where it goes wrong.
        """

    def all(self, payload: bytes) -> list[str]:
        """The JSON texts of all values that it finds; none if the payload is not JSON."""

    def paths(self, payload: bytes) -> list[str]:
        """The normalised paths (RFC 9535 section 2.7) of all values that it finds."""

    def first(self, payload: bytes) -> bytes | None:
        """The JSON text of the first one."""
