"""The user's command: when it runs, what it is told, and what becomes of one that fails."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from results.test_alerts import second
from wsload.engine import alarm as alarm_module
from wsload.engine.alarm import Alarm, AlarmRequest, parse_command
from wsload.errors import UsageError
from wsload.scenario import parse_alerts

SECOND = 10**9
FACTS = {"target": "ws://127.0.0.1:9000/", "labels": {"release": "1.2"}, "file": "/a.wsload"}
ALERT = "response.max < 50ms over 1s"


def keep(path: Path) -> tuple[str, ...]:
    """A command that keeps what it is told."""
    return sys.executable, "-c", f"import sys; open({str(path)!r}, 'a').write(sys.stdin.read())"


def play(latencies: list[int], command: tuple[str, ...], every_s: int = 0, **settings: float) -> list[tuple[str, str]]:
    """Seconds of a run, each command awaited before the next one; what became notes."""
    notes: list[tuple[str, str]] = []

    async def run() -> None:
        asked = AlarmRequest(parse_alerts([ALERT]), command, every_s * SECOND)
        alarm = Alarm(asked, FACTS, lambda kind, text: notes.append((kind, text)))
        for at, latency_ms in enumerate([*latencies, 10]):
            alarm.hear(second(at, latency_ms))
            await asyncio.gather(*alarm._running.values())
        await alarm.close()

    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(alarm_module, name, value)
        asyncio.run(run())
    return notes


def told(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_a_breach_and_its_end_are_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    notes = play([10, 90, 10, 10], keep(out))
    breach, recovered = told(out)
    assert breach["event"] == "breach"
    assert (breach["alert"], breach["metric"]) == ("response.max < 50ms", "response.max")
    assert (breach["limit"], breach["unit"], breach["window_s"]) == (50_000_000, "ns", 1.0)
    assert (breach["begin_s"], breach["since_s"], breach["held_back"]) == (1.0, 1.0, 0)
    assert (breach["target"], breach["labels"], breach["file"]) == tuple(FACTS.values())
    assert (recovered["event"], recovered["begin_s"], recovered["since_s"]) == ("recovered", 2.0, 1.0)
    assert notes == [
        ("breach", "response.max < 50ms over 1 s: 90.0 ms at 1 s"),
        ("recovered", "response.max < 50ms over 1 s: holds again with 10.0 ms at 2 s, after 1 s"),
    ]


def test_a_breach_that_lasts_is_told_again_but_not_too_often(tmp_path: Path) -> None:
    out = tmp_path / "out"
    notes = play([90] * 7, keep(out), every_s=3)
    # At the ends of the first, fourth and seventh second; then it holds again.
    assert [(one["end_s"], one["held_back"]) for one in told(out)] == [(1.0, 0), (4.0, 2), (7.0, 2)]
    assert len(notes) == 1, "a breach that lasts is one"


def test_what_flaps_is_told_once_and_its_end_with_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    play([90, 10, 90, 10, 90, 10], keep(out), every_s=3600)
    assert [one["event"] for one in told(out)] == ["breach", "recovered"]


def test_a_command_that_fails_is_told_once_for_each_reason() -> None:
    notes = play([90, 10, 90, 10], (sys.executable, "-c", "import sys; sys.exit(3)"))
    assert [text for kind, text in notes if kind == "on_breach_failed"] == ["--on-breach: exit code 3"]
    notes = play([90, 90], ("/no/such/command",))
    complaints = [text for kind, text in notes if kind == "on_breach_failed"]
    assert complaints == ["--on-breach: /no/such/command: No such file or directory"]


def test_a_command_that_hangs_is_killed() -> None:
    hangs = (sys.executable, "-c", "import threading; threading.Event().wait()")
    notes = play([90, 10], hangs, COMMAND_TIMEOUT_S=0.1)
    assert ("on_breach_failed", "--on-breach: it took longer than 0.1 s and was killed") in notes


def test_a_command_that_hangs_at_the_end_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_module, "END_TIMEOUT_S", 0.0)
    hangs = (sys.executable, "-c", "import threading; threading.Event().wait()")

    async def run() -> None:
        alarm = Alarm(AlarmRequest(parse_alerts([ALERT]), hangs), FACTS, lambda *_: None)
        for at, latency_ms in enumerate([90, 10]):
            alarm.hear(second(at, latency_ms))
        await asyncio.wait_for(alarm.close(), 10)

    asyncio.run(run())


def test_notes_are_bounded() -> None:
    notes = play([90, 10] * 10, (), MAX_NOTES=3)
    assert len(notes) == 4
    assert notes[-1] == ("breach", "more than 3 breaches and recoveries: no more of them are noted")


def test_a_command_is_split_as_by_a_shell() -> None:
    assert parse_command("notify --to 'the team'") == ("notify", "--to", "the team")
    assert parse_command(None) == ()
    for text in ("it's", "", "  "):
        with pytest.raises(UsageError, match="--on-breach"):
            parse_command(text)
