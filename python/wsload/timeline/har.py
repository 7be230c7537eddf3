"""HAR files (HTTP Archive 1.2) with `_webSocketMessages`, as Chromium, Playwright and mitmproxy write them."""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from wsload import __version__
from wsload.errors import UsageError
from wsload.results import Event, Flag, Header
from wsload.scenario.parts import REDACTED

MAX_HAR_BYTES = 1 << 30
OPCODES = {"text": 1, "binary": 2}
KINDS = {1: "text", 2: "binary"}


@dataclass(frozen=True, slots=True)
class Recording:
    """What a HAR file holds: the first URL and the events of all its connections, times after the epoch."""

    url: str
    epoch_unix_ns: int
    connections: int
    events: list[Event]


def export(header: Header, epoch_unix_ns: int | None, events: Iterable[Event]) -> str:
    """A HAR document with an entry for each connection that has messages among the events."""
    epoch = epoch_unix_ns or 0

    def connection(event: Event) -> tuple[int, int]:
        return event.connection, event.attempt

    entries = []
    for (slot, attempt), group in groupby(sorted(events, key=lambda e: (e.connection, e.attempt, e.seq)), connection):
        own = list(group)
        if any(event.is_message for event in own):
            entries.append(_entry(header, epoch, own, f"connection {slot}, attempt {attempt}"))
    entries.sort(key=lambda entry: str(entry["startedDateTime"]))
    log = {
        "version": "1.2",
        "creator": {"name": "wsload", "version": __version__},
        "pages": [],
        "entries": entries,
    }
    return json.dumps({"log": log}, indent=1)


def _entry(header: Header, epoch: int, events: list[Event], comment: str) -> dict[str, object]:
    first_ns, last_ns = events[0].at_ns, events[-1].at_ns
    own_url = next((e.payload.decode() for e in events if e.kind == "connect" and e.payload), None)
    url = own_url or header.target
    headers = [{"name": name, "value": value} for name, value in header.plan.handshake.headers]
    headers += [{"name": "Cookie", "value": f"{name}={REDACTED}"} for name, _ in header.plan.handshake.cookies]
    span_ms = (last_ns - first_ns) / 1e6
    query = [{"name": name, "value": value} for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)]
    return {
        "_resourceType": "websocket",
        "_webSocketMessages": [_message(epoch, event) for event in events if event.is_message],
        "startedDateTime": _iso(epoch + first_ns),
        "time": span_ms,
        "request": {
            "method": "GET",
            "url": url,
            "httpVersion": "HTTP/1.1",
            "headers": headers,
            "queryString": query,
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": 101,
            "statusText": "Switching Protocols",
            "httpVersion": "HTTP/1.1",
            "headers": [],
            "cookies": [],
            "content": {"size": 0, "mimeType": "x-unknown"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": span_ms},
        "comment": comment,
    }


def _message(epoch: int, event: Event) -> dict[str, object]:
    data = event.payload.decode() if event.kind == "text" and _is_text(event.payload) else None
    message: dict[str, object] = {
        "type": "send" if event.direction == "sent" else "receive",
        "time": (epoch + event.at_ns) / 1e9,
        "opcode": OPCODES[event.kind],
        "data": base64.b64encode(event.payload).decode() if data is None else data,
    }
    if data is None and event.kind == "text":
        # A text that was cut inside a character.
        message["opcode"] = OPCODES["binary"]
    if event.flags & Flag.CUT:
        message["_cutFromBytes"] = event.size
    if event.flags & Flag.REDACTED:
        message["_redacted"] = True
    return message


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def read(path: Path) -> Recording:
    """The WebSocket connections of a HAR file.

    Raises:
        UsageError: it cannot be read, is no HAR file, or holds no WebSocket messages.
    """
    entries = [entry for entry in _entries(path) if _messages_of(entry)]
    if not entries:
        remedy = "Record it while the page talks: Chromium's DevTools and mitmproxy keep WebSocket messages."
        raise UsageError(f"{path}: holds no WebSocket messages", remedy)
    starts = [_start_ns(path, entry) for entry in entries]
    epoch = min(starts)
    events: list[Event] = []
    for number, (entry, start_ns) in enumerate(zip(entries, starts, strict=True)):
        events += _events(path, number, entry, start_ns, epoch)
    url = str(_part(entries[0], "request").get("url", ""))
    return Recording(url, epoch, len(entries), sorted(events, key=lambda e: (e.at_ns, e.connection, e.seq)))


def _entries(path: Path) -> list[dict[str, Any]]:
    remedy = "Name a HAR file, such as DevTools exports from its Network panel."
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MAX_HAR_BYTES))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "Name a file that can be read.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is not JSON: {error}", remedy) from None
    entries = _part(document, "log").get("entries")
    if not isinstance(entries, list):
        raise UsageError(f"{path}: is no HAR file: it has no log.entries", remedy)
    return [entry for entry in entries if isinstance(entry, dict)]


