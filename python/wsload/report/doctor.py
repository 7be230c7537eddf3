"""What this machine can hold, as a table."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from wsload.units import format_count


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table; `remedy` is the command that raises the limit, or what to mind."""

    what: str
    value: str
    remedy: str = ""
    good: bool = True


def print_findings(findings: list[Finding], capacity: list[str]) -> None:
    """Prints the findings and what follows from them."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = "[green]ok[/]" if finding.good else "[yellow]mind[/]"
        table.add_row(mark, finding.what, finding.value, f"[dim]{finding.remedy}[/]" if finding.remedy else "")
    console.print(table)
    console.print()
    for line in capacity:
        console.print(line)


def capacity_lines(per_worker: int, workers: int, ports: int) -> list[str]:
    """What fits, in words."""
    held = min(per_worker * workers, ports)
    crew = f"{workers} worker{'s' if workers > 1 else ''}"
    return [
        f"[bold]This machine holds {format_count(held)} connections to one target address[/] with {crew}:",
        f"  {format_count(per_worker)} per worker (file descriptors), add workers with --workers",
        f"  {format_count(ports)} per source address (ephemeral ports), add addresses with --source-ip",
    ]
