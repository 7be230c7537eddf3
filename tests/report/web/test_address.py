"""Where the web view listens."""

import socket

import pytest

from wsload.errors import ServeError, UsageError
from wsload.report.web.address import Address, listen, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8787", Address("127.0.0.1", 8787)),
        ("0", Address("127.0.0.1", 0)),
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
        ("[::1]:8787", Address("::1", 8787)),
        ("load.example:9000", Address("load.example", 9000)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "here", "127.0.0.1", ":8787", "127.0.0.1:99999", "127.0.0.1:80/x", "a b:80"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--web: .* is no address"):
        parse_address(text)


def test_which_addresses_are_this_machines_alone() -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert Address(host, 1).is_loopback
    for host in ("0.0.0.0", "10.1.2.3", "load.example", "127.load.example", ""):
        assert not Address(host, 1).is_loopback


def test_a_port_in_use_is_said() -> None:
    bound, found = listen(Address("127.0.0.1", 0))
    with bound, pytest.raises(ServeError, match=f"cannot listen on 127.0.0.1:{found.port}: Address already in use"):
        listen(found)


def test_any_free_port_is_told() -> None:
    bound, found = listen(Address("127.0.0.1", 0))
    with bound, socket.create_connection((found.host, found.port), timeout=5):
        assert found.port > 0
