"""Commands that take the flags of functions they call, without writing them again."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def takes_flags_of(*sources: Callable[..., Any]) -> Callable[[Command], Command]:
    """Gives a command the flags of functions; they reach it by `**given`, and `part_of` tells whose is which.

    What a source takes by position only is no flag. A flag that the command has as well is the command's, at the place
    where the source has it; those that only the command has come last.
    """

    def decorate(command: Command) -> Command:
        own = {name: one for name, one in inspect.signature(command).parameters.items() if not _is_rest(one)}
        theirs = {name: one for source in sources for name, one in _flags(source).items()}
        merged = {name: own.get(name, one) for name, one in theirs.items()} | own
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in merged.values()]
        # What Typer reads.
        command.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
        return command

    return decorate


def part_of(given: Mapping[str, Any], source: Callable[..., Any]) -> dict[str, Any]:
    """Those of the flags that a source takes."""
    return {name: given[name] for name in _flags(source) if name in given}


def _flags(source: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(source).parameters
    return {name: one for name, one in parameters.items() if one.kind is not inspect.Parameter.POSITIONAL_ONLY}


def _is_rest(parameter: inspect.Parameter) -> bool:
    return parameter.kind is inspect.Parameter.VAR_KEYWORD
