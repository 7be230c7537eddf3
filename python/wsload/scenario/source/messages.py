"""From a file's messages to those of a program: payloads, names and replies."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wsload.errors import UsageError
from wsload.scenario.model import MAX_MESSAGE_BYTES
from wsload.scenario.origin import FileUsed
from wsload.scenario.parts import JsonKey, KeyPair, KeySpec, RegexKey
from wsload.scenario.program import Name, Outgoing, RegexCondition, Reply
from wsload.scenario.source import refuse
from wsload.scenario.source.conditions import checked_path, decoded
from wsload.scenario.source.declare import Where
from wsload.scenario.source.file import MatchSpec, MessageSpec, ReplySpec
from wsload.scenario.source.inputs import read_bytes
from wsload.scenario.source.names import Names
from wsload.scenario.source.problems import Problems, nearest
from wsload.scenario.source.tree import Place

MAX_NAMES = 100
FIRST_NAME = "message"
_PAYLOADS = {
    "text": "text",
    "json_value": "json",
    "xml": "xml",
    "html": "html",
    "hex": "hex",
    "base64": "base64",
    "file": "file",
}
_NAMING_KEYS = ("type", "op", "action", "event", "method", "cmd")


@dataclass(slots=True)
class MessageCompiler:
    """Compiles messages, each once; mistakes go to `problems`."""

    saved: Mapping[str, MessageSpec]
    names: Names
    problems: Problems
    folder: Path
    reply_timeout_ns: int
    files: list[FileUsed] = field(default_factory=list)
    """Files whose content messages are."""
    exchanges: dict[str, bool] = field(default_factory=dict)
    """Names of exchanges, and whether they count in the totals."""
    outgoing: list[tuple[str, Outgoing]] = field(default_factory=list)
    """Messages so far, each with its name; the place of the name is not yet known."""
    _numbers: dict[tuple[Place, Where], int] = field(default_factory=dict)

    def compiled(self) -> tuple[tuple[Name, ...], tuple[Outgoing, ...]]:
        """Names of exchanges, and messages that refer to them."""
        if len(self.exchanges) > MAX_NAMES:
            what = f"{len(self.exchanges)} names of messages"
            self.problems.add((), what, f"A run keeps figures for {MAX_NAMES}: give several messages one 'name:'.")
        places = list(self.exchanges)
        messages = tuple(one.model_copy(update={"name": places.index(name)}) for name, one in self.outgoing)
        return tuple(Name(name=name, total=total) for name, total in self.exchanges.items()), messages

    def message(self, spec: MessageSpec | str, where: Where, place: Place) -> int:
        """Place of a message, saved or written in place; compiled when it is met first."""
        if isinstance(spec, str):
            saved = self.saved.get(spec)
            if saved is None:
                remedy = nearest(spec, self.saved, "Saved:") if self.saved else ""
                remedy = remedy or "Write {text: …} for a message of its own, or save one under 'messages:'."
                self.problems.add(place, f"no message is called {spec!r}", remedy)
                return 0
            return self._saved(saved, spec, where, ("messages", spec))
        return self._saved(spec, "", where, place)

    def _saved(self, spec: MessageSpec, saved_as: str, where: Where, place: Place) -> int:
        if known := self._numbers.get((place, where)):
            return known - 1
        before = self.problems.count
        kind, payload, template = self._payload(spec, place)
        name = spec.name or saved_as or self._made_up_name(spec, where)
        if not name.isprintable() or len(name) > MAX_NAMES or set(name) & set("[]"):
            what = f"{name!r} is no name of messages"
            self.problems.add((*place, "name"), what, "It takes up to 100 printable characters, no brackets.")
        reply = self._reply(spec.reply, place) if spec.reply is not None else None
        if where == "aside":
            if reply and not saved_as:
                self.problems.add((*place, "reply"), "beside the steps nothing is awaited", "Drop it.", at_key=True)
            reply = None
        self.exchanges[name] = self.exchanges.get(name, False) or where == "iterate"
        self.outgoing.append((name, Outgoing(name=0, kind=kind, payload=payload, template=template, reply=reply)))
        self._numbers[(place, where)] = len(self.outgoing)
        if template and self.problems.count == before and (found := refuse.template(payload, self.names.table())):
            self.problems.add(place, found, "See docs/scenarios.md for what placeholders take.")
        return len(self.outgoing) - 1

    def _made_up_name(self, spec: MessageSpec, where: Where) -> str:
        """`message` for the first of the iterations, else what the message calls itself."""
        base = FIRST_NAME
        first = where == "iterate" and FIRST_NAME not in self.exchanges
        if not first and isinstance(spec.json_value, dict):
            words = (spec.json_value.get(key) for key in _NAMING_KEYS)
            base = next((word for word in words if isinstance(word, str) and word.isidentifier()), FIRST_NAME)
        name, number = base, 1
        while name in self.exchanges or name in self.saved:
            number += 1
            name = f"{base} {number}"
        return name

    def _payload(self, spec: MessageSpec, place: Place) -> tuple[Literal["text", "binary"], bytes, bool]:
        given = [(name, key) for name, key in _PAYLOADS.items() if name in spec.model_fields_set]
        if len(given) != 1:
            what = f"{given[1][1]}: {given[0][1]} is given as well" if given else "it has no payload"
            self.problems.add(place, what, nearest("", _PAYLOADS.values(), "A message has one of"))
            return "text", b"", False
        name, key = given[0]
        here = (*place, key)
        if spec.binary and name != "file":
            self.problems.add((*place, "binary"), f"it belongs to file, not to {key}", "Drop it.", at_key=True)
        value = getattr(spec, name)
        if value is None and name != "json_value":
            self.problems.add(here, "takes text, not nothing", "Write '' for an empty message.")
            return "text", b"", False
        if name == "hex":
            decode = lambda: bytes.fromhex(value)  # noqa: E731
            return "binary", decoded(self.problems, decode, here, "hexadecimal digits", "'01ff'"), False
        if name == "base64":
            decode = lambda: base64.b64decode(value, validate=True)  # noqa: E731
            return "binary", decoded(self.problems, decode, here, "Base64", "'AQID'"), False
        if name == "file":
            return self._from_file(value, here, binary=spec.binary)
        if name == "json_value":
            text = self.names.json_text(value, here)
            try:
                json.loads(self.names.sample(text))
            except ValueError as error:
                what = f"with the values of {'the first row' if self.names.rows else 'the variables'} it is not JSON"
                self.problems.add(here, f"{what}: {error}", "Leave out |raw where a value is text.")
        else:
            text = self.names.resolve(value, here)
        return "text", text.encode(), "{{" in text

    def _from_file(self, name: str, place: Place, *, binary: bool) -> tuple[Literal["text", "binary"], bytes, bool]:
        fixed = "a file must be known before the run"
        path = self.folder / self.names.resolve(name, place, fixed=fixed)
        try:
            payload = read_bytes(path, "", MAX_MESSAGE_BYTES)
            if not binary:
                payload.decode()
        except UsageError as error:
            self.problems.add(place, error.what, error.remedy)
            return "text", b"", False
        except UnicodeDecodeError as error:
            what = f"{path} is not UTF-8 text (byte {error.start})"
            self.problems.add(place, what, "Add 'binary: true' to send it as a binary message.")
            return "text", b"", False
        self.files.append(FileUsed(path=str(path), sha256=hashlib.sha256(payload).hexdigest()))
        return ("binary" if binary else "text"), payload, False

    def _reply(self, spec: ReplySpec | str, place: Place) -> Reply | None:
        if spec == "none":
            return None
        if isinstance(spec, str):
            spec = ReplySpec(match="echo" if spec == "echo" else "order")
        within_ns = self.reply_timeout_ns if spec.within is None else spec.within
        if within_ns <= 0:
            self.problems.add((*place, "reply", "within"), "no time at all", "The default is reply_timeout: 10s.")
        if spec.match == "order":
            return Reply(key=None, within_ns=within_ns)
        if spec.match == "echo":
            return Reply(key=KeyPair(sent="echo", received="echo"), within_ns=within_ns)
        return Reply(key=self._keys(spec.match, (*place, "reply", "match")), within_ns=within_ns)

    def _keys(self, match: MatchSpec | str, place: Place) -> KeyPair | None:
        assert isinstance(match, MatchSpec)  # noqa: S101 - the words are the caller's
        given = sorted(match.model_fields_set)
        if given == ["received", "sent"]:
            sent = checked_path(self.problems, match.sent, (*place, "sent"))
            received = checked_path(self.problems, match.received, (*place, "received"))
            return KeyPair(sent=JsonKey(path=sent), received=JsonKey(path=received))
        if given == ["json_path"]:
            path = checked_path(self.problems, match.json_path, (*place, "json"))
            key: KeySpec = JsonKey(path=path)
        elif given == ["regex"]:
            if found := refuse.condition(RegexCondition(regex=match.regex or "")):
                self.problems.add((*place, "regex"), found, "Write it as Rust's regex crate takes it.")
            key = RegexKey(expression=match.regex or "")
        else:
            remedy = "Write {json: $.id}, {sent: $.id, received: $.re} or {regex: 'id=([0-9]+)'}."
            self.problems.add(place, "it names no key, or more than one", remedy)
            return None
        return KeyPair(sent=key, received=key)
