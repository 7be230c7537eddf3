"""Target addresses (RFC 6455 section 3): taken apart, checked, and never shown with their password."""

import base64
import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from wsload.errors import UsageError

_PLACEHOLDER = re.compile(r"(?<!\\)\{\{.*?\}\}", re.DOTALL)
_MARK = "wsload0placeholder0"
DEFAULT_PORTS = {"ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A checked target: `resource` is path and query, `host_header` names the port unless it is the default."""

    scheme: str
    host: str
    port: int
    resource: str
    host_header: str
    authorization: str | None
    """Value of an Authorization header made of the user and password in the URL."""


def parse_address(url: str, params: list[tuple[str, str]]) -> Address:
    """Checks a URL and adds query parameters.

    Raises:
        UsageError: what is wrong with it, and how it should look.
    """
    parts = _split(url)
    if parts.fragment or "#" in url:
        raise UsageError(
            f"URL: {redact_url(url)} has a fragment (#...)", "A WebSocket URL has none; %23 is a literal #."
        )
    host = _host(parts, url)
    port = _port(parts, url)
    query = "&".join([parts.query] * bool(parts.query) + [f"{_encoded(k)}={_encoded(v)}" for k, v in params])
    path = quote(parts.path, safe="/:@!$&'()*+,;=~-._%") or "/"
    bracketed = f"[{host}]" if ":" in host else host
    default = port == DEFAULT_PORTS[parts.scheme]
    return Address(
        scheme=parts.scheme,
        host=host,
        port=port,
        resource=path + (f"?{quote(query, safe=_QUERY_SAFE)}" if query else ""),
        host_header=bracketed if default else f"{bracketed}:{port}",
        authorization=_authorization(parts),
    )


def parse_template(url: str, params: list[tuple[str, str]]) -> Address:
    """As `parse_address`, of a URL with `{{placeholders}}` behind host and port: `resource` is a template.

    Raises:
        UsageError: as for `parse_address`.
    """
    held: list[str] = []

    def hide(text: str) -> str:
        def word(match: re.Match[str]) -> str:
            held.append(match[0])
            return f"{_MARK}{len(held) - 1}x"

        return _PLACEHOLDER.sub(word, text)

    address = parse_address(hide(url), [(name, hide(value)) for name, value in params])
    resource = re.sub(rf"{_MARK}(\d+)x", lambda match: held[int(match[1])], address.resource)
    return replace(address, resource=resource)


def parse_authority(text: str) -> tuple[str | None, int | None]:
    """Host and port of `host:port` or `[::1]:port`; None for what is missing or no such thing."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None, None
    return (host, port) if parts.netloc == text and "@" not in text else (None, None)


def redact_url(url: str) -> str:
    """The URL with `***` for user and password."""
    try:
        parts = urlsplit(url)
        if "@" not in parts.netloc:
            return url
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"***@{host}", parts.path, parts.query, parts.fragment))
    except ValueError:
        return "***" if "@" in url else url


_QUERY_SAFE = "/?:@!$&'()*+,;=~-._%"


def _split(url: str) -> SplitResult:
    if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url):
        raise UsageError("URL: it has a space or control character", "Percent-encode it, a space as %20.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(
            f"URL: {redact_url(url)} cannot be read: {error}", "Write it as ws://host:port/path."
        ) from None
    if parts.scheme not in DEFAULT_PORTS:
        remedy = "Write ws://host:port/path, or wss:// for TLS."
        if parts.scheme in {"http", "https"}:
            scheme, _, rest = url.partition("://")
            other = "wss://" if scheme.lower() == "https" else "ws://"
            remedy = f"A WebSocket address begins with {other}: {redact_url(other + rest)}"
        raise UsageError(f"URL: {redact_url(url)} does not begin with ws:// or wss://", remedy)
    return parts


def _host(parts: SplitResult, url: str) -> str:
    host = parts.hostname or ""
    try:
        # Names with other letters than ASCII travel in their IDNA form.
        ascii_host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        ascii_host = ""
    if not ascii_host:
        raise UsageError(f"URL: {redact_url(url)} names no host", "Write it as ws://host:port/path.")
    return ascii_host


def _port(parts: SplitResult, url: str) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError(f"URL: {redact_url(url)} has no valid port", "A port is a number from 1 to 65535.")
    return port or DEFAULT_PORTS[parts.scheme]


def _authorization(parts: SplitResult) -> str | None:
    if "@" not in parts.netloc:
        return None
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _encoded(text: str) -> str:
    return quote(text, safe="")
