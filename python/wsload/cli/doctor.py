"""`wsload doctor`: what this machine can hold."""

from typing import Annotated

import typer

from wsload.cli import values
from wsload.errors import UsageError
from wsload.units import parse_count


def doctor(
    connections: Annotated[
        str | None,
        typer.Option("-c", "--connections", metavar="COUNT", help="Say what so many connections would need."),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="They use TLS.")] = False,
    compress: Annotated[bool, typer.Option("--compress", help="They use permessage-deflate with contexts.")] = False,
    no_record: Annotated[bool, typer.Option("--no-record", help="No timeline is recorded.")] = False,
    workers: Annotated[
        str | None,
        typer.Option("--workers", metavar="COUNT", help="Worker processes.  [default: as `wsload run` would take]"),
    ] = None,
) -> None:
    """Show what this machine can hold, and what raises its limits.

    With -c it also plans a run: workers, source addresses and memory for so many connections.
    """
    from wsload.engine import limits
    from wsload.engine.forecast import Kind
    from wsload.report.doctor import Wish, print_machine

    wish = None
    if connections is not None:
        count = values.quantity("--connections", parse_count, connections)
        if not count:
            raise UsageError("--connections: 0 connections", "It takes at least 1.")
        crew = None if workers is None else values.workers(workers)
        wish = Wish(count, Kind(tls=tls, deflate=compress, recording=not no_record), crew)
    else:
        alone = {"--tls": tls, "--compress": compress, "--no-record": no_record, "--workers": workers}
        for flag in (flag for flag, given in alone.items() if given):
            raise UsageError(f"{flag}: of how many connections is not said", "Add -c, such as -c 50k.")
    print_machine(limits.machine(), wish=wish)
