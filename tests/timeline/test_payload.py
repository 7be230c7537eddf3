"""Payloads as people read them: nothing is added, lost or rounded."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from wsload.timeline.payload import hexdump, indented, looks_like_json, text_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_json_is_indented_and_numbers_stay_as_written() -> None:
    text = '{"a":1.50,"b":[],"c":{"d":[1e3,12345678901234567890]},"s":"{[,:]} \\" é"}'
    assert indented(text) == (
        '{\n  "a": 1.50,\n  "b": [],\n  "c": {\n    "d": [\n      1e3,\n      12345678901234567890\n    ]\n  },\n'
        '  "s": "{[,:]} \\" é"\n}'
    )


@given(VALUES)
def test_indented_json_is_the_same_json(value: object) -> None:
    text = json.dumps(value)
    assert json.loads(indented(text)) == value
    assert re.findall(r"[^\s]", indented(text)) == re.findall(r"[^\s]", text)


def test_what_looks_like_json_is_json() -> None:
    assert looks_like_json(' {"a": 1}')
    assert looks_like_json("[]")
    assert not looks_like_json('"text"')
    assert not looks_like_json('{"a": 1')
    assert not looks_like_json("[" * 100_000)


@given(st.binary(max_size=100))
def test_a_hexdump_holds_every_byte(payload: bytes) -> None:
    lines = hexdump(payload)
    assert b"".join(bytes.fromhex(line[10:57]) for line in lines) == payload
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_bytes_that_are_no_text() -> None:
    assert text_of("é".encode()) == "é"
    assert text_of(b"\xff") is None
