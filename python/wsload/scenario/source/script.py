"""A scenario in Python: its options are those of a scenario file, its function takes the place of the steps."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from wsload.errors import UsageError
from wsload.scenario.model import Scenario
from wsload.scenario.origin import FileUsed
from wsload.scenario.program import Name, Program, Script
from wsload.scenario.script import Loaded, load_script
from wsload.scenario.source.load import Inputs, Overrides, compile_tree
from wsload.scenario.source.tree import Place, Span, Tree, read_tree

_STEPS = ("on_open", "iterate", "users")


def load_script_scenario(path: Path, inputs: Inputs, overrides: Overrides) -> Scenario:
    """Imports a file and compiles its options.

    Raises:
        UsageError: it cannot be imported, or everything that is wrong with its options, with line and column.
    """
    loaded = load_script(path)
    tree = _tree(loaded)
    if given := [key for key in _STEPS if key in loaded.spec.options]:
        line, column = tree.position((given[0],))
        raise UsageError(
            f"{path}:{line}:{column}: {given[0]}: a script has no such steps", "Write them into the function."
        )
    made = compile_tree(tree, path, inputs, overrides, lambda program: _scripted(program, loaded))
    origin = made.origin_file
    if origin is None:
        return made
    used = FileUsed(path=path.name, sha256=loaded.sha256)
    return made.model_copy(update={"origin_file": origin.model_copy(update={"files": (*origin.files, used)})})


def _scripted(program: Program, loaded: Loaded) -> Program:
    """The program of the options, its rules and clocks, with the function's names of exchanges beside theirs."""
    known = [one.name for one in program.names]
    added = tuple(Name(name=name, total=total) for name, total in loaded.names.items() if name not in known)
    script = Script(path=str(loaded.path.resolve()), function=loaded.function.__name__, iterates=loaded.iterates)
    return program.model_copy(update={"names": (*program.names, *added), "script": script})


def _tree(loaded: Loaded) -> Tree:
    """The options as a tree that stands where the decorator does."""
    try:
        text = json.dumps(loaded.spec.options, default=_plain, indent=1, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        line, column = loaded.places.get((), (1, 1))
        remedy = "Options are texts, numbers, lists and dicts, as in a scenario file."
        raise UsageError(f"{loaded.path}:{line}:{column}: {error}", remedy) from None
    tree = read_tree(text, str(loaded.path))

    def moved(spans: dict[Place, Span]) -> dict[Place, Span]:
        return {place: _moved(span, place, loaded) for place, span in spans.items()}

    return dataclasses.replace(tree, values=moved(tree.values), keys=moved(tree.keys))


def _moved(span: Span, place: Place, loaded: Loaded) -> Span:
    for length in range(len(place), -1, -1):
        if found := loaded.places.get(place[:length]):
            return dataclasses.replace(span, line=found[0], column=found[1])
    return span


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no value for an option")
