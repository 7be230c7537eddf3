"""A scenario as Python writes it."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, Unpack

from pydantic import BaseModel, ValidationError

from wsload import scenario as model
from wsload.api.options import FIELDS, ScenarioOptions, read_option
from wsload.errors import UsageError
from wsload.scenario import redact_url

PARTS: dict[str, type[BaseModel]] = {"load": model.LoadModel, "message": model.Message, "tls": model.TlsOptions}
KEYWORDS = {
    "stage": "stages",
    "source-ip": "source_ips",
    "header": "headers",
    "param": "params",
    "cookie": "cookies",
    "subprotocol": "subprotocols",
    "threshold": "thresholds",
    "label": "labels",
}
"""Flags that are another word in Python."""


class Scenario:
    """What to run: `Scenario("ws://127.0.0.1:9000/", connections=100, rate="1k/s", duration="5s")`.

    Checked when it is made, and never changed: `but` gives another one. Keywords are those of `ScenarioOptions`.

    Raises:
        UsageError: a keyword there is not, a value that it does not take, or two that do not go together.
    """

    __slots__ = ("model",)

    def __init__(self, target: str, **options: Unpack[ScenarioOptions]) -> None:
        self.model = _build(None, target, dict(options))

    def but(self, **options: Unpack[ScenarioOptions]) -> Self:
        """The same scenario with other values; `None` brings the default back."""
        return self._of(_build(self.model, self.model.target, dict(options)))

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        variables: Mapping[str, Any] | None = None,
        environment: str | None = None,
        env_file: str | os.PathLike[str] | None = None,
        **options: Unpack[ScenarioOptions],
    ) -> Self:
        """The scenario of a YAML or a Python file; `variables` have precedence over the file's, and so have keywords.

        Raises:
            UsageError: everything that is wrong with it, with line and column.
        """
        from wsload.scenario.source import Inputs, Overrides, load_scenario, load_script_scenario

        inputs = Inputs(dict(variables or {}), environment, None if env_file is None else Path(env_file))
        where = Path(path)
        load = load_script_scenario if where.suffix.lower() == ".py" else load_scenario
        made = cls._of(load(where, inputs, Overrides()))
        return made.but(**options) if options else made

    @classmethod
    def _of(cls, made: model.Scenario) -> Self:
        one = cls.__new__(cls)
        one.model = made
        return one

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.model == other.model

    def __hash__(self) -> int:
        return hash(self.model)

    def __repr__(self) -> str:
        # Headers, messages and tokens may be secret.
        return f"Scenario({redact_url(self.model.target)!r}, connections={self.model.load.connections}, ...)"


def _build(base: model.Scenario | None, target: str, options: dict[str, Any]) -> model.Scenario:
    if not isinstance(target, str):
        raise UsageError(f"target: {target!r} is no address", 'Write "ws://host:port/path", or pass a Scenario.')
    check_names(options, FIELDS)
    fields: dict[str, Any] = {"target": target} if base is None else dict(base)
    parts: dict[str, dict[str, Any]] = {part: dict(fields.get(part) or kind()) for part, kind in PARTS.items()}
    with in_python_words():
        for name, value in options.items():
            field = FIELDS[name]
            owner = parts[field.part] if field.part else fields
            if value is None:
                owner.pop(field.name, None)
            else:
                owner[field.name] = read_option(name, value, target)
        try:
            made = {part: kind(**parts[part]) for part, kind in PARTS.items()}
            return model.Scenario(**fields | made)
        except ValidationError as error:
            raise UsageError(*_refused(error)) from None


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuses keywords there are not, as a misspelt one would be without effect.

    Raises:
        UsageError: with the nearest that there is.
    """
    known = list(known)
    for name in given:
        if name not in known:
            near = KEYWORDS.get(name.replace("_", "-")) or next(iter(get_close_matches(name, known, n=1)), "")
            remedy = f"The nearest is {near}." if near else f"There are {', '.join(sorted(known))}."
            raise UsageError(f"{name}: there is no such keyword", remedy)


@contextlib.contextmanager
def in_python_words() -> Iterator[None]:
    """Errors name flags of the command line: here they are keywords."""
    try:
        yield
    except UsageError as error:
        raise type(error)(_in_python(error.what), _in_python(error.remedy)) from None


def _in_python(text: str) -> str:
    """`-H/--header: x, drop --rate-per-conn` as `headers: x, drop rate_per_conn`."""

    def keyword(match: re.Match[str]) -> str:
        flag = match[1]
        name = KEYWORDS.get(flag, flag.replace("-", "_"))
        return name if name in {*FIELDS, "workers", "output", "labels"} else match[0]

    return re.sub(r"(?:-[a-zA-Z]/)?--([a-z][a-z-]*[a-z])", keyword, text)


def _refused(error: ValidationError) -> tuple[str, str]:
    """The first thing that the model did not take, by its keyword; never the value, which may be a secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = str(first["loc"][-1] if first["loc"] else "")
    name = next((keyword for keyword, where in FIELDS.items() if where.name == field), field)
    return f"{name}: {first['msg'][:1].lower()}{first['msg'][1:]}", "See docs/python-api.md."
