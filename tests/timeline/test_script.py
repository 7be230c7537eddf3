"""Recordings as scripts: what can be played, and what is said of what cannot."""

from pathlib import Path

import pytest

from recordings import MS, SESSION, event, numbered, received, sent, write
from wsload.errors import UsageError
from wsload.results import Event, Flag, RunFile
from wsload.timeline.script import Recorded, Step, missing_variables, read_scripts


def scripts(tmp_path: Path, events: list[Event], *connections: tuple[int, int | None]) -> Recorded:
    with RunFile.open(write(tmp_path / "a.wsload", events)) as run:
        return read_scripts(run, connections)


def test_a_recording_is_played_from_its_first_connection_on(tmp_path: Path) -> None:
    late = [one._replace(at_ns=one.at_ns + 100 * MS) for one in SESSION]
    recorded = scripts(tmp_path, late)
    first, second = recorded.scripts
    assert (first.begin_ns, second.begin_ns, recorded.incomplete) == (0, 5 * MS, 0)
    assert first.steps == (
        Step(10 * MS, "text", SESSION[2].payload, 0, "hello"),
        Step(20 * MS, "binary", b"\x00\x01\xff", 1),
        Step(51 * MS, "end", b"", 2),
    )
    assert first.closed_by_server
    assert [one.payload for one in first.received] == [SESSION[3].payload, SESSION[5].payload]
    assert [step.payload for step in second.messages] == [b"plain\ntext"]


def test_pings_and_a_close_are_played_and_pongs_are_not(tmp_path: Path) -> None:
    events = [
        event(0, "", "connect"),
        sent(1, "x"),
        event(2, "sent", "ping", b"p"),
        event(3, "received", "pong", b"p"),
        event(4, "received", "ping", b"q"),
        event(5, "sent", "pong", b"q"),
        event(4.5, "sent", "close", "bye", code=4001),
        received(6, "late"),
        event(7, "received", "close", code=4001),
        event(8, "", "end"),
    ]
    (script,) = scripts(tmp_path, numbered(events)).scripts
    kinds = [(step.at_ns / MS, step.kind, step.code, step.after) for step in script.steps]
    assert kinds == [(1, "text", 1000, 0), (2, "ping", 1000, 0), (4.5, "close", 4001, 0)]
    assert [one.payload for one in script.received] == [b"late"]
    assert not script.closed_by_server


@pytest.mark.parametrize("code", [1005, 1006, 1004, 2999])
def test_a_code_that_must_not_be_sent_becomes_1000(tmp_path: Path, code: int) -> None:
    close = numbered([event(0, "", "connect"), sent(1, "x"), event(2, "sent", "close", code=code)])
    assert scripts(tmp_path, close).scripts[0].steps[-1].code == 1000


def answers(tmp_path: Path, *events: Event) -> tuple[int | None, ...]:
    (script,) = scripts(tmp_path, numbered([event(0, "", "connect"), *events])).scripts
    return script.answers


def test_latencies_tell_which_message_was_answered(tmp_path: Path) -> None:
    # Sent at 10, 20 and 30 ms, each intended 1 ms before; answered out of order, and a push in between.
    out = [sent(10, "a"), sent(20, "b"), sent(30, "c")]
    back = [
        received(40, "c", latency_ns=11 * MS),
        received(41, "push"),
        received(42, "a", latency_ns=33 * MS),
        received(43, "b", latency_ns=24 * MS),
    ]
    assert answers(tmp_path, *out, *back) == (2, None, 0, 1)


def test_replies_in_order_to_messages_of_one_instant(tmp_path: Path) -> None:
    out = [sent(10, text) for text in "abc"]
    assert answers(tmp_path, *out, *(received(12, text, latency_ns=2 * MS) for text in "abc")) == (0, 1, 2)


def test_without_latencies_a_strict_exchange_shows_it(tmp_path: Path) -> None:
    assert answers(tmp_path, sent(1, "a"), received(2, "b"), sent(3, "c"), received(4, "d")) == (0, 1)


def test_without_latencies_anything_else_shows_nothing(tmp_path: Path) -> None:
    assert answers(tmp_path, sent(1, "a"), received(2, "b"), received(4, "d")) == (None, None)
    (tmp_path / "a.wsload").unlink()
    assert answers(tmp_path, received(0.5, "hello"), sent(1, "a"), received(2, "b")) == (None, None)


def test_connections_with_gaps_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    events = [one for one in SESSION if one.kind != "binary"]
    assert [script.connection for script in scripts(tmp_path, events).scripts] == [3]
    with RunFile.open(tmp_path / "a.wsload") as run:
        (asked,) = read_scripts(run, [(0, None)]).scripts
        assert len(asked.messages) == 1
        with pytest.raises(UsageError, match="holds no connection with messages"):
            read_scripts(run, [(9, None)])


def test_nothing_whole_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no connection was recorded whole, 1 in part"):
        scripts(tmp_path, [sent(1, "x", seq=4)])


def test_what_was_cut_cannot_be_sent(tmp_path: Path) -> None:
    cut = numbered([event(0, "", "connect"), sent(1, "x" * 10, size=99, flags=int(Flag.CUT))])
    with pytest.raises(UsageError, match="of a message of 99 bytes only 10 were kept") as caught:
        scripts(tmp_path, cut)
    assert "--record-payload" in caught.value.remedy


def test_secrets_are_asked_for_by_name(tmp_path: Path) -> None:
    login = sent(1, "login ***token*** ***pin***", flags=int(Flag.REDACTED))
    path = write(tmp_path / "b.wsload", numbered([event(0, "", "connect"), login, sent(2, "***plain***")]))
    with RunFile.open(path) as run:
        (script,) = read_scripts(run, ()).scripts
    assert missing_variables([script], {"pin": "1"}) == ["token"]
    first, second = script.messages
    assert first.pieces({"token": "t{copy}", "pin": "1234"}) == [b"login t", b" 1234"]
    assert second.pieces({}) == [b"***plain***"]
