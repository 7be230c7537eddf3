"""Source addresses as a person names them: one by one, or a whole network."""

from ipaddress import ip_address, ip_network

from wsload.errors import UsageError

MAX_SOURCES = 1024
"""Addresses of a run: with the kernel's default range of ports some 28 million connections to one target."""


def expand_sources(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses that texts such as `10.0.0.11` and `10.0.0.16/28` name, each once, in order.

    A network stands for the addresses that hosts may have: without its first and its last one.

    Raises:
        UsageError: a text names none, or there are too many.
    """
    found: dict[str, None] = {}
    for text in texts:
        found.update(dict.fromkeys(_network(text) if "/" in text else [_single(text)]))
    if len(found) > MAX_SOURCES:
        what = f"--source-ip: {len(found):,} addresses"
        raise UsageError(what, f"It takes at most {MAX_SOURCES:,}: a few hold millions of connections.")
    return tuple(found)


def _single(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        remedy = "Name a local address, or a network such as 10.0.0.16/28."
        raise UsageError(f"--source-ip: {text!r} is not an IP address", remedy) from None


def _network(text: str) -> list[str]:
    try:
        network = ip_network(text)
    except ValueError as error:
        whole = _containing(text)
        remedy = f"Did you mean {whole}?" if whole else "Write ADDRESS/BITS, such as 10.0.0.16/28."
        raise UsageError(f"--source-ip: {text!r} is no network: {error}", remedy) from None
    if network.num_addresses > MAX_SOURCES + 2:
        what = f"--source-ip: {text} has {network.num_addresses:,} addresses"
        remedy = f"It takes at most {MAX_SOURCES:,}: name a part of it, such as {network.network_address}/28."
        raise UsageError(what, remedy)
    return [str(address) for address in network.hosts()]


def _containing(text: str) -> str | None:
    """The network that an address with bits beyond the mask lies in."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return None
