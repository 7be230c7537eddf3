"""Flags that commands share: in whose words, in which order, and that each reaches who takes it."""

import inspect
from typing import Any

from wsload.cli.sharing import part_of, takes_flags_of


def ask(name: str, size: int = 1) -> str:
    return f"{name} {size}"


def play(request: str, /, quiet: bool = False) -> str:
    return f"{request}{' quietly' if quiet else ''}"


@takes_flags_of(ask, play)
def command(size: int = 5, every: str = "10m", **given: Any) -> str:
    return play(ask(size=size, **part_of(given, ask)), **part_of(given, play)) + f" {every}"


def test_a_command_has_the_flags_of_both_and_its_own() -> None:
    parameters = inspect.signature(command).parameters
    assert {name: one.default for name, one in parameters.items()} == {
        "name": inspect.Parameter.empty,
        "size": 5,
        "quiet": False,
        "every": "10m",
    }


def test_each_reaches_who_takes_it() -> None:
    assert command(name="a", quiet=True) == "a 5 quietly 10m"
    assert command(name="a", size=2, every="1s") == "a 2 1s"
