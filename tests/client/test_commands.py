"""What a person types."""

from pathlib import Path

import pytest

from wsload.client.commands import Close, Command, Filter, Help, Ping, Send, parse
from wsload.errors import UsageError


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("", None),
        ("   ", None),
        ("hello", Send("text", b"hello")),
        ("two\nlines é", Send("text", "two\nlines é".encode())),
        ("//path", Send("text", b"/path")),
        ('/json {"a": 1.50}', Send("text", b'{"a": 1.50}')),
        ("/hex 00 fF", Send("binary", b"\x00\xff")),
        ("/ping", Ping(b"")),
        ("/ping x y", Ping(b"x y")),
        ("/close", Close(1000, "")),
        ("/close 4001 'good bye'", Close(4001, "good bye")),
        ("/close 1000 it's over", Close(1000, "it's over")),
        ("/filter error", Filter("error")),
        ("/filter", Filter("")),
        ("/help", Help()),
        ("/quit", Close()),
    ],
)
def test_a_line_is_a_message_or_a_command(line: str, command: Command | None) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("/nope", "/nope is no command"),
        ("/json {", "/json: "),
        ("/hex 0", "/hex: '0' is not hexadecimal"),
        ("/file /no/such/file", "/file: /no/such/file: No such file"),
        ("/close 1005", "/close: '1005' is no code that may be sent"),
        ("/close soon", "/close: 'soon' is no code that may be sent"),
        (f"/close 1000 {'x' * 124}", "longer than 123 bytes"),
    ],
)
def test_what_cannot_be_sent_is_explained(line: str, what: str) -> None:
    with pytest.raises(UsageError, match=what.replace("(", r"\(")) as caught:
        parse(line)
    assert caught.value.remedy


def test_a_file_is_text_or_binary(tmp_path: Path) -> None:
    text, other = tmp_path / "a.txt", tmp_path / "a.bin"
    text.write_bytes("é\n".encode())
    other.write_bytes(b"\xff\x00")
    assert parse(f"/file {text}") == Send("text", "é\n".encode())
    assert parse(f"/file {other}") == Send("binary", b"\xff\x00")
