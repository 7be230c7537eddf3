"""Whether runs may be compared: the same load, from the same machine, with results that can be trusted."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from wsload.analysis.series import Series

ASIDE = ("target", "dials", "proxy", "seed", "tls.server_name", "tls.identity", "message.payload", "schema_version")
"""Where a run went and what it drew may differ: that is what is compared."""
FINISHED = "completed"
MAX_SHOWN = 80


class Difference(BaseModel):
    """A reason not to compare a run with the first of the base."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(description="plan, machine, build, outcome or suspect")
    what: str = Field(description="which part of it")
    file: str = Field(description="of the run that differs")
    base: str
    new: str

    def __str__(self) -> str:
        if self.kind in {"outcome", "suspect"}:
            return f"{self.file}: {self.new}"
        return f"{self.file}: {self.what} is {self.new}, and {self.base} in the first run"


def differences(runs: Sequence[Series]) -> list[Difference]:
    """What makes some of the runs unlike the first, most telling first."""
    first = runs[0]
    return [found for run in runs for found in (*_plan(first, run), *_machine(first, run), *_own(run))]


def _plan(first: Series, run: Series) -> Iterator[Difference]:
    expected, given = _facts(first), _facts(run)
    for key in sorted(expected.keys() | given.keys()):
        if expected.get(key) != given.get(key):
            yield _difference("plan", key, run, expected.get(key), given.get(key))


def _facts(run: Series) -> dict[str, Any]:
    """The plan, flat, without what may differ."""
    plan = run.header.plan.model_dump(mode="json", by_alias=True)
    facts = {key: value for key, value in _flat(plan) if not any(_lies_in(key, aside) for aside in ASIDE)}
    message = run.header.plan.message
    asked = run.header.scenario.get("message") or {}
    if message is not None:
        # A made-up message differs with the seed: its length does not.
        made_up = not asked.get("text") and not asked.get("file")
        facts["message.payload"] = f"{len(message.payload)} bytes" if made_up else message.payload.decode("latin-1")
    return facts | {"workers": run.header.workers}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _lies_in(key: str, part: str) -> bool:
    return key == part or key.startswith(f"{part}.")


def _machine(first: Series, run: Series) -> Iterator[Difference]:
    for name in ("system", "machine", "cpus"):
        expected, given = getattr(first.header.host, name), getattr(run.header.host, name)
        if expected != given:
            yield _difference("machine", name, run, expected, given)
    for name in ("wsload_version", "build_profile"):
        expected, given = getattr(first.header, name), getattr(run.header, name)
        if expected != given:
            yield _difference("build", name, run, expected, given)


def _own(run: Series) -> Iterator[Difference]:
    if run.outcome != FINISHED:
        yield Difference(kind="outcome", what="outcome", file=run.name, base=FINISHED, new=f"the run is {run.outcome}")
    for reason in run.reasons:
        yield Difference(kind="suspect", what=reason.kind, file=run.name, base="", new=f"is suspect: {reason.text}")


def _difference(kind: str, what: str, run: Series, expected: Any, given: Any) -> Difference:
    base, new = (_shown(value) for value in (expected, given))
    return Difference(kind=kind, what=what, file=run.name, base=base, new=new)


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
