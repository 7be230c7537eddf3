"""Payloads as people read them; what is shown can be told from what is there, byte by byte."""

import re

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\s+', re.DOTALL)
HEX_COLUMNS = 16


def text_of(payload: bytes) -> str | None:
    """The payload as text; None where it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def looks_like_json(text: str) -> bool:
    """Whether it is a JSON object or array."""
    import json

    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def indented(text: str) -> str:
    """A JSON text with line breaks and indentation; every string and number stays as it is written."""
    parts: list[str] = []
    depth = 0
    previous = ""
    for word in _WORD.findall(text):
        if word.isspace():
            continue
        if word in "}]":
            depth -= 1
            if previous not in {"{", "["}:
                parts.append("\n" + "  " * depth)
        elif previous in {"{", "[", ","}:
            parts.append("\n" + "  " * depth)
        parts.append(": " if word == ":" else word)
        if word in {"{", "["}:
            depth += 1
        previous = word
    return "".join(parts)


def hexdump(payload: bytes) -> list[str]:
    """Lines of offset, sixteen bytes and their ASCII."""
    lines = []
    for offset in range(0, len(payload), HEX_COLUMNS):
        row = payload[offset : offset + HEX_COLUMNS]
        pairs = " ".join(f"{byte:02x}" for byte in row)
        plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:08x}  {pairs:{HEX_COLUMNS * 3 - 1}}  {plain}")
    return lines
