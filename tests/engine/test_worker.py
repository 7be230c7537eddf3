"""A worker: what it does with its shard, and that it never outlives its parent."""

import asyncio
import contextlib
import gc
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.support import ends_within, make_plan
from wsload.engine import worker as worker_module
from wsload.engine.outbox import Outbox
from wsload.engine.worker import Worker

COMMAND = (sys.executable, "-P", "-m", "wsload.engine.worker")


class FakeShard:
    """Remembers what it is asked for; its descriptor is a pipe that the test writes to."""

    made: "list[FakeShard]" = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, plan_json: str, worker: int, workers: int) -> None:
        self.made_with = (plan_json, worker, workers)
        self.calls: list[tuple[object, ...]] = []
        self.phase = "idle"
        self.read_end, self.write_end = os.pipe()
        self.made.append(self)

    def fileno(self) -> int:
        return self.read_end

    def connect(self, addresses: list[tuple[str, int]], at_ns: int, first_index: int | None) -> None:
        self.calls.append(("connect", addresses, at_ns, first_index))

    def fail_dns(self, reason: str, at_ns: int) -> None:
        self.calls.append(("fail_dns", reason, at_ns))

    def stop(self) -> None:
        self.phase = "done"

    def poll(self) -> int:
        raise RuntimeError("the shard panicked")

    def take(self) -> None:
        return None

    def state(self) -> str:
        return self.phase


class FakeOutbox(Outbox):
    """Keeps records instead of writing them."""

    def __init__(self) -> None:
        self.records: list[object] = []

    def put(self, item: object) -> None:
        self.records.append(item)


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeShard]]:
    monkeypatch.setattr(worker_module, "Shard", FakeShard)
    yield FakeShard.made
    for shard in FakeShard.made:
        os.close(shard.read_end)
        os.close(shard.write_end)
    FakeShard.made.clear()
    # A worker switches collection off for its process: this one is the tests'.
    gc.unfreeze()
    gc.enable()


def plan_command(url: str) -> bytes:
    plan = json.loads(make_plan(url).to_json())
    return json.dumps({"do": "plan", "plan": plan, "worker": 0, "workers": 1}).encode() + b"\n"


async def obey(worker: Worker, *lines: bytes) -> None:
    commands = asyncio.StreamReader()
    commands.feed_data(b"".join(lines))
    commands.feed_eof()
    await worker.obey(commands)


@pytest.mark.parametrize(
    ("command", "call"),
    [
        (
            b'{"do": "connect", "at_ns": 5, "addresses": [["127.0.0.1", 9000], ["::1", 9000]]}\n',
            ("connect", [("127.0.0.1", 9000), ("::1", 9000)], 5, None),
        ),
        (
            b'{"do": "connect", "at_ns": 5, "addresses": [["127.0.0.1", 9000]], "first_index": 63}\n',
            ("connect", [("127.0.0.1", 9000)], 5, 63),
        ),
        (b'{"do": "fail_dns", "at_ns": 5, "reason": "no such name"}\n', ("fail_dns", "no such name", 5)),
    ],
)
def test_the_agreed_instant_is_kept_even_when_it_has_passed(
    shards: list[FakeShard], command: bytes, call: tuple[object, ...]
) -> None:
    async def run() -> None:
        await obey(Worker(FakeOutbox()), plan_command("ws://127.0.0.1:9000/"), command)

    asyncio.run(run())
    assert shards[0].calls == [call]


def test_a_run_stopped_before_it_connects_is_over(shards: list[FakeShard]) -> None:
    async def run() -> None:
        worker = Worker(FakeOutbox())
        late = b'{"do": "connect", "at_ns": 5, "addresses": [["127.0.0.1", 9]]}\n'
        await obey(worker, plan_command("ws://example.test/"), b'{"do": "stop"}\n', late)
        await asyncio.wait_for(worker.over, 1)

    asyncio.run(run())
    assert shards[0].calls == []


def test_a_shard_that_fails_ends_the_worker_once(shards: list[FakeShard]) -> None:
    async def run() -> None:
        worker = Worker(FakeOutbox())
        await obey(worker, plan_command("ws://127.0.0.1:9000/"))
        os.write(shards[0].write_end, b"x")
        with pytest.raises(RuntimeError, match="the shard panicked"):
            await asyncio.wait_for(worker.over, 1)
        # The descriptor is still readable: it must not be watched any more.
        assert not asyncio.get_running_loop().remove_reader(shards[0].read_end)

    asyncio.run(run())


