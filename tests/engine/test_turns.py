"""What the kernel says of a thread that has asked for short turns."""

import os
import platform
import re
import threading
from pathlib import Path

import pytest

from wsload.engine.turns import ask_for_short_turns


def in_a_thread(nice: int) -> tuple[int, int]:
    """The slice, ns, and the nice value that a thread has which asked."""
    found: list[tuple[int, int]] = []

    def ask() -> None:
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, nice)
        ask_for_short_turns()
        told = Path("/proc/thread-self/sched").read_text(encoding="ascii")
        match = re.search(r"^se\.slice\s*:\s*(\d+)", told, re.MULTILINE)
        found.append((int(match[1]) if match else 0, os.getpriority(os.PRIO_PROCESS, thread)))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_gets_short_turns_and_keeps_its_nice_value() -> None:
    if not Path("/proc/thread-self/sched").exists():
        pytest.skip("this kernel does not tell how it schedules")
    slice_ns, nice = in_a_thread(nice=3)
    assert nice == 3
    if tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2]) >= (6, 12):
        assert slice_ns == 500_000


def test_a_machine_whose_call_is_not_known_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsload.engine.turns._SET_ATTRIBUTES", {})
    monkeypatch.setattr("wsload.engine.turns.ctypes", None)
    ask_for_short_turns()
