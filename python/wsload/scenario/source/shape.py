"""A file's values against its shape: what pydantic finds, in the words of a person who writes YAML."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wsload.scenario.source.file import ScenarioFile
from wsload.scenario.source.problems import Problems, nearest
from wsload.scenario.source.tree import Place, Tree

_KINDS = {
    "string_type": "takes text",
    "int_type": "takes a whole number",
    "int_parsing": "takes a whole number",
    "float_type": "takes a number",
    "float_parsing": "takes a number",
    "bool_type": "takes true or false",
    "bool_parsing": "takes true or false",
    "list_type": "takes a list",
    "tuple_type": "takes a list",
    "dict_type": "takes keys with values",
    "model_type": "takes keys with values",
    "too_short": "takes two numbers",
    "too_long": "takes two numbers",
    "path_type": "takes a path",
    "missing": "is missing",
}
_REMEDIES = {
    "list_type": "Begin each item with '- '.",
    "dict_type": "Write 'key: value' lines below it.",
    "model_type": "Write 'key: value' lines below it.",
    "string_type": "Put it in quotes if it is meant as text.",
    "tuple_type": "Write [0, 4].",
    "too_short": "Write [0, 4].",
    "too_long": "Write [0, 4].",
}
_MISSING = {
    "target": "Add it: 'target: ws://host:port/path'.",
    "when": "Say which messages: 'when: {json: {$.type: ping}}'.",
    "period": "Add it: 'period: 30s'.",
}


def read_shape(tree: Tree, problems: Problems) -> ScenarioFile:
    """The file's values as a model.

    Raises:
        UsageError: they do not fit; every mistake that was found.
    """
    if not isinstance(tree.value, dict):
        problems.add((), "a scenario is keys with values", "Begin with 'target: ws://host:port/path'.")
        problems.check()
    try:
        return ScenarioFile.model_validate(tree.value)
    except ValidationError as error:
        for found in _meant(error.errors(include_url=False)):
            _explain(found, tree, problems)
        problems.check()
        raise


def _meant(found: list[ErrorDetails]) -> list[ErrorDetails]:
    """Of the branches of a union the one that the person meant: a mapping is a message, text is a name."""
    kept = []
    for error in found:
        loc, value = error["loc"], error["input"]
        branches = [(at, _BRANCHES[part]) for at, part in enumerate(loc) if isinstance(part, str) and part in _BRANCHES]
        # Below a branch there are keys: what stands there is a mapping.
        fits = [(branch == "map") == (at < len(loc) - 1 or isinstance(value, dict)) for at, branch in branches]
        if not all(fits) and len(found) > 1:
            continue
        kept.append(error)
    return kept


_BRANCHES = {
    "MessageSpec": "map",
    "str": "text",
    "ReplySpec": "map",
    "MatchSpec": "map",
    "literal['order','echo','none']": "text",
    "literal['order','echo']": "text",
}


def _explain(error: ErrorDetails, tree: Tree, problems: Problems) -> None:
    kind = error["type"]
    context: dict[str, Any] = error.get("ctx") or {}
    place: Place = _existing(error["loc"], tree)
    value = error["input"]
    if kind == "unknown_key":
        key = str(context["key"])
        problems.add((*place, key), "no such key here", nearest(key, context["known"]), at_key=True)
    elif kind == "quantity":
        remedy = str(context["remedy"])
        problems.add(place, str(context["what"]), remedy if remedy.endswith(".") else f"Try {remedy}.")
    elif kind == "literal_error":
        words = [word.strip("' ") for word in str(context["expected"]).replace(" or ", ",").split(",")]
        shown = f"{value!r} is none of its words" if isinstance(value, str) else "takes a word"
        problems.add(place, shown, nearest(str(value), words))
    elif kind == "missing" and isinstance(error["loc"][-1], int):
        problems.add(place, "takes two numbers", "Write [0, 4].")
    elif kind == "missing":
        key = str(error["loc"][-1])
        known = _MISSING.get(key) if key != "target" or not place else None
        problems.add((*place, key), "is missing", known or f"Add it: '{key}: …'.", at_key=True)
    else:
        what = _KINDS.get(kind, error["msg"][:1].lower() + error["msg"][1:])
        problems.add(place, f"{what}, not {_kind_of(value)}", _REMEDIES.get(kind, ""))


def _existing(loc: tuple[int | str, ...], tree: Tree) -> Place:
    """The part of a location that the file has: pydantic adds names of its own."""
    place: Place = ()
    for part in loc:
        if (*place, part) in tree.values:
            place = (*place, part)
    return place


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
    return "keys with values"
