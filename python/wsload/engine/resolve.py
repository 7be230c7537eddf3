"""Where a run's connections go: names become addresses, once for all workers."""

import asyncio
import socket

from wsload.scenario import Plan

RESOLVE_TIMEOUT_S = 20.0
MAX_ADDRESSES = 255
"""As many of the target's does the shard use."""

Address = tuple[str, int]


class UnresolvedError(Exception):
    """A name has no address: which, and why."""


async def resolve(plan: Plan) -> list[Address]:
    """Addresses of the target, each once: its names in order, of each in the resolver's order."""
    found = [await _look_up(dial.host, dial.port) for dial in plan.dials]
    return list(dict.fromkeys(address for addresses in found for address in addresses))


async def _look_up(host: str, port: int) -> list[Address]:
    asked = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.wait_for(asked, RESOLVE_TIMEOUT_S)
    except TimeoutError:
        reason = f"no answer within {RESOLVE_TIMEOUT_S:g} s"
    except UnicodeError:
        # So says Python of labels that are empty or longer than 63 letters.
        reason = "it is no valid host name"
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        return [(str(info[4][0]), port) for info in found]
    raise UnresolvedError(f"{host}: {reason}")
