"""The scenario: what a person asks for, from flags today, with the rules that tie its parts together.

Times are nanoseconds and rates are per second here; flags and files write them with units (`wsload.units`).
"""

import re
import secrets
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wsload.errors import UsageError
from wsload.scenario.origin import Origin
from wsload.scenario.parts import Reconnect, Think, Waits
from wsload.scenario.program import Program
from wsload.scenario.record import Recording, check_recording, check_redacted
from wsload.scenario.sources import expand_sources
from wsload.scenario.thresholds import parse_thresholds
from wsload.scenario.url import Address, parse_address, parse_template
from wsload.scenario.wire import (
    MIN_PING_NS,
    Compression,
    Proxy,
    TlsOptions,
    check_close,
    check_tls,
    parse_dial,
    parse_matching,
)
from wsload.units import format_duration, format_rate

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
FORBIDDEN_HEADERS = {
    "connection": "Leave it out: wsload sends it, as RFC 6455 demands.",
    "upgrade": "Leave it out: wsload sends it, as RFC 6455 demands.",
    "sec-websocket-key": "Leave it out: each connection needs its own.",
    "sec-websocket-version": "Leave it out: there is only version 13.",
    "sec-websocket-accept": "Leave it out: the server sends it.",
    "sec-websocket-extensions": "Use --compress.",
    "sec-websocket-protocol": "Use --subprotocol.",
    "origin": "Use --origin.",
    "cookie": "Use --cookie.",
    "content-length": "Leave it out: an upgrade request has no body.",
    "transfer-encoding": "Leave it out: an upgrade request has no body.",
}
SECOND = 10**9
DEFAULT_DURATION_NS = 10 * SECOND
DEFAULT_SIZE_BYTES = 32
MAX_CONNECTIONS = 10_000_000
MAX_DIALS = 255
MAX_LIMIT_BYTES = 1 << 30
MIN_LIFETIME_NS = 10_000_000
MIN_WAIT_NS = 1_000_000
MAX_MESSAGE_BYTES = 64 << 20
"""Of what is sent and what is taken, so that what a message file holds may come back."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(_Part):
    """What to send: text, the bytes of a file, or `size_bytes` of filler made from the seed."""

    text: str | None = None
    file: Path | None = None
    size_bytes: int | None = None
    binary: bool = False


class Stage(_Part):
    """Reach a rate linearly over a time; 0: at once."""

    duration_ns: int
    target_per_s: float


class LoadModel(_Part):
    """How much traffic, and what starts it."""

    connections: int = 1
    connect_rate_per_s: float | None = None
    duration_ns: int | None = None
    iterations: int | None = None
    warmup_ns: int = 0
    idle: bool = False
    echo: bool = False
    rate_per_s: float | None = None
    rate_per_conn_per_s: float | None = None
    stages: tuple[Stage, ...] = ()
    arrivals: Literal["constant", "poisson"] | None = None
    in_flight: int | None = None
    think: Think | None = None
    publishers: int | None = None
    connection_lifetime_ns: int | None = None
    grain_ns: int = 250_000


class Scenario(_Part):
    """A run as asked for. Rules over several fields are checked here, whatever the fields came from."""

    target: str
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    keep_cookies: bool = False
    user: str | None = None
    bearer: str | None = None
    subprotocols: tuple[str, ...] = ()
    require_subprotocol: bool = False
    origin: str | None = None
    compression: Compression | None = None
    connect_to: tuple[str, ...] = ()
    every_address: bool = False
    proxy: Proxy | None = None
    tls: TlsOptions = TlsOptions()
    message: Message = Message()
    first_message: str | None = None
    match: str = "order"
    match_received: str | None = None
    load: LoadModel = LoadModel()
    connect_timeout_ns: int = 10 * SECOND
    reply_timeout_ns: int = 10 * SECOND
    reconnect: Reconnect = Reconnect()
    reconnect_wait: Waits | None = None
    source_ips: tuple[str, ...] = ()
    max_frame_bytes: int = MAX_MESSAGE_BYTES
    max_message_bytes: int = MAX_MESSAGE_BYTES
    fragment_bytes: int | None = None
    ping_interval_ns: int | None = None
    ping_timeout_ns: int | None = None
    close_code: int = 1000
    close_reason: str = ""
    serialize_connects: bool = False
    thresholds: tuple[str, ...] = ()
    record: Recording | None = Recording()
    redact: tuple[str, ...] = ()
    program: Program | None = Field(default=None, exclude=True)
    """The steps of a scenario file; stored with the plan, without secrets and rows."""
    origin_file: Origin | None = None
    seed: int = Field(default_factory=lambda: secrets.randbits(32))

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_tls(self.tls, self.address.scheme)
        check_close(self.close_code, self.close_reason)
        self._check_ways()
        parse_matching(self.match, self.match_received)
        parse_thresholds(self.thresholds)
        self._check_limits()
        if self.record is not None:
            check_recording(self.record)
        check_redacted(self.redact)
        self._check_load()
        self._check_messages()
        self._check_handshake()
        self._check_reconnect()
        return self

    def _check_ways(self) -> None:
        """Where connections come from and go to."""
        expand_sources(self.source_ips)
        for address in self.connect_to:
            parse_dial(address)
        _require(
            len(self.connect_to) <= MAX_DIALS,
            f"--connect-to: {len(self.connect_to)} addresses",
            f"At most {MAX_DIALS}.",
        )
        _require(
            self.proxy is None or len(self.connect_to) < 2,
            "--connect-to: several addresses, and a proxy",
            "A proxy is asked for one address: name one, or leave --proxy out.",
        )

    def _check_limits(self) -> None:
        for flag, limit in (("--max-frame", self.max_frame_bytes), ("--max-message", self.max_message_bytes)):
            _require(1 <= limit <= MAX_LIMIT_BYTES, f"{flag}: {limit} bytes", "It takes 1 byte to 1 GiB.")
        fragment = self.fragment_bytes
        _require(fragment is None or fragment >= 1, f"--fragment: {fragment} bytes", "It takes at least 1 byte.")
        interval, timeout = self.ping_interval_ns, self.ping_timeout_ns
        _require(interval is None or interval >= MIN_PING_NS, "--ping-interval: too short", "It takes at least 1ms.")
        _require(timeout is None or timeout > 0, "--ping-timeout: no time at all", "The default is 10s.")
        _require(
            timeout is None or interval is not None,
            "--ping-timeout: no pings are sent",
            "Add --ping-interval, such as 30s.",
        )
        _require(
            not self.serialize_connects or self.load.connect_rate_per_s is None,
            "--serialize-connects: --connect-rate is given as well",
            "One connection at a time has no rate of its own: drop one of the two.",
        )

    def _check_reconnect(self) -> None:
        waits = self.reconnect_wait
        if waits is None:
            return
        _require(not self.reconnect.storm, "--reconnect-wait: a storm waits for nothing", "Drop one of the two.")
        _require(
            MIN_WAIT_NS <= waits.first_ns <= waits.longest_ns,
            "--reconnect-wait: the first wait is above the longest, or below 1ms",
            "Write the first before the longest, such as 1s,30s.",
        )

    def _check_load(self) -> None:
        load = self.load
        _require(
            1 <= load.connections <= MAX_CONNECTIONS,
            f"--connections: {load.connections} connections",
            f"It takes at least 1 and at most {MAX_CONNECTIONS:,}.",
        )
        _require(
            load.iterations is None or load.iterations > 0,
            f"--iterations: {load.iterations} messages",
            "It takes at least 1.",
        )
        _require(load.duration_ns is None or load.duration_ns > 0, "--duration: a run of no time", "Try 10s.")
        _require(
            load.in_flight is None or load.in_flight > 0,
            f"--in-flight: {load.in_flight}",
            "It takes at least 1.",
        )
        _require(
            load.in_flight is None or load.in_flight <= 1_000_000,
            f"--in-flight: {load.in_flight}",
            "It takes at most 1,000,000.",
        )
        _require(1_000 <= load.grain_ns <= 100_000_000, "--grain: outside 1us to 100ms", "The default is 250us.")
        for flag, rate in (
            ("--rate", load.rate_per_s),
            ("--rate-per-conn", load.rate_per_conn_per_s),
            ("--connect-rate", load.connect_rate_per_s),
        ):
            _require(
                rate is None or 1e-6 <= rate <= 1e9,
                f"{flag}: {format_rate(rate)}" if rate is not None else "",
                "A rate is above 0 and at most 1,000,000,000/s.",
            )
        for flag, timeout_ns in (
            ("--connect-timeout", self.connect_timeout_ns),
            ("--reply-timeout", self.reply_timeout_ns),
        ):
            _require(timeout_ns > 0, f"{flag}: no time at all", "The default is 10s.")
        lifetime = load.connection_lifetime_ns
        _require(
            lifetime is None or lifetime >= MIN_LIFETIME_NS,
            "--connection-lifetime: too short",
            "It takes at least 10ms.",
        )
        self._check_stages()
        self._check_publishers()
        self._check_schedule()

    def _check_stages(self) -> None:
        load = self.load
        if not load.stages:
            return
        for flag, given in (
            ("--rate", load.rate_per_s),
            ("--rate-per-conn", load.rate_per_conn_per_s),
            ("--duration", load.duration_ns),
        ):
            _require(given is None, f"{flag}: --stage is given as well", "Stages set it: drop one of the two.")
        length_ns = sum(stage.duration_ns for stage in load.stages)
        _require(length_ns > load.warmup_ns, "--stage: the stages have no length", "Give them time: 30s:20k/s.")
        _require(self.total_rate_per_s > 0, "--stage: no rate is above 0", "Give one a rate, such as 30s:20k/s.")

    def _check_publishers(self) -> None:
        load = self.load
        if load.publishers is None:
            return
        _require(
            1 <= load.publishers <= load.connections,
            f"--publishers: {load.publishers} of {load.connections} connections",
            "It takes 1 to all of them.",
        )
        scheduled = load.rate_per_s or load.rate_per_conn_per_s or load.stages
        _require(bool(scheduled), "--publishers: nothing is scheduled", "Add --rate, --rate-per-conn or --stage.")
        given = self.message.text is not None or self.message.file is not None
        _require(
            given or (self.message.size_bytes is None and not self.message.binary),
            "--publishers: a made-up message has no key",
            "Write one with -m '{\"id\": {{$id}}}' --match json:$.id, or leave --size and --binary out.",
        )
        _require(
            not given or self.match not in {"order", "none"},
            f"--publishers: --match {self.match} does not tell messages apart",
            "Name the key: -m '{\"id\": {{$id}}}' --match json:$.id.",
        )

    def _check_schedule(self) -> None:
        load = self.load
        rates = [
            flag
            for flag, rate in (
                ("--rate", load.rate_per_s),
                ("--rate-per-conn", load.rate_per_conn_per_s),
                ("--stage", load.stages),
            )
            if rate
        ]
        _require(
            load.think is None or not rates,
            f"--think: {(rates or [''])[0]} makes the loop open",
            "Users who think are a closed loop; an open loop with pauses needs a scenario. Drop one of the two.",
        )
        _require(load.think is None or not self.unscheduled, f"--think: {self.unscheduled} sends nothing", "Drop one.")
        _require(
            load.think is None or load.in_flight in {None, 1},
            "--think: --in-flight is above 1",
            "A user thinks about one reply at a time: drop one of the two.",
        )
        _require(
            len(rates) < 2,
            "--rate-per-conn: --rate is given as well",
            "Name the rate of all connections together, or of each.",
        )
        _require(not (load.idle and load.echo), "--echo: --idle is given as well", "Drop one of the two.")
        if quiet := self.unscheduled:
            _require(not rates, f"{(rates or [''])[0]}: {quiet} has no schedule", "Drop one of the two.")
            _require(load.in_flight is None, f"--in-flight: {quiet} has no schedule", "Drop one of the two.")
            _require(load.iterations is None, f"--iterations: {quiet} has no schedule", "Bound the run by --duration.")
        if rates:
            _require(
                load.in_flight is None,
                f"--in-flight: it belongs to a closed loop, {rates[0]} makes the loop open",
                "Drop one of the two.",
            )
        else:
            _require(
                load.arrivals is None,
                "--arrivals: without --rate there is no schedule",
                "Add --rate or --rate-per-conn.",
            )
            _require(
                self.match != "none" or bool(self.unscheduled),
                "--match none: a closed loop waits for replies",
                "Add --rate or --rate-per-conn, or drop --match none.",
            )
        duration_ns = None if load.stages else self.duration_ns
        if rates and duration_ns is not None and (load.warmup_ns + duration_ns) * self.total_rate_per_s < SECOND:
            # Message 0 is due at once; a rate that small would test nothing but that one message.
            _require(
                load.iterations is not None,
                f"{rates[0]}: at {format_rate(self.total_rate_per_s)} only one message is due"
                f" in {format_duration(load.warmup_ns + duration_ns)}",
                "Raise the rate or the duration.",
            )

    def _check_messages(self) -> None:
        message = self.message
        given = [
            flag
            for flag, value in (
                ("--message", message.text),
                ("--message-file", message.file),
                ("--size", message.size_bytes),
            )
            if value is not None
        ]
        _require(
            len(given) < 2,
            f"{given[-1] if given else ''}: {given[0] if given else ''} is given as well",
            "Name one source of the message.",
        )
        if self.program is not None:
            of_flags = [*given, *(flag for flag, value in self._of_one_message() if value)]
            _require(not of_flags, f"{(of_flags or [''])[0]}: the scenario file has the messages", "Drop it.")
        if quiet := self.unscheduled:
            _require(
                not given,
                f"{given[0] if given else ''}: {quiet} has no message of its own",
                "Drop one of the two; --first-message goes out once per connection.",
            )
            _require(not message.binary, f"--binary: {quiet} has no message of its own", "Drop one of the two.")
        size = message.size_bytes
        _require(size is None or 0 <= size <= MAX_MESSAGE_BYTES, f"--size: {size} bytes", "It takes 0 bytes to 64 MiB.")

    def _of_one_message(self) -> tuple[tuple[str, bool], ...]:
        return (
            ("--binary", self.message.binary),
            ("--first-message", self.first_message is not None),
            ("--match", self.match != "order"),
            ("--match-received", self.match_received is not None),
            ("--echo", self.load.echo),
        )

    def _check_handshake(self) -> None:
        for name, value in self.headers:
            flag = f"-H/--header: {name}"
            _require(TOKEN.fullmatch(name) is not None, f"{flag} is not a header name", "Write 'Name: value'.")
            _require(
                name.lower() not in FORBIDDEN_HEADERS,
                f"{flag} cannot be set",
                FORBIDDEN_HEADERS.get(name.lower(), ""),
            )
            _check_value(flag, value)
        for name, value in self.cookies:
            _require(
                TOKEN.fullmatch(name) is not None and not set(value) & set(' ",;\\'),
                f"--cookie: {name} is not a valid cookie",
                "Write name=value without spaces, commas or semicolons.",
            )
            _check_value(f"--cookie: {name}", value)
        for name in self.subprotocols:
            _require(
                TOKEN.fullmatch(name) is not None,
                f"--subprotocol: {name!r} is not a token",
                "A subprotocol has no spaces or separators.",
            )
        _require(
            len(set(self.subprotocols)) == len(self.subprotocols),
            "--subprotocol: one is named twice",
            "RFC 6455 wants each once.",
        )
        _require(
            not self.require_subprotocol or bool(self.subprotocols),
            "--require-subprotocol: none is offered",
            "Offer one with --subprotocol.",
        )
        if self.origin is not None:
            _check_value("--origin", self.origin)
        _require(self.user is None or ":" in self.user, "-u/--user: it has no ':'", "Write NAME:PASSWORD.")
        for flag, secret in (("--bearer", self.bearer), ("-u/--user", self.user)):
            _check_value(flag, secret or "")

    @property
    def address(self) -> Address:
        """The target, taken apart; what differs between connections stands in it as a template."""
        varies = self.program is not None and self.program.handshake_template
        return (parse_template if varies else parse_address)(self.target, list(self.params))

    @property
    def total_rate_per_s(self) -> float:
        """Messages per second over all connections, the highest that stages reach; 0 without a schedule."""
        load = self.load
        if load.stages:
            return max(stage.target_per_s for stage in load.stages)
        senders = load.connections if load.publishers is None else load.publishers
        return load.rate_per_s or (load.rate_per_conn_per_s or 0.0) * senders

    @property
    def unscheduled(self) -> str:
        """The flag by which connections have no message of their own; empty if they have."""
        return "--idle" if self.load.idle else "--echo" if self.load.echo else ""

    @property
    def duration_ns(self) -> int | None:
        """The measured part; 10 s unless a duration or a number of messages is asked for."""
        if self.load.stages:
            return sum(stage.duration_ns for stage in self.load.stages) - self.load.warmup_ns
        if self.load.duration_ns is None and self.load.iterations is None:
            return DEFAULT_DURATION_NS
        return self.load.duration_ns


def _require(holds: bool, what: str, remedy: str) -> None:
    if not holds:
        raise UsageError(what, remedy)


def _check_value(flag: str, value: str) -> None:
    printable = all(char == "\t" or " " <= char <= "~" or char > "\x9f" for char in value)
    _require(
        printable,
        f"{flag} has a control character in its value",
        "Header values are one line of printable text.",
    )
