"""Scenarios in Python: what `@wsload.script` keeps of a function, and how a file with one is loaded.

The file is imported twice: by the command, which reads the options, and by each worker, which runs the function.
"""

import ast
import hashlib
import inspect
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from wsload.errors import UsageError

SUFFIX = ".py"
MESSAGE, OPENING = "message", "opening"
"""Names of exchanges that are given none: in iterations, and before the first one."""
_MAX_BYTES = 1 << 20
_MARK = "__wsload_script__"
_NAMED = {"send", "send_json", "request"}

Function = Callable[..., Awaitable[None]]
Setup = Callable[[], dict[str, Any] | None]
Teardown = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Spec:
    """What the decorator was given."""

    options: dict[str, Any]
    names: tuple[str, ...]
    aside: tuple[str, ...]
    setup: Setup | None = None
    teardown: Teardown | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A function and what is known of its file."""

    path: Path
    sha256: str
    spec: Spec
    function: Function
    iterates: bool
    """It waits for iterations: the schedule decides when they begin."""
    names: dict[str, bool] = field(default_factory=dict)
    """Names of exchanges in order, and whether they count in the totals."""
    places: dict[tuple[str | int, ...], tuple[int, int]] = field(default_factory=dict)
    """Line and column of the decorator's keywords and of what is written out in them."""


_loaded: dict[str, Loaded] = {}
"""By path: a run calls the hooks of the file from which its scenario was made."""
_set_up: set[str] = set()
"""Paths of those whose teardown is to follow."""


def script(
    *,
    names: Sequence[str] = (),
    aside: Sequence[str] = (),
    setup: Setup | None = None,
    teardown: Teardown | None = None,
    **options: Any,
) -> Callable[[Function], Function]:
    """Marks an `async def` as the scenario of its file: it runs once on each connection, with a `wsload.Connection`.

    `options` are the keys of a scenario file (docs/scenarios.md) but for `on_open`, `iterate` and `users`, which the
    function stands for: `target`, `load`, `variables`, `data`, `secrets`, `headers`, `on_message`, `thresholds`, …

    Args:
        names: names of exchanges, where they are not written as `name="…"` in the file.
        aside: those that do not count in the totals, as those of `on_open` do not.
        setup: called once before the run; it may return values for variables that are declared as None.
        teardown: called once when the run is over, however it ended.
        options: as in a scenario file.
    """

    def mark(function: Function) -> Function:
        setattr(function, _MARK, Spec(options, tuple(names), tuple(aside), setup, teardown))
        return function

    return mark


def load_script(path: Path) -> Loaded:
    """Imports a file and finds its scenario.

    Raises:
        UsageError: it cannot be read or imported, or it has no such function, or several.
    """
    source = _read(path)
    module = _import(path, source)
    marked = [one for one in vars(module).values() if isinstance(getattr(one, _MARK, None), Spec)]
    marked = [one for one in dict.fromkeys(marked) if getattr(one, "__module__", "") == module.__name__]
    if len(marked) != 1:
        what = "no function is marked" if not marked else f"{len(marked)} functions are marked"
        raise UsageError(f"{path}: {what} with @wsload.script", "Mark one 'async def' with it.")
    function = marked[0]
    if not inspect.iscoroutinefunction(function):
        line = getattr(function, "__code__", None)
        where = f"{path}:{line.co_firstlineno}" if line else str(path)
        raise UsageError(f"{where}: {function.__name__} is no coroutine function", "Write 'async def'.")
    tree = ast.parse(source)
    node = next(
        (one for one in ast.walk(tree) if isinstance(one, ast.AsyncFunctionDef) and one.name == function.__name__), None
    )
    spec: Spec = getattr(function, _MARK)
    iterates = any(_is_iterations(one) for one in ast.walk(tree))
    made = Loaded(
        path=path,
        sha256=hashlib.sha256(source.encode()).hexdigest(),
        spec=spec,
        function=function,
        iterates=iterates,
        names=_names(tree, node, spec, iterates=iterates),
        places=_places(node) if node else {},
    )
    for hook in (spec.setup, spec.teardown):
        if hook is not None and inspect.iscoroutinefunction(hook):
            remedy = "It is called once, beside the run: write 'def', and asyncio.run(...) in it."
            raise UsageError(f"{path}:{hook.__code__.co_firstlineno}: {hook.__name__} is a coroutine function", remedy)
    _loaded[str(path.resolve())] = made
    return made


