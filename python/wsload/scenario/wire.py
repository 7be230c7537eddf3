"""How a connection is made and kept: address, proxy, TLS, compression, limits, pings, Close."""

import base64
import re
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict

from wsload.errors import UsageError
from wsload.scenario.parts import JsonKey, KeyPair, KeySpec, RegexKey
from wsload.scenario.plan import KeyMatching
from wsload.scenario.url import Address, parse_authority, redact_url

MAX_REASON_BYTES = 123
MAX_PEM_BYTES = 4 << 20
MIN_PING_NS = 1_000_000
TlsVersion = Literal["1.2", "1.3"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsOptions(_Part):
    """How a `wss://` target is verified and what is offered to it."""

    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool = False
    server_name: str | None = None
    min_version: TlsVersion = "1.2"
    max_version: TlsVersion = "1.3"
    resume: bool = False


class Compression(_Part):
    """permessage-deflate as it is offered (RFC 7692 section 7.1); `level` is zlib's."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int = 15
    level: int = 6


class Proxy(_Part):
    """An HTTP proxy that is asked to CONNECT."""

    host: str
    port: int
    authorization: str | None = None


def check_tls(tls: TlsOptions, scheme: str) -> None:
    """Rules over several fields.

    Raises:
        UsageError: an option without TLS, or two that exclude each other.
    """
    given = {
        "--cacert": tls.cacert,
        "--cert": tls.cert,
        "--key": tls.key,
        "-k/--insecure": tls.insecure,
        "--sni": tls.server_name,
        "--tls-resume": tls.resume,
        "--tls-min": tls.min_version != "1.2",
        "--tls-max": tls.max_version != "1.3",
    }
    for flag, value in given.items():
        if value and scheme != "wss":
            raise UsageError(f"{flag}: the target is not secured by TLS", "Aim at wss://, or drop the flag.")
    if tls.insecure and tls.cacert:
        raise UsageError("-k/--insecure: --cacert is given as well", "Name whom to believe, or believe anyone.")
    if (tls.cert is None) != (tls.key is None):
        given_flag, missing = ("--cert", "--key") if tls.cert else ("--key", "--cert")
        raise UsageError(f"{given_flag}: it needs {missing}", "A client certificate goes with its private key.")
    if tls.min_version > tls.max_version:
        what = f"--tls-min: {tls.min_version} is above --tls-max {tls.max_version}"
        raise UsageError(what, "Swap the two.")


def check_close(code: int, reason: str) -> None:
    """RFC 6455 sections 5.5.1 and 7.4.

    Raises:
        UsageError: a code that must not be on the wire, or a reason too long for a Close frame.
    """
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        what = f"--close-code: {code} must not be sent"
        raise UsageError(what, "RFC 6455 allows 1000 to 1003, 1007 to 1014 and 3000 to 4999.")
    if len(reason.encode()) > MAX_REASON_BYTES:
        raise UsageError("--close-reason: it is too long", f"A Close frame holds {MAX_REASON_BYTES} bytes of it.")


def parse_compression(text: str) -> Compression:
    """Compression of `on`, or of parameters such as `client_no_context_takeover,server_max_window_bits=10,level=1`.

    Raises:
        UsageError: an unknown parameter, or a value outside its range.
    """
    known = ", ".join(Compression.model_fields)
    fields: dict[str, bool | int] = {}
    if text != "on":
        for part in text.split(","):
            name, _, value = (word.strip() for word in part.partition("="))
            if name not in Compression.model_fields:
                raise UsageError(f"--compress: {name!r} is no parameter", f"Write 'on', or any of: {known}.")
            low, high = (0, 9) if name == "level" else (9, 15)
            if name.endswith("takeover"):
                if value:
                    raise UsageError(f"--compress: {name} takes no value", f"Write --compress {name}.")
                fields[name] = True
            elif re.fullmatch(r"\d{1,2}", value) and low <= int(value) <= high:
                fields[name] = int(value)
            else:
                raise UsageError(f"--compress: {name}={value}", f"It takes {low} to {high}.")
    return Compression.model_validate(fields)


def parse_matching(match: str, received: str | None) -> Literal["order", "none"] | KeyMatching:
    """How replies find their messages: `order`, `none`, or by a key: `echo`, `json:$.id`, `regex:id=(.*)`.

    Raises:
        UsageError: it is none of these.
    """
    if match in {"order", "none"}:
        if received is not None:
            what = f"--match-received: --match {match} has no key"
            raise UsageError(what, "Name one with --match, such as json:$.id.")
        return "order" if match == "order" else "none"
    sent = _key("--match", match)
    other = sent if received is None else _key("--match-received", received)
    return KeyMatching(key=KeyPair(sent=sent, received=other))


def _key(flag: str, text: str) -> KeySpec:
    kind, _, rest = text.partition(":")
    match kind, bool(rest):
        case "echo", False:
            return "echo"
        case "json", True:
            return JsonKey(path=rest)
        case "regex", True:
            return RegexKey(expression=rest)
    remedy = "Write order, none, echo, json:$.id or regex:'id=([0-9]+)'."
    raise UsageError(f"{flag}: {text!r} is no way to match", remedy)


def parse_proxy(url: str) -> Proxy:
    """A proxy of `http://[user:password@]host[:port]`.

    Raises:
        UsageError: another kind of proxy, or no address.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        _bad_proxy(url)
    if parts.scheme != "http" or not host:
        _bad_proxy(url)
    authorization = None
    if parts.username is not None:
        authorization = basic(f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    return Proxy(host=host, port=port, authorization=authorization)


def environment_proxy(address: Address, environment: dict[str, str]) -> Proxy | None:
    """What HTTPS_PROXY (for wss) or HTTP_PROXY (for ws) and NO_PROXY say, in either case of letters."""
    names = {name.lower(): value for name, value in environment.items() if value}
    for pattern in names.get("no_proxy", "").split(","):
        suffix = pattern.strip().lower().lstrip(".")
        if suffix == "*" or (suffix and (address.host == suffix or address.host.endswith(f".{suffix}"))):
            return None
    url = names.get("https_proxy" if address.scheme == "wss" else "http_proxy")
    return parse_proxy(url) if url else None


def basic(pair: str) -> str:
    """Value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(pair.encode()).decode()


def parse_dial(text: str) -> tuple[str, int]:
    """An address of `HOST:PORT`.

    Raises:
        UsageError: it is none.
    """
    host, port = parse_authority(text)
    if host is None or port is None:
        raise UsageError(f"--connect-to: {text!r} is no address", "Write HOST:PORT, an IPv6 address as [::1]:443.")
    return host, port


def read_pem(flag: str, path: Path) -> str:
    """The content of a PEM file.

    Raises:
        UsageError: it cannot be read, or is not text.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_PEM_BYTES).decode("ascii")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{flag}: {path}: {reason}", "Name a PEM file that can be read.") from None
    except UnicodeDecodeError:
        remedy = "Convert it: openssl x509 -inform der -in FILE -out FILE.pem."
        raise UsageError(f"{flag}: {path} is not a PEM file", remedy) from None


def _bad_proxy(url: str) -> NoReturn:
    raise UsageError(f"--proxy: {redact_url(url)} is no HTTP proxy", "Write http://[user:password@]host:port.")
