"""What this machine can hold, and what raises each limit."""

import sys
from dataclasses import dataclass
from typing import IO

from rich.console import Console
from rich.text import Text

from wsload.engine.capacity import workers_needed
from wsload.engine.forecast import Kind, forecast
from wsload.engine.limits import Machine, raise_fds_command, widen_ports_command
from wsload.units import format_bytes, format_count

ENOUGH_FDS = 1 << 20
ENOUGH_PORTS = 60_000
ENOUGH_BACKLOG = 4096
FAST_CLOCKS = {"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"}
LABEL_WIDTH = 22


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody means to run; `workers` None: as many as `wsload run` would start."""

    connections: int
    kind: Kind
    workers: int | None = None


def print_machine(here: Machine, file: IO[str] | None = None, wish: Wish | None = None) -> None:
    """Prints it; in colour only on a terminal, and not with NO_COLOR."""
    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)
    for line in render(here, wish):
        console.print(line)


def render(here: Machine, wish: Wish | None = None) -> list[Text]:
    """What was found, what fits, what is wished for needs, and the commands, each on a line of its own for copying."""
    planned = [Text(), *_planned(here, wish)] if wish else []
    return [*_findings(here), Text(), *_capacity(here), *planned, *_commands(here)]


def _planned(here: Machine, wish: Wish) -> list[Text]:
    """Workers, source addresses and memory of a run."""
    count = wish.connections
    workers = wish.workers or workers_needed(count, here)
    needed = forecast(count, workers, wish.kind)
    need = "needs" if count == 1 else "need"
    head = f"  {_connections(count, 'TLS ' * wish.kind.tls)} {need} {format_bytes(needed.total_bytes)}"
    free = f" of {format_bytes(here.memory_bytes)} free" if here.memory_bytes is not None else ""
    rows = [
        (format_bytes(needed.connections_bytes), f"wsload's, {_each(needed.connections_bytes, count)}"),
        (
            format_bytes(needed.kernel_bytes),
            f"the kernel's, {_each(needed.kernel_bytes, count)}; a server here adds its own",
        ),
        (format_bytes(needed.processes_bytes), f"{_crew(workers)} and the parent"),
    ]
    width = max(len(figure) for figure, _ in rows)
    lines = [Text(head + free + ":", style="bold")]
    lines += [Text(f"    {figure:>{width}}  {what}") for figure, what in rows]
    return [*lines, *_explained(here, wish, workers)]


def _connections(count: int, kind: str = "") -> str:
    return f"{format_count(count)} {kind}connection{'s' * (count != 1)}"


def _each(total_bytes: int, count: int) -> str:
    return f"{format_bytes(total_bytes / count)} each"


def _explained(here: Machine, wish: Wish, workers: int) -> list[Text]:
    """How connections are shared out, and why so; in colour what does not fit."""
    share = -(-wish.connections // workers)
    fits = share <= here.connections_per_worker
    why = "" if workers <= here.cpus else f": more than {here.cpus} cores, for want of file descriptors"
    if fits:
        where = "in it" if workers == 1 else "in each"
        what = f"{workers}, {_connections(share)} {where}{why}"
    else:
        enough = -(-wish.connections // max(here.connections_per_worker, 1))
        what = f"{workers} hold {format_count(workers * here.connections_per_worker)}; use {enough}"
    sources = -(-wish.connections // max(here.ports.count, 1))
    flags = ": --source-ip, or as many addresses of the target: --connect-to" if sources > 1 else ""
    lines = [
        _finding(fits, "workers", what),
        _finding(True, "source addresses", f"{sources} for one target{flags}"),
    ]
    if here.memory_bytes is not None:
        needed = forecast(wish.connections, workers, wish.kind).total_bytes
        if needed > here.memory_bytes:
            lines.append(_finding(False, "memory", "not enough is free"))
    return [Text(), *lines]


def _crew(workers: int) -> str:
    return f"{workers} worker{'s' * (workers != 1)}"


def _findings(here: Machine) -> list[Text]:
    soft, hard = format_count(here.fd_soft), format_count(here.fd_hard)
    raised = " (wsload raises soft to hard by itself)" if here.fd_soft < here.fd_hard else ""
    clock = here.clock_source or "unknown"
    slow_clock = "" if clock in FAST_CLOCKS else ": reading it may be slow, prefer tsc"
    stamps = "work" if here.kernel_timestamps else "do not work: arrivals are stamped when they are read"
    pacing = ": it paces what it sends, say so beside results" if here.congestion_control == "bbr" else ""
    backlog = "unknown" if here.somaxconn is None else f"{format_count(here.somaxconn)} (servers on this machine)"
    reserved = f", {format_count(here.ports.reserved)} reserved" if here.ports.reserved else ""
    ports = f"{format_count(here.ports.count)} ({here.ports.first} to {here.ports.last}{reserved})"
    return [
        _finding(here.fd_hard >= ENOUGH_FDS, "file descriptors", f"{soft} soft, {hard} hard{raised}"),
        _finding(here.ports.count >= ENOUGH_PORTS, "ephemeral ports", ports),
        _finding(True, "CPU cores", f"{here.cpus}, one worker on each by default"),
        _finding(not slow_clock, "clock source", clock + slow_clock),
        _finding(here.kernel_timestamps, "kernel time stamps", stamps),
        _finding(True, "congestion control", (here.congestion_control or "unknown") + pacing),
        _finding((here.somaxconn or 0) >= ENOUGH_BACKLOG, "listen backlog", backlog),
    ]


def _finding(enough: bool, what: str, value: str) -> Text:
    mark = ("ok  ", "green") if enough else ("low ", "yellow")
    return Text.assemble("  ", mark, f"  {what:{LABEL_WIDTH}}{value}")


def _capacity(here: Machine) -> list[Text]:
    by_files = here.connections_per_worker * here.cpus
    each = f", {format_count(here.connections_per_worker)} in each" if here.cpus > 1 else ""
    crew = _crew(here.cpus)
    rows = [
        (here.ports.count, "from one source address to one target (ephemeral ports)"),
        (by_files, f"in {crew}{each} (file descriptors)"),
    ]
    figures = [format_count(count) for count, _ in rows]
    width = max(map(len, figures))
    head = f"  This machine holds {format_count(min(here.ports.count, by_files))} connections to one target:"
    lines = [Text(head, style="bold")]
    return lines + [Text(f"    {figure:>{width}}  {what}") for figure, (_, what) in zip(figures, rows, strict=True)]


def _commands(here: Machine) -> list[Text]:
    commands = []
    if here.ports.count < ENOUGH_PORTS:
        commands.append(("more from each source address; --source-ip adds addresses", widen_ports_command()))
    if here.fd_hard < ENOUGH_FDS:
        commands.append(("more in each worker; --workers adds workers", raise_fds_command(ENOUGH_FDS)))
    if (here.somaxconn or 0) < ENOUGH_BACKLOG:
        commands.append(("servers here lose fewer connections at once", "sysctl -w net.core.somaxconn=65535"))
    lines: list[Text] = []
    for why, command in commands:
        lines += [Text(), Text(f"  {why}:", style="dim"), Text(f"    {command}")]
    return lines
