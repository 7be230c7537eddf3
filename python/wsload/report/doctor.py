"""What this machine can hold, and what raises each limit."""

import sys
from typing import IO

from rich.console import Console
from rich.text import Text

from wsload.engine.limits import Machine, raise_fds_command, widen_ports_command
from wsload.units import format_count

ENOUGH_FDS = 1 << 20
ENOUGH_PORTS = 60_000
ENOUGH_BACKLOG = 4096
FAST_CLOCKS = {"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"}
LABEL_WIDTH = 22


def print_machine(here: Machine, file: IO[str] | None = None) -> None:
    """Prints it; in colour only on a terminal, and not with NO_COLOR."""
    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)
    for line in render(here):
        console.print(line)


def render(here: Machine) -> list[Text]:
    """What was found, what fits, and the commands, each on a line of its own for copying."""
    return [*_findings(here), Text(), *_capacity(here), *_commands(here)]


def _findings(here: Machine) -> list[Text]:
    soft, hard = format_count(here.fd_soft), format_count(here.fd_hard)
    raised = " (wsload raises soft to hard by itself)" if here.fd_soft < here.fd_hard else ""
    clock = here.clock_source or "unknown"
    slow_clock = "" if clock in FAST_CLOCKS else ": reading it may be slow, prefer tsc"
    stamps = "work" if here.kernel_timestamps else "do not work: arrivals are stamped when they are read"
    pacing = ": it paces what it sends, say so beside results" if here.congestion_control == "bbr" else ""
    backlog = "unknown" if here.somaxconn is None else f"{format_count(here.somaxconn)} (servers on this machine)"
    ports = f"{format_count(here.ports)} ({here.port_first} to {here.port_last})"
    return [
        _finding(here.fd_hard >= ENOUGH_FDS, "file descriptors", f"{soft} soft, {hard} hard{raised}"),
        _finding(here.ports >= ENOUGH_PORTS, "ephemeral ports", ports),
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
    crew = f"{here.cpus} worker{'s' if here.cpus > 1 else ''}"
    rows = [
        (here.ports, "from one source address to one target (ephemeral ports)"),
        (by_files, f"in {crew}{each} (file descriptors)"),
    ]
    figures = [format_count(count) for count, _ in rows]
    width = max(map(len, figures))
    head = f"  This machine holds {format_count(min(here.ports, by_files))} connections to one target:"
    lines = [Text(head, style="bold")]
    return lines + [Text(f"    {figure:>{width}}  {what}") for figure, (_, what) in zip(figures, rows, strict=True)]


def _commands(here: Machine) -> list[Text]:
    commands = []
    if here.ports < ENOUGH_PORTS:
        commands.append(("more from each source address; --source-ip adds addresses", widen_ports_command()))
    if here.fd_hard < ENOUGH_FDS:
        commands.append(("more in each worker; --workers adds workers", raise_fds_command(ENOUGH_FDS)))
    if (here.somaxconn or 0) < ENOUGH_BACKLOG:
        commands.append(("servers here lose fewer connections at once", "sysctl -w net.core.somaxconn=65535"))
    lines: list[Text] = []
    for why, command in commands:
        lines += [Text(), Text(f"  {why}:", style="dim"), Text(f"    {command}")]
    return lines
