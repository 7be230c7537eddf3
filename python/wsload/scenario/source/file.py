"""The shape of a scenario file. Quantities become numbers here; names and templates are the compiler's business."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from wsload.errors import UsageError
from wsload.scenario.parts import Reconnect, Think, Waits
from wsload.scenario.wire import parse_compression
from wsload.scenario.words import parse_close_codes, parse_reconnect, parse_seed, parse_think, parse_waits
from wsload.units import parse_count, parse_duration, parse_rate, parse_size

SCHEMA_TITLE = "wsload scenario"


class Part(BaseModel):
    """Known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value:
                if key not in known:
                    raise PydanticCustomError("unknown_key", "{key}", {"key": key, "known": known})
        return value


def _quantity(parse: Callable[[str], Any], example: str, description: str) -> tuple[Any, Any]:
    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise PydanticCustomError("quantity", "{what}", {"what": "takes " + description, "remedy": example})
        try:
            return parse(str(value))
        except UsageError as error:
            raise PydanticCustomError("quantity", "{what}", {"what": error.what, "remedy": error.remedy}) from None

    schema = {"type": ["string", "number"], "description": description, "examples": [example]}
    return BeforeValidator(read), WithJsonSchema(schema)


def _text(value: Any) -> Any:
    # A port or a version is written as a number and means its text.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


_TEXT_SCHEMA = WithJsonSchema({"type": ["string", "number"]})
Text = Annotated[str, BeforeValidator(_text), _TEXT_SCHEMA]
Duration = Annotated[int, *_quantity(parse_duration, "30s", "a duration")]
Rate = Annotated[float, *_quantity(parse_rate, "20k/s", "a rate")]
Count = Annotated[int, *_quantity(parse_count, "50k", "a whole number")]
Size = Annotated[int, *_quantity(parse_size, "64KiB", "a size")]
Again = Annotated[Reconnect, *_quantity(parse_reconnect, "forever", "never, forever, storm or a number of attempts")]
WaitsText = Annotated[Waits, *_quantity(parse_waits, "1s,30s", "two waits")]
Seed = Annotated[int, *_quantity(parse_seed, "7f3a", "a hexadecimal number")]
ThinkText = Annotated[Think, *_quantity(parse_think, "uniform:1s,3s", "a wait")]
Compress = Annotated[Any, *_quantity(parse_compression, "on", "compression")]


OneOrMore = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


CloseCodes = Annotated[tuple[int, int], *_quantity(parse_close_codes, "4000-4099", "a close code or a range of them")]


