"""Memory, descriptors, threads and CPU of processes, held against processes that have them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from wsload.engine.processes import Meter, descriptors, family, read_process


@contextmanager
def talking(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that does what it is told line by line, and says `done`."""
    command = [sys.executable, "-c", f"import os, sys, threading\n{code}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return told(process)


def test_a_process_is_read() -> None:
    own = read_process(os.getpid())
    assert own is not None
    assert own.pid == os.getpid()
    assert own.rss_bytes > 10_000_000
    assert own.threads >= 1
    assert own.cpu_ns > 0
    assert read_process((1 << 22) + 1) is None


def test_a_process_that_has_only_an_exit_code_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert read_process(process.pid) is None


def test_descriptors_are_counted() -> None:
    before = descriptors(os.getpid())
    assert before is not None
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(10)]
    assert descriptors(os.getpid()) == before + 10
    for descriptor in opened:
        os.close(descriptor)
    assert descriptors((1 << 22) + 1) is None


def test_memory_threads_and_cpu_show() -> None:
    code = """
print("ready", flush=True)
sys.stdin.readline()
kept = b"x" * 50_000_000
threading.Thread(target=sys.stdin.readline, daemon=True).start()
while os.times().user < 0.3:
    pass
print("done", flush=True)
threading.Event().wait()
"""
    with talking(code) as process:
        assert told(process) == "ready"
        meter = Meter()
        before = meter.read([process.pid])
        assert tell(process) == "done"
        after = meter.read([process.pid])
    assert before["cpu_ns"] == 0, "nothing is known of what was before"
    assert after["rss_bytes"] - before["rss_bytes"] > 45_000_000
    assert after["threads"] == before["threads"] + 1
    assert 200_000_000 <= after["cpu_ns"] < 5_000_000_000
    assert (before["processes"], meter.lives) == (1, 1)
    assert meter.read([process.pid])["processes"] == 0


def test_children_belong_to_the_family_and_a_new_one_is_another_life() -> None:
    code = """
import subprocess
for _ in range(2):
    child = subprocess.Popen([sys.executable, "-c", "kept = b'x' * 60_000_000; input()"], stdin=subprocess.PIPE)
    while os.stat(f"/proc/{child.pid}/statm") and int(open(f"/proc/{child.pid}/statm").read().split()[1]) < 15_000:
        pass
    print(child.pid, flush=True)
    sys.stdin.readline()
    child.kill()
    child.wait()
"""
    with talking(code) as process:
        meter = Meter()
        first = int(told(process))
        assert family(process.pid) == [process.pid, first]
        assert meter.read(family(process.pid))["processes"] == 2
        assert meter.read(family(process.pid))["processes"] == 2
        assert meter.lives == 1
        second = int(tell(process))
        assert meter.read(family(process.pid))["rss_bytes"] > 60_000_000
        assert (second != first, meter.lives) == (True, 2)
