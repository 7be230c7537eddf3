"""Where the web view listens."""

import ipaddress
import re
import socket
from dataclasses import dataclass

from wsload.errors import ServeError, UsageError

DEFAULT = "127.0.0.1:8787"
PATTERN = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):)?(\d{1,5})")
"""`HOST:PORT`, or a port alone."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; port 0 takes one that is free."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def authority(self) -> str:
        """As it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """An address from the command line.

    Raises:
        UsageError: it is none.
    """
    match = PATTERN.fullmatch(text)
    if not match or int(match[2]) > 65535:
        raise UsageError(f"--web: {text!r} is no address", "Write HOST:PORT or a port, such as 127.0.0.1:8787.")
    return Address((match[1] or "127.0.0.1").strip("[]"), int(match[2]))


def listen(address: Address) -> tuple[socket.socket, Address]:
    """A socket that listens there, and where that is when any port would do.

    Raises:
        ServeError: somebody else listens there, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        bound = socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        what = f"--web: cannot listen on {address.authority}: {error.strerror or error}"
        raise ServeError(what, "Name another port, such as --web 127.0.0.1:0 for any that is free.") from None
    return bound, Address(address.host, bound.getsockname()[1])
