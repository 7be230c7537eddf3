"""What flags of the handshake and of framing do, as seen by servers of another make."""

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from integration_peers import needs_node
from servers import free_address, peer, raw_server, run, run_json
from websockets_peer import echo, server


def agreed(result: dict[str, Any], aspect: str) -> dict[str, int]:
    return {one["value"]: one["count"] for one in result["negotiated"] if one["aspect"] == aspect}


COMPRESSIONS = [
    "on",
    "client_no_context_takeover",
    "server_no_context_takeover,client_no_context_takeover",
    "server_max_window_bits=9,client_max_window_bits=10,level=1",
]


@pytest.mark.parametrize("name", ["websockets", pytest.param("ws", marks=needs_node)])
@pytest.mark.parametrize("asked", COMPRESSIONS)
@pytest.mark.parametrize("binary", [[], ["--binary"]])
def test_compressed_messages_are_echoed(name: str, asked: str, binary: list[str], tmp_path: Path) -> None:
    with peer(name, "deflate") as running:
        flags = ["-c", "3", "-n", "60", "--in-flight", "2", "--size", "20KiB", "--compress", asked, *binary]
        result = run_json(running.url, *flags, cwd=tmp_path)
        assert running.finish() == 60
    assert result["messages"]["answered"] == 60
    (value,) = agreed(result, "compression")
    assert value.startswith("permessage-deflate")
    for parameter in asked.split(","):
        if parameter.endswith("takeover"):
            assert parameter in value
    sizes = result["compression"]
    assert (sizes["sent_bytes"], sizes["received_bytes"]) == (60 * 20_480, 60 * 20_480)
    # Made-up text is letters and digits, which pack by a quarter; the lowest level hardly tries.
    most = 1.1 if binary or "level=1" in asked else 0.9
    assert sizes["sent_compressed_bytes"] < most * sizes["sent_bytes"]


def test_a_server_that_does_not_compress_is_told_so(tmp_path: Path) -> None:
    with peer("websockets") as running:
        result = run_json(running.url, "-n", "5", "--compress", "on", cwd=tmp_path)
    assert agreed(result, "compression") == {"none": 1}


