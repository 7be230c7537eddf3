"""Target addresses."""

import pytest

from wsload.errors import UsageError
from wsload.scenario.url import parse_address, redact_url


@pytest.mark.parametrize(
    ("url", "host", "port", "resource", "host_header"),
    [
        ("ws://example.com", "example.com", 80, "/", "example.com"),
        ("ws://example.com:80/", "example.com", 80, "/", "example.com"),
        ("ws://127.0.0.1:9000/chat?room=1", "127.0.0.1", 9000, "/chat?room=1", "127.0.0.1:9000"),
        ("ws://[::1]:9000/", "::1", 9000, "/", "[::1]:9000"),
        ("WS://EXAMPLE.com/A%20b", "example.com", 80, "/A%20b", "example.com"),
        ("ws://bücher.example/ü", "xn--bcher-kva.example", 80, "/%C3%BC", "xn--bcher-kva.example"),
    ],
)
def test_section_3_what_an_address_comes_to(url: str, host: str, port: int, resource: str, host_header: str) -> None:
    address = parse_address(url, [])
    assert (address.host, address.port, address.resource) == (host, port, resource)
    assert address.host_header == host_header


@pytest.mark.parametrize(
    ("url", "what", "remedy"),
    [
        ("http://a/", "does not begin with ws://", "ws://a/"),
        ("localhost:9000", "does not begin with ws://", "ws://host:port/path"),
        ("", "does not begin with ws://", "ws://"),
        ("https://a/", "does not begin with ws://", "wss://a/"),
        ("ws:///x", "names no host", "ws://host:port/path"),
        ("ws://a:0/", "no valid port", "1 to 65535"),
        ("ws://a:65536/", "no valid port", "1 to 65535"),
        ("ws://a:x/", "no valid port", "1 to 65535"),
        ("ws://a/#top", "fragment", "%23"),
        ("ws://a/b c", "space or control", "%20"),
        ("ws://a/\r\nX: y", "space or control", "%20"),
        ("ws://[::1/", "cannot be read", "ws://host:port/path"),
    ],
)
def test_what_is_no_address_is_refused_with_a_remedy(url: str, what: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(url, [])
    assert caught.value.what.startswith("URL: ")
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_parameters_are_added_and_escaped() -> None:
    address = parse_address("ws://a/x?k=1", [("room", "a b&c"), ("q", "ü")])
    assert address.resource == "/x?k=1&room=a%20b%26c&q=%C3%BC"


def test_user_and_password_become_a_header_and_are_never_shown() -> None:
    url = "ws://me:s%20ecret@host:9/x"
    address = parse_address(url, [])
    assert (address.host, address.port) == ("host", 9)
    assert address.authorization == "Basic bWU6cyBlY3JldA=="
    assert redact_url(url) == "ws://***@host:9/x"
    with pytest.raises(UsageError) as caught:
        parse_address("ws://me:secret@host/#x", [])
    assert "secret" not in str(caught.value)
