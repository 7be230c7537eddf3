"""The program of a plan: a scenario's steps as data. Its shape is that of `plan/program.rs`, field for field.

What each field means stands there. Optional parts are unions of one-key objects, as serde writes enums.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from wsload.scenario.parts import REDACTED, Frozen, KeyPair, Payload, Think


class Name(Frozen):
    """A name under which exchanges are recorded; `total`: it counts in the totals."""

    name: str
    total: bool


class Variable(Frozen):
    """A variable of a connection."""

    name: str
    value: str | None = None
    lives: Literal["iteration", "connection", "slot"] = "connection"
    secret: bool = False


class Data(Frozen):
    """Rows of values."""

    columns: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    bind: Literal["connection", "iteration"]
    order: Literal["sequential", "random"]
    exhausted: Literal["recycle", "stop", "error"]


class Reply(Frozen):
    """How a reply finds its message; no key: the next message that nobody else takes."""

    key: KeyPair | None
    within_ns: int


class Outgoing(Frozen):
    """A message that a step sends; `name` is a place in `Program.names`."""

    name: int
    kind: Literal["text", "binary"]
    payload: Payload
    template: bool
    reply: Reply | None


class EqTest(Frozen):
    """The same JSON value."""

    eq: Any


class NeTest(Frozen):
    """Another JSON value."""

    ne: Any


class LtTest(Frozen):
    """A number below."""

    lt: float


class LeTest(Frozen):
    """A number that is at most this."""

    le: float


class GtTest(Frozen):
    """A number above."""

    gt: float


class GeTest(Frozen):
    """A number that is at least this."""

    ge: float


class ContainsTest(Frozen):
    """A string with this part."""

    contains: str


class MatchesTest(Frozen):
    """A string in which the expression is found."""

    matches: str


Test = Literal["exists"] | EqTest | NeTest | LtTest | LeTest | GtTest | GeTest | ContainsTest | MatchesTest


class TypeCondition(Frozen):
    """A text or a binary message."""

    type: Literal["text", "binary"]


class EqualsCondition(Frozen):
    """The whole payload."""

    equals: str


class ContainsCondition(Frozen):
    """A part of the payload."""

    contains: str


class RegexCondition(Frozen):
    """Found anywhere in the payload."""

    regex: str


class PrefixCondition(Frozen):
    """First bytes."""

    prefix: Payload


class JsonTest(Frozen):
    """A query and what it must find."""

    path: str
    test: Test


class JsonCondition(Frozen):
    """Of a JSON text."""

    test_of: JsonTest = Field(alias="json")


class SchemaCondition(Frozen):
    """Valid by a JSON Schema."""

    by_schema: Any = Field(alias="schema")


class SizeRange(Frozen):
    """Payload bytes."""

    min: int
    max: int


class SizeCondition(Frozen):
    """Of such a size."""

    size: SizeRange


class NotCondition(Frozen):
    """The opposite."""

    negated: "Condition" = Field(alias="not")


Condition = (
    TypeCondition
    | EqualsCondition
    | ContainsCondition
    | RegexCondition
    | PrefixCondition
    | JsonCondition
    | SchemaCondition
    | SizeCondition
    | NotCondition
)


class JsonCapture(Frozen):
    """The first value that a query finds."""

    query: str = Field(alias="json")


class RegexCapture(Frozen):
    """The first group, or all that matches."""

    regex: str


class ByteRange(Frozen):
    """From `start` up to `end`."""

    start: int
    end: int | None


class BytesCapture(Frozen):
    """These bytes."""

    bytes: ByteRange


class Capture(Frozen):
    """A part of a message that is kept; `variable` is a place in `Program.variables`."""

    variable: int
    source: JsonCapture | RegexCapture | BytesCapture = Field(alias="from")


class Expect(Frozen):
    """What a received message must be."""

    conditions: tuple[Condition, ...]
    within_ns: int
    captures: tuple[Capture, ...] = ()
    count: int = 1
    nothing: bool = False
    order: str | None = None


class SendStep(Frozen):
    """Send a message; `message` is a place in `Program.messages`."""

    do: Literal["send"] = "send"
    message: int


class ExpectStep(Frozen):
    """The next message must be such a one."""

    do: Literal["expect"] = "expect"
    expect: Expect


class WaitForStep(Frozen):
    """Wait for such a message."""

    do: Literal["wait_for"] = "wait_for"
    expect: Expect


class ThinkStep(Frozen):
    """Wait."""

    do: Literal["think"] = "think"
    law: Think


class RepeatStep(Frozen):
    """The same steps several times."""

    do: Literal["repeat"] = "repeat"
    times: int
    steps: "tuple[Step, ...]"


class ForEachStep(Frozen):
    """The same steps for each value."""

    do: Literal["for_each"] = "for_each"
    variable: int
    values: tuple[str, ...]
    steps: "tuple[Step, ...]"


class IfStep(Frozen):
    """One or the other."""

    do: Literal["if"] = "if"
    value: str
    test: Test
    then: "tuple[Step, ...]"
    otherwise: "tuple[Step, ...]"


class SetStep(Frozen):
    """Set a variable."""

    do: Literal["set"] = "set"
    variable: int
    value: str


class CloseStep(Frozen):
    """Close the connection."""

    do: Literal["close"] = "close"
    code: int
    reason: str


class ReconnectStep(Frozen):
    """Close the connection and open it again at once."""

    do: Literal["reconnect"] = "reconnect"


class PingStep(Frozen):
    """Send a control ping."""

    do: Literal["ping"] = "ping"


class MarkStep(Frozen):
    """Leave a note in the timeline."""

    do: Literal["mark"] = "mark"
    text: str


Step = Annotated[
    SendStep
    | ExpectStep
    | WaitForStep
    | ThinkStep
    | RepeatStep
    | ForEachStep
    | IfStep
    | SetStep
    | CloseStep
    | ReconnectStep
    | PingStep
    | MarkStep,
    Field(discriminator="do"),
]


class Rule(Frozen):
    """What to do with messages that come at any time."""

    when: tuple[Condition, ...]
    captures: tuple[Capture, ...] = ()
    steps: tuple[Step, ...] = ()
    pass_on: bool = False


class Every(Frozen):
    """Steps on a clock of their own."""

    period_ns: int
    steps: tuple[Step, ...]


class OnClose(Frozen):
    """Closes of the server that are as they should be; `codes` are ranges, both ends included."""

    codes: tuple[tuple[int, int], ...]
    reason: str | None
    then: Literal["ignore", "reconnect", "end"]


class User(Frozen):
    """A kind of user."""

    name: str
    weight: int
    on_open: tuple[Step, ...] = ()
    iterate: tuple[Step, ...] = ()
    on_message: tuple[Rule, ...] = ()
    every: tuple[Every, ...] = ()
    on_close: tuple[OnClose, ...] = ()
    on_error: Literal["ignore", "next", "reconnect", "abort"] = "next"

    def parts(self) -> tuple[tuple[Step, ...], ...]:
        """Its lists of steps."""
        beside = (*(rule.steps for rule in self.on_message), *(one.steps for one in self.every))
        return self.on_open, self.iterate, *beside


class Script(Frozen):
    """A function in Python that takes the place of the steps; `iterates`: it waits for iterations."""

    path: str
    function: str
    iterates: bool


class Program(Frozen):
    """What each kind of user does; the schedule starts iterations."""

    names: tuple[Name, ...]
    variables: tuple[Variable, ...] = ()
    data: Data | None = None
    messages: tuple[Outgoing, ...]
    users: tuple[User, ...]
    handshake_template: bool = False
    script: Script | None = None

    def expectations(self) -> list[Expect]:
        """What received messages must be, in all steps of all users."""
        found: list[Expect] = []
        todo: list[Step] = [step for user in self.users for part in user.parts() for step in part]
        while todo:
            step = todo.pop()
            if isinstance(step, ExpectStep | WaitForStep):
                found.append(step.expect)
            elif isinstance(step, RepeatStep | ForEachStep):
                todo.extend(step.steps)
            elif isinstance(step, IfStep):
                todo.extend((*step.then, *step.otherwise))
        return found

    def redacted(self) -> Self:
        """As it may be stored: without the values of secrets, and without rows, which may be many."""
        hidden = [
            one.model_copy(update={"value": REDACTED}) if one.secret and one.value is not None else one
            for one in self.variables
        ]
        data = self.data and self.data.model_copy(update={"rows": ()})
        return self.model_copy(update={"variables": tuple(hidden), "data": data})


for _model in (NotCondition, RepeatStep, ForEachStep, IfStep):
    _model.model_rebuild()