def _part(document: Any, key: str) -> dict[str, Any]:
    part = document.get(key) if isinstance(document, dict) else None
    return part if isinstance(part, dict) else {}


def _messages_of(entry: dict[str, Any]) -> list[Any]:
    messages = entry.get("_webSocketMessages")
    return messages if isinstance(messages, list) else []


def _start_ns(path: Path, entry: dict[str, Any]) -> int:
    first = _time_ns(path, _messages_of(entry)[0], "its first message")
    try:
        started = datetime.fromisoformat(str(entry.get("startedDateTime")))
    except ValueError:
        return first
    return min(first, round((started if started.tzinfo else started.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000)


def _time_ns(path: Path, message: Any, where: str) -> int:
    time_s = message.get("time") if isinstance(message, dict) else None
    if not isinstance(time_s, int | float) or isinstance(time_s, bool) or not 0 <= time_s < 1e11:
        raise UsageError(f"{path}: {where} has no time", "It must hold seconds since 1970 in `time`.")
    return round(time_s * 1e6) * 1000


def _events(path: Path, slot: int, entry: dict[str, Any], start_ns: int, epoch: int) -> list[Event]:
    url = str(_part(entry, "request").get("url", ""))
    events: list[Event] = []

    def add(at_ns: int, direction: str, kind: str, payload: bytes, size: int | None = None, flags: int = 0) -> None:
        # A clock that stepped must not tear the order of a connection.
        at_ns = max(at_ns - epoch, events[-1].at_ns if events else 0)
        size = (len(payload) if direction else 0) if size is None else size
        place = (at_ns, slot, 1, len(events))
        events.append(Event(*place, direction, kind, None, size, None, None, None, flags, 0, payload))

    add(start_ns, "", "connect", url.encode())
    add(start_ns, "", "open", b"")
    for number, message in enumerate(_messages_of(entry), 1):
        where = f"message {number} of WebSocket connection {slot + 1}"
        at_ns = _time_ns(path, message, where)
        kind = KINDS.get(message.get("opcode"))
        data = message.get("data")
        if message.get("type") not in {"send", "receive"} or not isinstance(data, str):
            remedy = "It must hold `type` (send or receive) and `data`."
            raise UsageError(f"{path}: {where} says neither what nor which way", remedy)
        if kind is None:
            # Errors and control frames that DevTools notes are no messages.
            continue
        way = "sent" if message["type"] == "send" else "received"
        add(at_ns, way, kind, _payload(path, kind, data, where), *_as_kept(message))
    add(max(start_ns, events[-1].at_ns + epoch), "", "end", b"")
    return events


def _as_kept(message: dict[str, Any]) -> tuple[int | None, int]:
    """Size and flags of a message of which a HAR file of ours says that it is not all there."""
    whole = message.get("_cutFromBytes")
    cut = isinstance(whole, int) and not isinstance(whole, bool) and whole > 0
    flags = (Flag.CUT if cut else 0) | (Flag.REDACTED if message.get("_redacted") is True else 0)
    return (whole if cut else None), int(flags)


def _payload(path: Path, kind: str, data: str, where: str) -> bytes:
    if kind == "text":
        return data.encode(errors="surrogatepass")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{path}: {where} is binary, and its data is no base64", "Record it again.") from None


def _iso(unix_ns: int) -> str:
    whole, rest = divmod(unix_ns, 10**9)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 10**6:03}Z"
