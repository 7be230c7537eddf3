"""The plan: what workers read. Its shape is that of `rust/wsload-core/src/plan/`, field for field."""

from typing import Annotated, Literal, Self

from pydantic import Field

from wsload.scenario.parts import REDACTED, Frozen, KeyPair, Payload, Think
from wsload.scenario.program import Program

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


class PlanTarget(Frozen):
    """Where to connect and what to ask for there."""

    host: str
    port: int
    resource: str
    host_header: str


class PlanDial(Frozen):
    """An address to open TCP to."""

    host: str
    port: int


class PlanProxy(Frozen):
    """An HTTP proxy that is asked to connect."""

    authority: str
    authorization: str | None


class Authorities(Frozen):
    """These authorities and no other (PEM)."""

    authorities: str


class PlanIdentity(Frozen):
    """A client certificate and its key (PEM)."""

    certificate: str
    key: str


class PlanTls(Frozen):
    """How a connection is secured."""

    server_name: str
    trust: Literal["system", "anyone"] | Authorities
    identity: PlanIdentity | None
    min_version: Literal["1.2", "1.3"]
    max_version: Literal["1.2", "1.3"]
    resume: bool


class PlanOffer(Frozen):
    """permessage-deflate as it is offered."""

    server_no_context_takeover: bool
    client_no_context_takeover: bool
    server_max_window_bits: int | None
    client_max_window_bits: int


class PlanCompression(Frozen):
    """What is offered, and zlib's level."""

    offer: PlanOffer
    level: int


class PlanPing(Frozen):
    """Pings of ours."""

    interval_ns: int
    timeout_ns: int


class PlanClose(Frozen):
    """Code and reason of our Close at the end."""

    code: int
    reason: str


class PlanHandshake(Frozen):
    """What the opening handshake carries beside what RFC 6455 asks for."""

    headers: tuple[tuple[str, str], ...]
    cookies: tuple[tuple[str, str], ...]
    keep_cookies: bool
    subprotocols: tuple[str, ...]
    require_subprotocol: bool
    origin: str | None
    compression: PlanCompression | None


class _Load(Frozen):
    @property
    def keeps_times(self) -> bool:
        """Whether messages are due on a schedule that ignores how the server is doing."""
        return False


class ClosedLoad(_Load):
    """Each connection keeps `in_flight` messages outstanding; with `think` a user waits between reply and send."""

    model: Literal["closed"] = "closed"
    in_flight: int
    think: Think | None = None


class PlanStage(Frozen):
    """Reach a rate over a time."""

    duration_ns: int
    target_per_s: float


class OpenLoad(_Load):
    """Messages are due on a schedule that ignores how the server is doing."""

    model: Literal["open"] = "open"
    rate_per_s: float
    stages: tuple[PlanStage, ...] = ()
    arrivals: Literal["constant", "poisson"]

    @property
    def keeps_times(self) -> bool:
        """It is such a schedule."""
        return True


class IdleLoad(_Load):
    """Connections only listen."""

    model: Literal["idle"] = "idle"


class EchoLoad(_Load):
    """Connections send back what they receive."""

    model: Literal["echo"] = "echo"


class ReplayLoad(_Load):
    """Connections do what was recorded of others."""

    model: Literal["replay"] = "replay"
    speed: float
    wait_replies: bool
    names: tuple[str, ...]
    script: str
    """As JSON, for workers only; what is stored has none."""

    @property
    def keeps_times(self) -> bool:
        """Unless nothing, or replies, are waited for."""
        return self.speed > 0 and not self.wait_replies


Load = Annotated[ClosedLoad | OpenLoad | IdleLoad | EchoLoad | ReplayLoad, Field(discriminator="model")]


class KeyMatching(Frozen):
    """A message answers the one that holds the same key."""

    key: KeyPair


class PlanMessage(Frozen):
    """A message to send; a template is rendered for each send."""

    name: str
    kind: Literal["text", "binary"]
    payload: Payload
    template: bool = False


class BackoffPause(Frozen):
    """Pauses that are random and grow."""

    law: Literal["backoff"] = "backoff"
    first_ns: int
    longest_ns: int


class StormPause(Frozen):
    """No pause at first, and then always the same."""

    law: Literal["storm"] = "storm"
    every_ns: int


class PlanReconnect(Frozen):
    """When lost connections are opened again."""

    attempts: int
    pause: BackoffPause | StormPause = Field(discriminator="law")


class OneIn(Frozen):
    """One connection in so many; 0: none."""

    one_in: int


class CountOf(Frozen):
    """So many connections."""

    of: int = Field(alias="count")


class PlanSecret(Frozen):
    """A value that must not be stored, and whose it is."""

    name: str
    value: str


class PlanRecord(Frozen):
    """What the timeline keeps."""

    connections: OneIn | CountOf
    on_error: bool
    on_close: bool
    slow_quantile: float | None
    exchanges: int
    payload_bytes: int
    limit_bytes: int
    secrets: tuple[PlanSecret, ...]


class Plan(Frozen):
    """A resolved run. Every `_ns` is nanoseconds; the meaning of each field stands there."""

    schema_version: Literal[1] = 1
    target: PlanTarget
    dials: Annotated[tuple[PlanDial, ...], Field(min_length=1)]
    every_address: bool
    proxy: PlanProxy | None
    tls: PlanTls | None
    handshake: PlanHandshake
    connections: int
    connect_rate_per_s: float | None
    connect_timeout_ns: int
    reply_timeout_ns: int
    source_ips: tuple[str, ...]
    connection_lifetime_ns: int | None
    reconnect: PlanReconnect
    load: Load
    message: PlanMessage | None
    first_message: PlanMessage | None
    matching: Literal["order", "none"] | KeyMatching
    program: Program | None = None
    publishers: int | None
    duration_ns: int | None
    iterations: int | None
    warmup_ns: int
    interval_ns: int
    grain_ns: int
    seed: int
    max_frame_bytes: int
    max_message_bytes: int
    fragment_bytes: int | None
    ping: PlanPing | None
    close: PlanClose
    max_opening: int | None
    record: PlanRecord | None
    redact: tuple[str, ...]

    def to_json(self) -> str:
        """The JSON that a worker reads: secrets included, so it goes through a pipe and nowhere else."""
        return self.model_dump_json(by_alias=True)

    def redacted(self) -> Self:
        """The plan as it may be stored: secret headers, cookies and keys hold `***`."""
        headers = tuple((k, REDACTED if k.lower() in SECRET_HEADERS else v) for k, v in self.handshake.headers)
        cookies = tuple((name, REDACTED) for name, _ in self.handshake.cookies)
        updates: dict[str, object] = {
            "handshake": self.handshake.model_copy(update={"headers": headers, "cookies": cookies})
        }
        if self.proxy and self.proxy.authorization:
            updates["proxy"] = self.proxy.model_copy(update={"authorization": REDACTED})
        if self.tls and self.tls.identity:
            identity = self.tls.identity.model_copy(update={"key": REDACTED})
            updates["tls"] = self.tls.model_copy(update={"identity": identity})
        if self.record:
            names = tuple(secret.model_copy(update={"value": REDACTED}) for secret in self.record.secrets)
            updates["record"] = self.record.model_copy(update={"secrets": names})
        if self.program:
            updates["program"] = self.program.redacted()
        if isinstance(self.load, ReplayLoad):
            updates["load"] = self.load.model_copy(update={"script": ""})
        return self.model_copy(update=updates)
