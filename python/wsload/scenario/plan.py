"""The plan: what workers read. Its shape is that of `rust/wsload-core/src/plan.rs`, field for field."""

import base64
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

REDACTED = "***"
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})

Payload = Annotated[
    bytes,
    BeforeValidator(lambda value: base64.b64decode(value, validate=True) if isinstance(value, str) else value),
    PlainSerializer(lambda payload: base64.b64encode(payload).decode(), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanTarget(_Frozen):
    """Where to connect and what to ask for there."""

    host: str
    port: int
    resource: str
    host_header: str


class PlanHandshake(_Frozen):
    """What the opening handshake carries beside what RFC 6455 asks for."""

    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]
    origin: str | None


class ClosedLoad(_Frozen):
    """Each connection keeps `in_flight` messages outstanding."""

    model: Literal["closed"] = "closed"
    in_flight: int


class OpenLoad(_Frozen):
    """Messages are due on a schedule that ignores how the server is doing."""

    model: Literal["open"] = "open"
    rate_per_s: float
    arrivals: Literal["constant", "poisson"]


class IdleLoad(_Frozen):
    """Connections only listen."""

    model: Literal["idle"] = "idle"


Load = Annotated[ClosedLoad | OpenLoad | IdleLoad, Field(discriminator="model")]


class PlanMessage(_Frozen):
    """A message to send."""

    name: str
    kind: Literal["text", "binary"]
    payload: Payload


class Plan(_Frozen):
    """A resolved run. Every `_ns` is nanoseconds; the meaning of each field stands in `plan.rs`."""

    schema_version: Literal[1] = 1
    target: PlanTarget
    handshake: PlanHandshake
    connections: int
    connect_rate_per_s: float | None
    connect_timeout_ns: int
    reply_timeout_ns: int
    source_ips: tuple[str, ...]
    reconnect_attempts: int
    load: Load
    message: PlanMessage | None
    first_message: PlanMessage | None
    matching: Literal["order", "none"]
    duration_ns: int | None
    iterations: int | None
    warmup_ns: int
    interval_ns: int
    grain_ns: int
    seed: int
    max_message_bytes: int

    def to_json(self) -> str:
        """The JSON that a worker reads: secrets included, so it goes through a pipe and nowhere else."""
        return self.model_dump_json()

    def redacted(self) -> Self:
        """The plan as it may be stored: secret headers hold `***`."""
        headers = tuple((k, REDACTED if k.lower() in SECRET_HEADERS else v) for k, v in self.handshake.headers)
        return self.model_copy(update={"handshake": self.handshake.model_copy(update={"headers": headers})})
