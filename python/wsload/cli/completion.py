"""Shell completion: Typer's own, under options of ours.

Typer's two options have no default, and finding out that they were not given loads pydantic: `--help` would pay for it.
"""

import os
from typing import Any

import typer

VARIABLE = "_WSLOAD_COMPLETE"


def install(context: typer.Context, param: Any, wanted: bool) -> None:
    """The callback of `--install-completion`: writes what the user's shell reads, says where, and ends."""
    from typer.completion import install_callback

    install_callback(context, param, wanted)


def show(context: typer.Context, param: Any, wanted: bool) -> None:
    """The callback of `--show-completion`: prints the same, and ends."""
    from typer.completion import show_callback

    show_callback(context, param, wanted)


def prepare() -> None:
    """Readies the answer when it is a shell that asks."""
    if VARIABLE in os.environ:
        from typer.completion import get_completion_inspect_parameters

        get_completion_inspect_parameters()  # registers the shells
