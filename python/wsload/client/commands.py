"""What a person types: messages, and commands that begin with a slash."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_FILE_BYTES = 64 << 20
HELP = """\
TEXT                  send it as a text message; Alt-Enter begins a new line
//TEXT                the same, of a text that begins with a slash
/json VALUE           send JSON, after a check that it is
/hex 00 ff            send bytes as a binary message
/file PATH            send a file: as text if it is UTF-8, else as binary
/ping [TEXT]          send a ping
/close [CODE [WHY]]   close; 1000 unless you say otherwise
/filter [TEXT]        show only messages with this text; without one, all again
/help                 this
/quit                 close and leave"""


@dataclass(frozen=True, slots=True)
class Send:
    """A message to send."""

    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping to send."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is to be closed."""

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Only messages with this text are to be shown; empty: all."""

    text: str


@dataclass(frozen=True, slots=True)
class Help:
    """The commands are to be listed."""


Command = Send | Ping | Close | Filter | Help


def parse(line: str) -> Command | None:
    """The command in a line; None for an empty one.

    Raises:
        UsageError: it is none, or names what cannot be sent.
    """
    if not line.strip():
        return None
    if not line.startswith("/"):
        return Send("text", line.encode(errors="surrogateescape"))
    if line.startswith("//"):
        return Send("text", line[1:].encode(errors="surrogateescape"))
    word, _, rest = line[1:].partition(" ")
    makers: dict[str, Callable[[str], Command]] = {
        "json": _json,
        "hex": _hex,
        "file": _file,
        "ping": lambda text: Ping(text.encode()),
        "close": _close,
        "filter": lambda text: Filter(text.strip()),
        "help": lambda _: Help(),
        "quit": lambda _: Close(),
    }
    maker = makers.get(word)
    if maker is None:
        raise UsageError(f"/{word} is no command", "/help lists them; a text that begins with / is written //.")
    return maker(rest)


def _json(text: str) -> Send:
    try:
        json.loads(text)
    except ValueError as error:
        raise UsageError(f"/json: {error}", "Nothing was sent.") from None
    return Send("text", text.encode())


def _hex(text: str) -> Send:
    try:
        return Send("binary", bytes.fromhex(text))
    except ValueError:
        raise UsageError(f"/hex: {text!r} is not hexadecimal", "Write pairs of digits, such as 00 ff.") from None


def _file(text: str) -> Send:
    path = Path(text.strip()).expanduser()
    try:
        with path.open("rb") as file:
            payload = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"/file: {path}: {error.strerror}", "Name a file that can be read.") from None
    if len(payload) > MAX_FILE_BYTES:
        raise UsageError(f"/file: {path} is larger than 64 MiB", "A message is at most 64 MiB.")
    try:
        payload.decode()
    except UnicodeDecodeError:
        return Send("binary", payload)
    return Send("text", payload)


def _close(text: str) -> Close:
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    if not words:
        return Close()
    code, reason = words[0], " ".join(words[1:])
    sendable = code.isdecimal() and (int(code) in {1000, 1001, *range(1007, 1012)} or 3000 <= int(code) < 5000)
    if not sendable:
        raise UsageError(
            f"/close: {code!r} is no code that may be sent", "1000 is the usual one; 3000 to 4999 are free."
        )
    if len(reason.encode()) > 123:
        raise UsageError("/close: the reason is longer than 123 bytes", "RFC 6455 section 5.5 allows no more.")
    return Close(int(code), reason)
