"""The server as a whole: its address, its workers, its end and its books."""

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from serving import END_TIMEOUT_S, serving
from wsload.errors import ExitCode, ServeError
from wsload.target.server import listen


def test_counts_are_exact_over_all_workers() -> None:
    with serving(workers=2) as server, ExitStack() as stack:
        clients = [stack.enter_context(connect(server.url, compression=None, proxy=None)) for _ in range(20)]
        for number, ws in enumerate(clients):
            for _ in range(number):
                ws.send(b"abc")
                assert ws.recv() == b"abc"
            ws.send(["in", "two"])
            assert ws.recv() == "intwo"
        stack.close()
        # 0 + 1 + ... + 19 messages of 3 bytes, and 20 of 5.
        assert server.stop() == (20, 190 + 20, 190 * 3 + 20 * 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_connections_with_1001_and_ends_well(number: signal.Signals) -> None:
    with serving() as server, connect(server.url, proxy=None) as ws:
        ws.send("x")
        assert ws.recv() == "x"
        server.process.send_signal(number)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        out, err = server.process.communicate(timeout=END_TIMEOUT_S)
        assert (server.process.returncode, err) == (0, "")
        assert out == "served 1 connection, 1 message, 1 payload byte\n"


def test_a_client_that_ignores_the_end_does_not_delay_it_for_long() -> None:
    with serving() as server, socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 101 ")
        assert server.stop() == (1, 0, 0)


def test_workers_do_not_outlive_a_killed_parent() -> None:
    with serving(workers=2) as server:
        workers = [os.pidfd_open(pid) for pid in server.workers()]
        assert len(workers) == 2
        server.process.kill()
        for descriptor in workers:
            assert select.select([descriptor], [], [], 5)[0], "a worker is still there"
            os.close(descriptor)


def test_a_lost_worker_ends_the_server_with_an_error() -> None:
    with serving(workers=2) as server:
        os.kill(server.workers()[0], signal.SIGKILL)
        out, err = server.process.communicate(timeout=END_TIMEOUT_S)
        assert server.process.returncode == ExitCode.FAILED
        assert out == ""
        assert err.startswith("error: a worker was lost: its connections and counts are gone\n")


def test_an_address_in_use_is_refused_even_if_its_owner_shares_it() -> None:
    sockets = listen("127.0.0.1", 0, 2)
    port = sockets[0].getsockname()[1]
    with pytest.raises(ServeError) as refused:
        listen("127.0.0.1", port, 2)
    assert refused.value.what == f"--port: {port} on 127.0.0.1 is in use by another program"
    assert refused.value.remedy == "Name another port, or 0 for one that is free."
    for listening in sockets:
        listening.close()


def test_the_kernel_spreads_connections_over_all_sockets() -> None:
    sockets = listen("127.0.0.1", 0, 2)
    address = sockets[0].getsockname()
    assert sockets[1].getsockname() == address
    clients = [socket.create_connection(address) for _ in range(64)]
    accepted = []
    for listening in sockets:
        listening.setblocking(False)
        accepted.append(0)
        try:
            while True:
                listening.accept()[0].close()
                accepted[-1] += 1
        except BlockingIOError:
            pass
        listening.close()
    for one in clients:
        one.close()
    assert sum(accepted) == 64
    # Each is left out with a probability of 2 ** -64.
    assert min(accepted) > 0


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("203.0.113.1", "--host: 203.0.113.1 is no address of this machine"),
        ("name.invalid", "--host: 'name.invalid' does not resolve: "),
    ],
)
def test_an_address_that_cannot_be_had_names_the_flag(host: str, what: str) -> None:
    with pytest.raises(ServeError) as refused:
        listen(host, 0, 1)
    assert refused.value.what.startswith(what)
    assert refused.value.remedy


def test_the_command_says_so_in_two_lines() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "wsload", "serve", "echo", "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False)
    assert ended.returncode == ExitCode.FAILED
    assert ended.stderr == (
        f"error: --port: {port} on 127.0.0.1 is in use by another program\n"
        "       Name another port, or 0 for one that is free.\n"
    )


def test_ipv6_is_written_in_brackets() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    command = [sys.executable, "-m", "wsload", "serve", "echo", "--host", "::1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on ws://[::1]:")
        process.terminate()
