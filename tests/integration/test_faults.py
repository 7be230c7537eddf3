"""What a user meets when something goes wrong: the text, the exit code, and what is saved."""

import contextlib
import json
import os
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from servers import (
    TIMEOUT_S,
    children_of,
    free_address,
    is_alive,
    kill,
    peer,
    raw_server,
    run,
    start,
    wait_for_file,
    wsload_echo,
)
from wsload.results import read_summary


def test_nothing_listens(tmp_path: Path) -> None:
    begin = time.monotonic()
    done = run("run", free_address(), "-c", "30", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert time.monotonic() - begin < 8, "a run of 10 s that cannot begin ends at once"
    assert "connect     0 of 30" in done.stdout
    assert "30 × connection refused" in done.stdout
    assert "start the server, or check host and port" in done.stdout


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    done = run("run", "ws://does-not-exist.invalid/", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 × host name not found" in done.stdout


def test_the_server_dies_in_the_middle(tmp_path: Path) -> None:
    with wsload_echo() as (url, server):
        process = start("run", url, "-c", "10", "--rate", "500/s", "-d", "30s", cwd=tmp_path)
        path = wait_for_file(tmp_path)
        for child in children_of(server.pid):
            kill(child)
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, "something was measured"
    assert "10 lost" in out
    summary = read_summary(path)
    assert summary.outcome == "completed"
    assert summary.connections.lost == 10
    assert summary.messages.answered > 0
    assert {failure.kind for failure in summary.failures} <= {"unexpected_close", "reset", "unanswered"}


def test_no_reply_ever_comes(tmp_path: Path) -> None:
    from websockets.sync.server import ServerConnection, serve

    def swallow(connection: ServerConnection) -> None:
        for _ in connection:
            pass

    with serve(swallow, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        done = run("run", url, "-c", "2", "-d", "500ms", "--reply-timeout", "200ms", cwd=tmp_path)
        server.shutdown()
    assert done.returncode == 1
    assert "× no reply" in done.stdout
    assert "→ Look at the server's log, or raise --reply-timeout" in done.stdout
    assert "matching lost" in done.stdout


def test_ctrl_c_drains_and_saves(tmp_path: Path) -> None:
    with peer("websockets") as server:
        process = start("run", server.url, "-c", "5", "-d", "60s", "-o", "a.wsload", cwd=tmp_path)
        wait_for_file(tmp_path)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        echoed = server.finish()
    assert process.returncode == 130
    assert err.startswith("stopping: draining")
    assert "interrupted stopped by SIGINT after" in " ".join(out.split())
    summary = read_summary(tmp_path / "a.wsload")
    assert (summary.outcome, summary.outcome_reason) == ("interrupted", "stopped by SIGINT")
    assert summary.messages.sent == summary.messages.answered == echoed > 0


def test_ctrl_c_twice_ends_at_once_and_saves(tmp_path: Path) -> None:
    got_message = threading.Event()

    def upgrade_and_stay_silent(connection: socket.socket) -> None:
        import base64
        import hashlib

        head = connection.recv(4096).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                got_message.set()

    with raw_server(upgrade_and_stay_silent) as url:
        process = start("run", url, "--reply-timeout", "60s", "-d", "60s", "-o", "a.wsload", cwd=tmp_path)
        assert got_message.wait(TIMEOUT_S)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode in {130, 143}
    summary = read_summary(tmp_path / "a.wsload")
    assert (summary.outcome, summary.messages.sent, summary.messages.unanswered) == ("interrupted", 1, 1)


def test_kill_9_leaves_no_worker_and_a_file_that_says_unfinished(tmp_path: Path) -> None:
    with peer("websockets") as server:
        process = start("run", server.url, "-c", "5", "--rate", "100/s", "-d", "60s", cwd=tmp_path)
        path = wait_for_file(tmp_path)
        workers = children_of(process.pid)
        assert len(workers) == len(os.sched_getaffinity(0))
        process.kill()
        process.communicate(timeout=TIMEOUT_S)
        give_up = time.monotonic() + 2
        while any(map(is_alive, workers)):
            assert time.monotonic() < give_up, "workers outlive their parent"
            os.sched_yield()
    report = run("report", str(path), cwd=tmp_path)
    assert report.returncode == 0
    assert "unfinished" in report.stdout
    assert read_summary(path).messages.answered > 0


def test_a_worker_that_dies_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    with peer("websockets") as server:
        flags = ["-c", "6", "--rate", "60/s", "-d", "3s", "--workers", "2", "-o", "a.wsload"]
        process = start("run", server.url, *flags, cwd=tmp_path)
        wait_for_file(tmp_path)
        victim = children_of(process.pid)[0]
        kill(victim)
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    summary = read_summary(tmp_path / "a.wsload")
    (note,) = summary.notes
    assert note.kind == "worker_lost"
    assert f"(process {victim}) was lost: killed by signal SIGKILL; its 3 connections are missing" in note.text
    assert note.text in " ".join(out.split())
    assert summary.generator.workers_lost == 1
    assert summary.duration_ns == pytest.approx(3e9, rel=0.05)


def test_all_workers_die(tmp_path: Path) -> None:
    with peer("websockets") as server:
        process = start("run", server.url, "-c", "4", "-d", "30s", "-o", "a.wsload", cwd=tmp_path)
        wait_for_file(tmp_path)
        for worker in children_of(process.pid):
            kill(worker)
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert read_summary(tmp_path / "a.wsload").outcome == "failed"


def test_an_output_that_cannot_be_written_is_said_before_the_load(tmp_path: Path) -> None:
    (tmp_path / "there.wsload").write_text("precious")
    for output, what in (("missing/a.wsload", "No such file or directory"), ("there.wsload", "exists already")):
        done = run("run", free_address(), "-o", output, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert what in done.stderr
        assert "-o/--output" in done.stderr


def test_a_disk_that_fills_up_costs_the_file_and_not_the_summary(tmp_path: Path) -> None:
    # A file size limit of the process is the nearest thing to a full disk that needs no privileges.
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))

    with peer("websockets") as server:
        flags = ["-c", "2", "--rate", "50/s", "-d", "6s", "--format", "json"]
        process = start("run", server.url, *flags, cwd=tmp_path, preexec_fn=limit)
        out, err = process.communicate(timeout=TIMEOUT_S)
    document = json.loads(out)
    assert process.returncode == 0
    assert document["messages"]["answered"] == 300
    assert document["file"] is None
    assert document["notes"][0]["kind"] == "file_lost"
    assert "error: " in err


def test_more_connections_than_fit_are_refused_with_the_number_that_does(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    process = start("run", free_address(), "-c", "500", "--workers", "2", cwd=tmp_path, preexec_fn=limit)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (2, "")
    assert "the limit is 256, so 384 connections fit" in err
    assert "--workers 3" in err
    process = start("run", free_address(), "-c", "500k", "--workers", "1000", cwd=tmp_path)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 2
    assert "ephemeral ports" in err
    assert "--source-ip" in err
    assert list(tmp_path.iterdir()) == []
