"""Whether a run fits this machine: source addresses, ports, descriptors and memory, looked at before it starts."""

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

from wsload.engine.forecast import Forecast, Kind, forecast
from wsload.engine.limits import RESERVED_FDS, Machine, raise_fds_command, widen_ports_command
from wsload.engine.ports import Endpoint, taken
from wsload.engine.resolve import MAX_ADDRESSES
from wsload.errors import LimitError
from wsload.units import format_bytes

if TYPE_CHECKING:
    from wsload.scenario import Plan


def workers_needed(connections: int, here: Machine) -> int:
    """One worker per core, more where their descriptors do not suffice, and never more than connections."""
    by_files = -(-connections // max(here.connections_per_worker, 1))
    return min(max(here.cpus, by_files), connections)


def check(plan: "Plan", workers: int, here: Machine) -> None:
    """Refuses what would fail for want of addresses, ports, descriptors or memory, before a connection is opened.

    Raises:
        LimitError: with the number that fits and what raises it.
    """
    _check_sources(plan.source_ips[: plan.connections])
    _check_ports(plan, here)
    _check_descriptors(plan.connections, workers, here)
    _check_memory(plan.connections, forecast(plan.connections, workers, Kind.of(plan)), here)


def is_local(address: str) -> bool:
    """Whether connections of this machine may come from an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    return True


def _check_sources(addresses: tuple[str, ...]) -> None:
    foreign = [address for address in addresses if not is_local(address)]
    if foreign:
        more = len(foreign) - 1
        others = f", nor {'is' if more == 1 else 'are'} {_counted(more, 'other')}" if more else ""
        raise LimitError(
            f"--source-ip: {foreign[0]} is no address of this machine{others}",
            f"Add it: ip address add {foreign[0]} dev DEVICE. `ip address` lists those that it has.",
        )


def _check_ports(plan: "Plan", here: Machine) -> None:
    sources, targets = plan.source_ips or ("",), _targets(plan, here)
    pairs = len(sources) * len(targets)
    each = free = here.ports.count
    if plan.connections * 2 > pairs * each:
        # Near the limit it is worth a look at what others, and earlier runs, still hold.
        free = max(each - _most_taken(sources, targets, here), 0)
    if plan.connections <= pairs * free:
        return
    between = _counted(len(sources), "source address")
    if len(targets) > 1:
        between += f" x {_counted(len(targets), 'target address')}"
    ports = f"{each:,} ephemeral ports" if free == each else f"{free:,} of {each:,} ephemeral ports that are free"
    raise LimitError(
        f"--connections: {plan.connections:,} connections need as many ports; {pairs * free:,} fit"
        f" ({between} x {ports})",
        f"Name {-(-plan.connections // max(free * len(targets), 1))} source addresses with --source-ip,"
        f" or run: {widen_ports_command()}",
    )


def _most_taken(sources: tuple[str, ...], targets: list[Endpoint], here: Machine) -> int:
    """Ports in use of the pair of source and target that has the fewest left."""
    used = taken(targets, here.ports)
    if sources == ("",):
        # The kernel chooses the source: the one that leads to the target, whichever it is.
        return max(used.values(), default=0)
    return max((used[source, target] for source in sources for target in targets), default=0)


def _targets(plan: "Plan", here: Machine) -> list[Endpoint]:
    """The ends that connections go to; a name is looked up only where its addresses matter."""
    if plan.connections * 2 <= here.ports.count:
        return [("0.0.0.0", 0)]  # noqa: S104 - stands for one target, whatever its address
    found: dict[Endpoint, None] = {}
    for dial in plan.dials:
        found.update(dict.fromkeys(_look_up(dial.host, dial.port)))
    return list(found)[: MAX_ADDRESSES if plan.every_address else 1]


def _look_up(host: str, port: int) -> list[Endpoint]:
    try:
        return [(str(ipaddress.ip_address(host)), port)]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # The run will say so.
        return [("0.0.0.0", 0)]  # noqa: S104 - as above
    return [(str(info[4][0]), port) for info in found]


def _check_descriptors(connections: int, workers: int, here: Machine) -> None:
    per_worker = -(-connections // workers)
    if per_worker <= here.connections_per_worker:
        return
    needed = -(-connections // max(here.connections_per_worker, 1))
    raise LimitError(
        f"--connections: {connections:,} connections on {_counted(workers, 'worker')}"
        f" need {per_worker + RESERVED_FDS:,} file descriptors each; the limit is {here.fd_hard:,},"
        f" so {workers * here.connections_per_worker:,} connections fit",
        f"Leave --workers out, use --workers {needed}, or raise the limit:"
        f" {raise_fds_command(per_worker + RESERVED_FDS)}",
    )


def _check_memory(connections: int, needed: Forecast, here: Machine) -> None:
    if here.memory_bytes is None or needed.total_bytes <= here.memory_bytes:
        return
    fitting = max(here.memory_bytes - needed.processes_bytes, 0) // max(needed.bytes_each, 1)
    raise LimitError(
        f"--connections: {connections:,} connections need about {format_bytes(needed.total_bytes)} of memory;"
        f" {format_bytes(here.memory_bytes)} are free, so about {fitting:,} fit",
        "Use fewer connections, or more machines.",
    )


def _counted(number: int, what: str) -> str:
    plural = "es" if what.endswith("s") else "s"
    return f"{number:,} {what}{plural if number != 1 else ''}"
