"""Source addresses as a person names them."""

import pytest

from wsload.errors import UsageError
from wsload.scenario.sources import expand_sources


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), ()),
        (("127.0.0.2", "::1"), ("127.0.0.2", "::1")),
        # Eight addresses less the network's own and the one for broadcasts.
        (("127.0.1.0/29",), tuple(f"127.0.1.{last}" for last in range(1, 7))),
        (("10.0.0.4/31",), ("10.0.0.4", "10.0.0.5")),
        (("10.0.0.4/32",), ("10.0.0.4",)),
        (("fd00::10/127",), ("fd00::10", "fd00::11")),
        (("127.0.0.2", "127.0.0.0/30", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")),
        (("FD00::0001",), ("fd00::1",)),
    ],
)
def test_addresses_and_networks_become_addresses(texts: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert expand_sources(texts) == expected


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        (
            "here",
            "--source-ip: 'here' is not an IP address",
            "Name a local address, or a network such as 10.0.0.16/28.",
        ),
        ("10.0.0.5/28", "--source-ip: '10.0.0.5/28' is no network", "Did you mean 10.0.0.0/28?"),
        ("10.0.0.5/99", "--source-ip: '10.0.0.5/99' is no network", "Write ADDRESS/BITS, such as 10.0.0.16/28."),
        (
            "127.0.0.0/8",
            "--source-ip: 127.0.0.0/8 has 16,777,216 addresses",
            "name a part of it, such as 127.0.0.0/28.",
        ),
    ],
)
def test_what_is_no_address_is_refused_with_what_would_be(text: str, what: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        expand_sources((text,))
    assert caught.value.what.startswith(what)
    assert remedy in caught.value.remedy


def test_many_networks_have_a_bound_as_well() -> None:
    assert len(expand_sources(("127.0.0.0/22",))) == 1_022
    with pytest.raises(UsageError, match="--source-ip: 1,276 addresses"):
        expand_sources(("127.0.0.0/22", "127.1.0.0/24"))
