"""Servers that are killed and come back, and links that are cut: who was lost, who is back, and how long it took."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from soaking import counted, is_open, soaking

COUNT = 20
SCENARIO = """
target: ws://127.0.0.1:{port}/
on_open:
  - {{send: {{name: login, text: login}}, expect: {{equals: login, within: 2s}}}}
iterate:
  - {{send: {{name: ask, text: hello}}, expect: {{equals: hello, within: 2s}}}}
"""


@contextmanager
def echo(port: int = 0, host: str = "127.0.0.1", inside: tuple[str, ...] = ()) -> Iterator[int]:
    """An echo server that is killed with all its workers at the end; its port."""
    words = [sys.executable, "-m", "wsload", "serve", "echo", "--host", host, "--port", str(port)]
    with subprocess.Popen([*inside, *words], stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            found = re.fullmatch(r"listening on ws://[\d.]+:(\d+)/\n", process.stdout.readline())
            assert found
            yield int(found[1])
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("how", [("--reconnect-wait", "100ms,300ms"), ("--reconnect", "storm")])
def test_after_a_restart_of_the_server_all_are_back(how: tuple[str, str], tmp_path: Path) -> None:
    load = ("-c", str(COUNT), "--rate", "100/s", *how)
    with ExitStack() as first:
        port = first.enter_context(echo())
        with soaking(f"ws://127.0.0.1:{port}/", *load, file=tmp_path / "a.wsload") as soak:
            soak.until(is_open(COUNT))
            first.close()
            soak.until(is_open(0))
            with echo(port):
                soak.until(is_open(COUNT))
                summary = soak.stop()
    recovery = summary.recovery
    assert recovery is not None
    assert (recovery.lost, recovery.recovered, summary.connections.reconnects) == (COUNT, COUNT, COUNT)
    assert summary.recover_time is not None
    assert summary.recover_time.count == COUNT
    # Nobody listened for a while: each tried more than once.
    assert recovery.attempts > COUNT
    messages = summary.messages
    assert messages.due == messages.sent == messages.answered + messages.unanswered
    assert messages.unanswered == recovery.messages_lost


def test_a_scenario_logs_in_again_on_each_new_connection(tmp_path: Path) -> None:
    scenario = tmp_path / "login.yaml"
    with ExitStack() as first:
        port = first.enter_context(echo())
        scenario.write_text(SCENARIO.format(port=port), encoding="utf-8")
        flags = ("-c", str(COUNT), "--rate", "100/s", "--reconnect-wait", "50ms,200ms")
        with soaking(str(scenario), *flags, file=tmp_path / "a.wsload") as soak:
            soak.until(is_open(COUNT))
            first.close()
            soak.until(is_open(0))
            with echo(port):
                soak.until(counted("recover_attempts", COUNT))
                soak.until(is_open(COUNT))
                summary = soak.stop()
    assert summary.recovery is not None
    assert (summary.recovery.lost, summary.recovery.recovered) == (COUNT, COUNT)
    assert summary.asides is not None
    assert (summary.asides.sent, summary.asides.answered) == (2 * COUNT, 2 * COUNT)


@contextmanager
def two_namespaces() -> Iterator[tuple[str, str, str]]:
    """Two network namespaces with a link between them: both names, and the device at the first one's end."""
    near, far = f"wsl{os.getpid()}a", f"wsl{os.getpid()}b"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    with ExitStack() as undo:
        for name in (near, far):
            ip("netns", "add", name)
            undo.callback(ip, "netns", "del", name)
        ip("link", "add", "v0", "netns", near, "type", "veth", "peer", "name", "v1", "netns", far)
        for name, device, address in ((near, "v0", "10.213.7.1/24"), (far, "v1", "10.213.7.2/24")):
            ip("-n", name, "address", "add", address, "dev", device)
            ip("-n", name, "link", "set", device, "up")
        yield near, far, "v0"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="a network namespace takes root and ip")
def test_after_a_cut_of_the_link_all_are_back(tmp_path: Path) -> None:
    pings = ("--ping-interval", "300ms", "--ping-timeout", "600ms", "--connect-timeout", "500ms")
    flags = ("-c", str(COUNT), "--idle", *pings, "--reconnect-wait", "200ms,500ms")
    with two_namespaces() as (near, far, device):
        within = ("ip", "netns", "exec")
        with (
            echo(host="10.213.7.2", inside=(*within, far)) as port,
            soaking(f"ws://10.213.7.2:{port}/", *flags, file=tmp_path / "a.wsload", inside=(*within, near)) as soak,
        ):
            soak.until(is_open(COUNT))
            subprocess.run(["ip", "-n", near, "link", "set", device, "down"], check=True)
            # Nothing says that the link is gone but the pongs that do not come.
            soak.until(is_open(0))
            subprocess.run(["ip", "-n", near, "link", "set", device, "up"], check=True)
            soak.until(is_open(COUNT))
            summary = soak.stop()
    assert summary.recovery is not None
    assert (summary.recovery.lost, summary.recovery.recovered) == (COUNT, COUNT)
    kinds = {failure.kind: failure.count for failure in summary.failures}
    assert kinds.pop("ping_timeout") == COUNT
    assert set(kinds) <= {"connect_timeout", "unreachable"}
