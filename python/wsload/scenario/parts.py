"""Parts that the plan and its program are both made of."""

import base64
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

REDACTED = "***"

Payload = Annotated[
    bytes,
    BeforeValidator(lambda value: base64.b64decode(value, validate=True) if isinstance(value, str) else value),
    PlainSerializer(lambda payload: base64.b64encode(payload).decode(), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class Frozen(BaseModel):
    """Nothing can be added or changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FixedThink(Frozen):
    """Always the same wait."""

    law: Literal["fixed"] = "fixed"
    span_ns: int


class UniformThink(Frozen):
    """Any wait between two."""

    law: Literal["uniform"] = "uniform"
    low_ns: int
    high_ns: int


class ExponentialThink(Frozen):
    """Waits of independent users."""

    law: Literal["exponential"] = "exponential"
    mean_ns: int


Think = Annotated[FixedThink | UniformThink | ExponentialThink, Field(discriminator="law")]


class Reconnect(Frozen):
    """Whether and how often a lost connection is opened again."""

    attempts: int = 0
    """Consecutive failures after which it stays closed; 0: it is never opened again."""
    storm: bool = False
    """All at once, without the pauses of RFC 6455 section 7.2.3."""


class Waits(Frozen):
    """Pauses before a connection is opened again."""

    first_ns: int
    longest_ns: int


class JsonKey(Frozen):
    """At a path of a JSON text (RFC 9535, one value)."""

    path: str = Field(alias="json")


class RegexKey(Frozen):
    """What a regular expression finds."""

    expression: str = Field(alias="regex")


KeySpec = Literal["echo"] | JsonKey | RegexKey


class KeyPair(Frozen):
    """Where a key stands in what is sent and in what is received."""

    sent: KeySpec
    received: KeySpec
