"""Recordings as scripts: what can be played, and what is said of what cannot."""

from pathlib import Path

import pytest

from recordings import MS, SESSION, event, numbered, received, sent, write
from wsload.errors import UsageError
from wsload.results import Event, Flag, RunFile
from wsload.timeline.script import Recorded, Step, has_secrets, missing_variables, read_scripts


def scripts(tmp_path: Path, events: list[Event], *connections: tuple[int, int | None]) -> Recorded:
    with RunFile.open(write(tmp_path / "a.wsload", events)) as run:
        return read_scripts(run, connections)


def test_a_recording_is_played_from_its_first_connection_on(tmp_path: Path) -> None:
    late = [one._replace(at_ns=one.at_ns + 100 * MS) for one in SESSION]
    recorded = scripts(tmp_path, late)
    first, second = recorded.scripts
    assert (first.begin_ns, second.begin_ns, recorded.incomplete) == (0, 5 * MS, 0)
    assert first.steps == (
        Step(10 * MS, "text", SESSION[2].payload, 0),
        Step(20 * MS, "binary", b"\x00\x01\xff", 1),
    )
    assert [one.payload for one in first.received] == [SESSION[3].payload, SESSION[5].payload]
    assert [step.payload for step in second.steps] == [b"plain\ntext"]


def test_connections_with_gaps_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    events = [one for one in SESSION if one.kind != "binary"]
    assert [script.connection for script in scripts(tmp_path, events).scripts] == [3]
    with RunFile.open(tmp_path / "a.wsload") as run:
        (asked,) = read_scripts(run, [(0, None)]).scripts
        assert len(asked.steps) == 1
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
    path = write(tmp_path / "b.wsload", numbered([event(0, "", "connect"), login, received(2, "ok")]))
    with RunFile.open(path) as run:
        (script,) = read_scripts(run, ()).scripts
        assert missing_variables([script], has_secrets(run), {"pin": "1"}) == ["token"]
        assert missing_variables([script], False, {}) == []
    (step,) = script.filled({"token": "t{copy}", "pin": "1234"}, 7)
    assert step.payload == b"login t7 1234"