def test_messages_go_out_in_fragments(tmp_path: Path) -> None:
    fragments: list[int] = []

    def count(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            while True:
                parts = list(connection.recv_streaming())
                fragments.append(len(parts))
                connection.send("".join(str(part) for part in parts))

    with server(count) as url:
        result = run_json(url, "-n", "4", "--size", "1000", "--fragment", "300", cwd=tmp_path)
    assert result["messages"]["answered"] == 4
    assert fragments == [4] * 4


def test_pings_measure_their_round_trip(tmp_path: Path) -> None:
    with server() as url:
        result = run_json(url, "-c", "2", "--idle", "-d", "1s", "--ping-interval", "100ms", cwd=tmp_path)
    pings = result["pings"]
    assert 14 <= pings["sent"] == pings["answered"] <= 20
    assert result["ping_time"]["count"] == pings["answered"]


def test_a_connection_without_pongs_is_lost(tmp_path: Path) -> None:
    from hostile import upgrade

    def never_pong(connection: socket.socket) -> None:
        upgrade(connection)
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass

    with raw_server(never_pong) as url:
        flags = ["--idle", "-d", "3s", "--ping-interval", "100ms", "--ping-timeout", "300ms"]
        result = run_json(url, *flags, cwd=tmp_path)
    (failure,) = result["failures"]
    assert (failure["kind"], failure["count"]) == ("ping_timeout", 1)


def test_close_says_what_was_asked(tmp_path: Path) -> None:
    said: SimpleQueue[tuple[int | None, str | None]] = SimpleQueue()

    def listen(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            echo(connection)
        said.put((connection.close_code, connection.close_reason))

    with server(listen) as url:
        run_json(url, "-n", "1", "--close-code", "4001", "--close-reason", "done, thanks", cwd=tmp_path)
        assert said.get(timeout=10) == (4001, "done, thanks")


def test_what_the_handshake_carries(tmp_path: Path) -> None:
    seen: list[Request] = []

    def look(_: ServerConnection, request: Request) -> None:
        seen.append(request)

    with server(process_request=look, subprotocols=["chat"]) as url:
        flags = ["-n", "1", "-u", "me:pa55word", "--cookie", "a=1", "--cookie", "b=2", "--origin", "https://o.example"]
        flags += ["--subprotocol", "chat", "--subprotocol", "old", "-H", "X-A: 1", "--param", "q=a b", "-o", "a.wsload"]
        result = run_json(url, *flags, cwd=tmp_path)
    (request,) = seen
    assert request.path == "/?q=a%20b"
    headers = request.headers
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"me:pa55word").decode()
    assert (headers["Cookie"], headers["Origin"], headers["X-A"]) == ("a=1; b=2", "https://o.example", "1")
    assert headers["Sec-WebSocket-Protocol"] == "chat, old"
    assert agreed(result, "subprotocol") == {"chat": 1}
    # Nothing of it that is secret is kept.
    kept = (tmp_path / "a.wsload").read_bytes()
    assert b"pa55word" not in kept
    assert base64.b64encode(b"me:pa55word") not in kept


def test_a_subprotocol_can_be_demanded(tmp_path: Path) -> None:
    with server(subprotocols=["chat"], select_subprotocol=lambda *_: None) as url:
        done = run("run", url, "-n", "1", "--subprotocol", "chat", "--require-subprotocol", cwd=tmp_path)
    assert done.returncode == 1
    assert "the server chose none of the subprotocols offered" in " ".join(done.stdout.split())


def test_cookies_are_kept_for_the_next_handshake(tmp_path: Path) -> None:
    cookies: list[str | None] = []

    def give(connection: ServerConnection, request: Request, response: Response) -> None:
        cookies.append(request.headers.get("Cookie"))
        response.headers["Set-Cookie"] = "session=s1; Path=/; HttpOnly"

    def one_message(connection: ServerConnection) -> None:
        connection.send(connection.recv())

    with server(one_message, process_response=give) as url:
        # Slowly: the second message is due when the connection has been opened again.
        flags = ["-n", "2", "--rate", "2/s", "--reconnect", "storm", "--cookie", "given=1", "--cookie-jar"]
        result = run_json(url, *flags, cwd=tmp_path)
    assert result["messages"]["answered"] == 2
    assert cookies[:2] == ["given=1", "given=1; session=s1"]


def test_different_rejections_are_counted_apart(tmp_path: Path) -> None:
    numbers = iter(range(100))

    def refuse(connection: ServerConnection, _: Request) -> Response:
        if next(numbers) % 2:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "busy\n")
        return connection.respond(HTTPStatus.FORBIDDEN, "not you\n")

    with server(process_request=refuse) as url:
        done = run("run", url, "-c", "6", "-d", "1s", cwd=tmp_path)
    text = " ".join(done.stdout.split())
    assert "3 × upgrade rejected (503" in text
    assert "3 × upgrade rejected (403" in text
    assert "with 503 Service Unavailable (Server: Python/" in text


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(tmp_path: Path) -> None:
    with serve(echo, sock=socket.create_server(("::1", 0), family=socket.AF_INET6)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"ws://[::1]:{running.socket.getsockname()[1]}/"
        assert run_json(url, "-n", "3", cwd=tmp_path)["messages"]["answered"] == 3
        running.shutdown()


def test_connections_can_be_opened_one_at_a_time(tmp_path: Path) -> None:
    opening, most = [0], [0]
    lock = threading.Lock()

    def begin(_: ServerConnection, __: Request) -> None:
        with lock:
            opening[0] += 1
            most[0] = max(most[0], opening[0])

    def end(_: ServerConnection, __: Request, ___: Response) -> None:
        with lock:
            opening[0] -= 1

    with server(process_request=begin, process_response=end) as url:
        result = run_json(url, "-c", "20", "-n", "20", "--serialize-connects", cwd=tmp_path)
    assert result["connections"]["opened"] == 20
    assert result["generator"]["workers"] == 1
    assert most == [1]


def test_limits_are_the_user_s(tmp_path: Path) -> None:
    def long_answer(connection: ServerConnection) -> None:
        for _ in connection:
            connection.send("x" * 2_000)

    with server(long_answer) as url:
        for flag in ("--max-message", "--max-frame"):
            done = run("run", url, "-n", "1", "--reply-timeout", "1s", flag, "1KiB", cwd=tmp_path)
            assert "more than 1024 bytes" in " ".join(done.stdout.split())


def test_echo_sends_back_what_comes(tmp_path: Path) -> None:
    replies: list[str | bytes] = []
    told: list[str | bytes] = ["hello", b"\x00\xff", "x" * 100_000]

    def talk(connection: ServerConnection) -> None:
        for message in told:
            connection.send(message)
            replies.append(connection.recv())
        connection.close()

    with server(talk) as url:
        run_json(url, "--echo", "-d", "5s", cwd=tmp_path)
    assert replies == told


@contextmanager
def proxy(answer: bytes | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP proxy that tunnels, or gives this answer; and the heads of the requests it got."""
    heads: list[bytes] = []

    def tunnel(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        heads.append(head)
        if answer is not None:
            client.sendall(answer)
            client.close()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with client, socket.create_connection((host.strip("[]"), int(port))) as upstream:
            # In two pieces: an answer need not come at once.
            client.sendall(b"HTTP/1.1 200 Connection")
            client.sendall(b" established\r\n\r\n")
            back = threading.Thread(target=pump, args=(upstream, client), daemon=True)
            back.start()
            pump(client, upstream)
            back.join()

    with raw_server(tunnel) as url:
        yield url.replace("ws://", "http://").rstrip("/"), heads


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_through_a_proxy(tmp_path: Path) -> None:
    with server() as url, proxy() as (through, heads):
        with_credentials = through.replace("http://", "http://me:pa55word@")
        result = run_json(url, "-c", "3", "-n", "9", "--proxy", with_credentials, "-o", "a.wsload", cwd=tmp_path)
    target = url.removeprefix("ws://").rstrip("/")
    assert result["messages"]["answered"] == 9
    assert result["proxy"] == through.removeprefix("http://")
    assert len(heads) == 3
    assert heads[0].startswith(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic ".encode())
    kept = (tmp_path / "a.wsload").read_bytes()
    assert b"pa55word" not in kept
    assert base64.b64encode(b"me:pa55word") not in kept


def test_a_proxy_of_the_environment_is_used_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server() as url, proxy() as (through, heads):
        monkeypatch.setenv("HTTP_PROXY", through)
        assert run_json(url, "-n", "1", cwd=tmp_path)["proxy"] is None
        assert heads == []
        assert run_json(url, "-n", "1", "--proxy", "env", cwd=tmp_path)["proxy"]
        monkeypatch.setenv("NO_PROXY", "example.com, 127.0.0.1")
        assert run_json(url, "-n", "1", "--proxy", "env", cwd=tmp_path)["proxy"] is None


def test_a_proxy_that_refuses_is_told_with_its_words(tmp_path: Path) -> None:
    denied = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nwho?"
    with proxy(denied) as (through, _):
        done = run("run", free_address(), "-c", "2", "--proxy", through, cwd=tmp_path)
    text = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "2 × no tunnel through the proxy" in text
    assert 'the proxy answered CONNECT with 407 Proxy Authentication Required "who?"' in text
    assert "→ The proxy wants credentials" in text