def set_up(path: str, variables: Collection[str]) -> dict[str, str]:
    """Calls a script's setup: values for its variables.

    Raises:
        UsageError: it raised an exception, or gives what is no variable.
    """
    hook = _loaded[path].spec.setup if path in _loaded else None
    _set_up.add(path)
    if hook is None:
        return {}
    try:
        given = hook() or {}
    except Exception as error:
        raise _of_hook(path, "setup", error) from error
    if not isinstance(given, dict):
        raise UsageError(f"{path}: setup: it gives {type(given).__name__}", "Return a dict of variables, or nothing.")
    for name in given:
        if name not in variables:
            known = ", ".join(variables) or "none"
            what = f"{path}: setup: there is no variable {name}"
            raise UsageError(what, f"Declare it: variables={{...}} has {known}.")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def tear_down(path: str) -> None:
    """Calls a script's teardown, if the run came as far as its setup.

    Raises:
        UsageError: it raised an exception.
    """
    hook = _loaded[path].spec.teardown if path in _set_up else None
    _set_up.discard(path)
    if hook is not None:
        try:
            hook()
        except Exception as error:
            raise _of_hook(path, "teardown", error) from error


def _of_hook(path: str, name: str, error: Exception) -> UsageError:
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename in {path, _given(path)}]
    where = f"{_given(path)}:{frames[-1].lineno}" if frames else _given(path)
    said = "".join(traceback.format_exception_only(error)).strip()
    return UsageError(f"{where}: {name}: {said}", "It was raised while the function was called.")


def _given(path: str) -> str:
    """A path as the user gave it."""
    return str(_loaded[path].path) if path in _loaded else path


def function_of(path: str, name: str) -> Function:
    """The function again, in a worker."""
    where = Path(path)
    found: Function = getattr(_import(where, _read(where)), name)
    return found


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path}: larger than 1 MiB", "A scenario is a short file; import the rest from it.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "Name a Python file that can be read.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (byte {error.start})", "Save it as UTF-8.") from None


def _import(path: Path, source: str) -> ModuleType:
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        # At the end: a file beside the scenario must not take the place of a module.
        sys.path.append(folder)
    module = ModuleType(f"wsload_script_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102 - the user's own file
    except SyntaxError as error:
        where = f"{error.filename}:{error.lineno}:{error.offset or 1}"
        raise UsageError(f"{where}: {error.msg}", "Python cannot read it.") from None
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the file's
        frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
        where = f"{path}:{frames[-1].lineno}" if frames else str(path)
        said = "".join(traceback.format_exception_only(error)).strip()
        raise UsageError(f"{where}: {said}", "It was raised while the file was imported.") from None
    return module


def _is_iterations(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "iterations"


def _names(tree: ast.AST, function: ast.AST | None, spec: Spec, *, iterates: bool) -> dict[str, bool]:
    """Exchanges that stand in the function before and after its iterations are asides, all others count.

    The names of the nameless are left out where each send that the file speaks of has its own.
    """
    outside = {id(node) for node in _outside(function)} if function is not None and iterates else set()
    found: dict[str, bool] = {}
    nameless = sum(isinstance(node, ast.Attribute) and node.attr in _NAMED for node in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _NAMED:
            for keyword in node.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    name = str(keyword.value.value)
                    found[name] = found.get(name, False) or id(node) not in outside
                    nameless -= 1
    found |= dict.fromkeys(spec.names, True) | dict.fromkeys(spec.aside, False)
    if found and not nameless:
        return found
    return {MESSAGE: True} | found | ({OPENING: False} if iterates else {})


def _outside(node: ast.AST) -> Iterator[ast.AST]:
    """What lies in a function and not in a loop over iterations, nor in a function of its own."""
    for child in ast.iter_child_nodes(node):
        nested = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if nested or (isinstance(child, ast.AsyncFor) and any(_is_iterations(one) for one in ast.walk(child.iter))):
            continue
        yield child
        yield from _outside(child)


def _places(function: ast.AsyncFunctionDef) -> dict[tuple[str | int, ...], tuple[int, int]]:
    places: dict[tuple[str | int, ...], tuple[int, int]] = {(): (function.lineno, function.col_offset + 1)}
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call):
            places[()] = (decorator.lineno, decorator.col_offset + 1)
            for keyword in decorator.keywords:
                if keyword.arg is not None:
                    _place(keyword.value, (keyword.arg,), places)
    return places


def _place(node: ast.expr, place: tuple[str | int, ...], places: dict[tuple[str | int, ...], tuple[int, int]]) -> None:
    places[place] = (node.lineno, node.col_offset + 1)
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                _place(value, (*place, str(key.value)), places)
    elif isinstance(node, ast.List | ast.Tuple):
        for at, value in enumerate(node.elts):
            _place(value, (*place, at), places)