def _one(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Bytes(Part):
    """Bytes by their hexadecimal digits, or text."""

    hex: Text | None = None
    text: Text | None = None


class Range(Part):
    """Bytes, both ends included."""

    min: Size = 0
    max: Size = 1 << 30


class Conditions(Part):
    """What a message must be; all that is written must hold."""

    type: Literal["text", "binary"] | None = None
    equals: Text | None = None
    contains: Text | None = None
    regex: str | None = None
    prefix: Annotated[Bytes, BeforeValidator(lambda v: v if isinstance(v, dict) else {"text": v})] | None = None
    json_tests: dict[str, Any] | None = Field(None, alias="json", description="JSONPath: a value, or tests of it")
    by_schema: dict[str, Any] | None = Field(None, alias="schema", description="a JSON Schema")
    size: Annotated[Range, BeforeValidator(lambda v: v if isinstance(v, dict) else {"min": v, "max": v})] | None = None
    negated: "Conditions | None" = Field(None, alias="not")


class CaptureSpec(Part):
    """Which part of a message a variable keeps."""

    json_path: str | None = Field(None, alias="json")
    regex: str | None = None
    span: tuple[int, int] | None = Field(None, alias="bytes", description="first byte, and the first one after it")
    sticky: bool = Field(default=False, description="kept over reconnects")


Captures = dict[str, Annotated[CaptureSpec, BeforeValidator(lambda v: {"json": v} if isinstance(v, str) else v)]]


class ExpectSpec(Conditions):
    """What a received message must be, and what to keep of it."""

    within: Duration | None = None
    count: Count = 1
    nothing: bool = False
    order: str | None = Field(None, description="JSONPath: of count messages, its value grows from each to the next")
    capture: Captures = {}


class MatchSpec(Part):
    """Where the key stands that ties a reply to its message."""

    json_path: str | None = Field(None, alias="json")
    regex: str | None = None
    sent: str | None = None
    received: str | None = None


class ReplySpec(Part):
    """What answers a message."""

    match: Literal["order", "echo"] | MatchSpec = "order"
    within: Duration | None = None


class MessageSpec(Part):
    """A message: one of its payloads, and what answers it."""

    name: str | None = None
    text: Text | None = None
    json_value: Any = Field(None, alias="json")
    xml: str | None = None
    html: str | None = None
    hex: Text | None = None
    base64: str | None = None
    file: str | None = None
    binary: bool = Field(default=False, description="with file: send it as binary, as it is")
    reply: Literal["order", "echo", "none"] | ReplySpec | None = None


Message = Annotated[MessageSpec | str, Field(union_mode="left_to_right")]


class CloseSpec(Part):
    """A Close frame."""

    code: Count = 1000
    reason: str = ""


def _close(value: Any) -> Any:
    if value is True or value is None:
        return {}
    return value if isinstance(value, dict) else {"code": value}


Close = Annotated[CloseSpec, BeforeValidator(_close)]


class RepeatSpec(Part):
    """The same steps several times."""

    times: Count
    steps: "Steps"


class ForEachSpec(Part):
    """The same steps for each value."""

    variable: str
    values: list[Any]
    steps: "Steps"


class IfSpec(Part):
    """One or the other; the tests are those of JSON values."""

    value: Text
    eq: Any = None
    ne: Any = None
    lt: float | None = None
    le: float | None = None
    gt: float | None = None
    ge: float | None = None
    contains: Text | None = None
    matches: str | None = None
    then: "Steps" = []
    otherwise: "Steps" = Field([], alias="else")


class StepSpec(Part):
    """One step: one of these keys; a send may have an expect with it."""

    send: Message | None = None
    expect: ExpectSpec | None = None
    wait_for: ExpectSpec | None = None
    think: ThinkText | None = None
    repeat: RepeatSpec | None = None
    for_each: ForEachSpec | None = None
    branch: IfSpec | None = Field(None, alias="if")
    assign: dict[str, Text] | None = Field(None, alias="set")
    close: Close | None = None
    reconnect: Literal[True] | None = None
    ping: Literal[True] | None = None


Step = Annotated[StepSpec, BeforeValidator(lambda v: {v: True} if isinstance(v, str) else v)]
Steps = list[Step]


class AsideSpec(Part):
    """What is done beside the steps; none of it waits."""

    assign: dict[str, Text] | None = Field(None, alias="set")
    send: Message | None = None
    ping: Literal[True] | None = None
    close: Close | None = None
    reconnect: Literal[True] | None = None


class RuleSpec(AsideSpec):
    """What to do with messages that come at any time."""

    when: Conditions
    capture: Captures = {}
    pass_on: bool = Field(default=False, alias="continue", description="pass the message on")


class EverySpec(AsideSpec):
    """Done again and again while the connection is open."""

    period: Duration


class CloseConditions(Part):
    """Which Close of the server is meant."""

    code: Annotated[list[CloseCodes], BeforeValidator(lambda v: v if isinstance(v, list) else [v])] = []
    reason: str | None = Field(None, description="a regular expression that is found in the reason")


class OnCloseSpec(Part):
    """A Close of the server that is as it should be, and what becomes of the connection."""

    when: CloseConditions = CloseConditions()
    then: Literal["ignore", "reconnect", "end"]


OnError = Literal["ignore", "next", "reconnect", "abort"]


class Behaviour(Part):
    """What a connection does."""

    on_open: Steps = []
    iterate: Steps = []
    on_message: list[RuleSpec] = []
    every: Annotated[list[EverySpec], BeforeValidator(_one)] = []
    on_close: Annotated[list[OnCloseSpec], BeforeValidator(_one)] = []
    on_error: OnError = "next"


class UserSpec(Behaviour):
    """A kind of user."""

    name: str
    weight: Count = 1


class StageSpec(Part):
    """Reach a rate over a time; 0s: at once."""

    duration: Duration
    target: Rate


class LoadSpec(Part):
    """How much traffic, and what starts it; names and meaning are those of the flags."""

    connections: Count | None = None
    connect_rate: Rate | None = None
    rate: Rate | None = None
    rate_per_connection: Rate | None = None
    stages: list[StageSpec] | None = None
    arrivals: Literal["constant", "poisson"] | None = None
    in_flight: Count | None = None
    think: ThinkText | None = None
    duration: Duration | None = None
    iterations: Count | None = None
    warmup: Duration | None = None
    connection_lifetime: Duration | None = None
    publishers: Count | None = None
    grain: Duration | None = None


class DataSpec(Part):
    """Rows of values: CSV with a head line, or JSON (a list of objects, or one object a line)."""

    file: str | None = None
    rows: list[dict[str, Any]] | None = None
    bind: Literal["connection", "iteration"] = "connection"
    order: Literal["sequential", "random"] = "sequential"
    exhausted: Literal["recycle", "stop", "error"] = "recycle"


class TlsSpec(Part):
    """How a wss:// target is verified."""

    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool | None = None
    sni: str | None = None
    resume: bool | None = None
    min: Text | None = None
    max: Text | None = None


class ScenarioFile(Behaviour):
    """A scenario: where to connect, what each connection does, and how much of it."""

    name: str = ""
    description: str = ""
    target: str
    params: dict[str, Text] = {}
    headers: dict[str, Text] = {}
    cookies: dict[str, Text] = {}
    cookie_jar: bool | None = None
    user: str | None = None
    bearer: str | None = None
    subprotocols: list[str] = []
    require_subprotocol: bool | None = None
    origin: str | None = None
    compress: Compress | None = None
    tls: TlsSpec = TlsSpec()
    connect_to: OneOrMore | None = None
    every_address: bool | None = None
    connect_timeout: Duration | None = None
    reply_timeout: Duration | None = None
    reconnect: Again | None = None
    reconnect_wait: WaitsText | None = None
    source_ips: list[str] | None = None
    redact: OneOrMore | None = Field(None, description="JSONPaths of values in messages that are not stored or shown")
    serialize_connects: bool | None = None
    fragment: Size | None = None
    max_frame: Size | None = None
    max_message: Size | None = None
    ping_interval: Duration | None = None
    ping_timeout: Duration | None = None
    close_code: Count | None = None
    close_reason: str | None = None
    seed: Seed | None = None
    variables: dict[str, Any] = {}
    environments: dict[str, dict[str, Any]] = {}
    data: DataSpec | None = None
    secrets: list[str] = []
    messages: dict[str, MessageSpec] = {}
    load: LoadSpec = LoadSpec()
    users: list[UserSpec] = []
    thresholds: list[str] = []


for _model in (Conditions, RepeatSpec, ForEachSpec, IfSpec, StepSpec):
    _model.model_rebuild()


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files, for editors."""
    schema = ScenarioFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": SCHEMA_TITLE}