def test_an_unknown_command_is_an_error(shards: list[FakeShard]) -> None:
    async def run() -> None:
        await obey(Worker(FakeOutbox()), b'{"do": "dance"}\n')

    with pytest.raises(ValueError, match="unknown command"):
        asyncio.run(run())


@contextlib.contextmanager
def real_worker(*starter: str, parent: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of this one, started through a command that becomes it."""
    pipe = subprocess.PIPE
    command = (*starter, *COMMAND, str(os.getpid() if parent is None else parent))
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def next_record(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    kind, length = struct.unpack("<cI", process.stdout.read(5))
    return kind, process.stdout.read(length)


def give(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def test_the_end_of_its_input_ends_a_worker() -> None:
    with real_worker() as process:
        give(process, plan_command("ws://127.0.0.1:9/"))
        assert next_record(process) == (b"S", b"idle")
        assert process.stdin is not None
        process.stdin.close()
        assert ends_within(process.pid, 2)


def test_a_worker_whose_parent_is_gone_already_ends_at_once() -> None:
    with real_worker(parent=1) as process:
        assert process.wait(10) == 1


def test_the_terminal_s_signals_are_left_to_the_parent() -> None:
    with real_worker() as process:
        give(process, plan_command("ws://127.0.0.1:9/"))
        assert next_record(process) == (b"S", b"idle")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        give(process, b'{"do": "stop"}\n')
        assert next_record(process) == (b"S", b"done")
        assert process.wait(10) == 0


def test_a_worker_takes_all_descriptors_it_may_have() -> None:
    with real_worker("sh", "-c", 'ulimit -Sn 256 && exec "$@"', "sh") as process:
        give(process, plan_command("ws://127.0.0.1:9/"))
        next_record(process)
        limits = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii")
        (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
        soft, hard = line.split()[3:5]
        assert soft == hard != "256"


def test_a_plan_that_is_none_is_said_and_ends_the_worker() -> None:
    with real_worker() as process:
        give(process, b'{"do": "plan", "plan": {"schema_version": 99}, "worker": 0, "workers": 1}\n')
        assert next_record(process) == (b"E", b"plan schema version 99, this build reads 1")
        assert process.wait(10) == 1


PARENT_THAT_STARTS_A_WORKER = """
import os, signal, subprocess, sys
worker = subprocess.Popen([*sys.argv[2:], str(os.getpid())], stdin=int(sys.argv[1]), start_new_session=True)
sys.stderr.write(f"{worker.pid}\\n")
sys.stderr.flush()
signal.pause()
"""


def test_a_worker_dies_with_its_parent_even_when_its_input_stays_open() -> None:
    read_end, write_end = os.pipe()
    command = (sys.executable, "-c", PARENT_THAT_STARTS_A_WORKER, str(read_end), *COMMAND)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, pass_fds=[read_end]) as parent:
        assert parent.stderr is not None
        worker_pid = int(parent.stderr.readline())
        os.write(write_end, plan_command("ws://127.0.0.1:9/"))
        assert next_record(parent) == (b"S", b"idle")
        parent.kill()
        assert ends_within(worker_pid, 2)
    os.close(read_end)
    os.close(write_end)


PARENT_WITH_A_FLEET = """
import sys, uvloop
from engine.support import Remembering, children, make_plan
from wsload.engine.fleet import Fleet

class Telling(Remembering):
    def on_state(self, state):
        if state == "running":
            print(*children(), flush=True)

plan = make_plan(sys.argv[1], connections=4, duration_ns=3600 * 10**9, idle=True)
uvloop.run(Fleet(plan, 2, Telling()).run())
"""


def test_a_fleet_in_full_run_does_not_outlive_a_parent_killed_without_warning(silent_server: str) -> None:
    command = (sys.executable, "-c", PARENT_WITH_A_FLEET, silent_server)
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        assert select.select([parent.stdout], [], [], 20)[0]
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
        killed_at = time.monotonic()
        assert all(ends_within(pid, 2) for pid in workers)
        assert time.monotonic() - killed_at < 2
