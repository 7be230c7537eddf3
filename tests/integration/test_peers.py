"""What wsload counts is what servers of other makes count."""

import shutil
from pathlib import Path

import pytest

from servers import PEERS, peer, run_json, wsload_echo

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (PEERS / "node_modules" / "ws").exists(), reason="npm ws is not installed"
)
PEER_NAMES = ["websockets", "aiohttp", pytest.param("ws", marks=needs_node)]


@pytest.mark.parametrize("name", PEER_NAMES)
def test_an_open_load_is_answered_and_counted_alike(name: str, tmp_path: Path) -> None:
    with peer(name) as server:
        result = run_json(server.url, "-c", "20", "--rate", "500/s", "-d", "1s", "--workers", "2", cwd=tmp_path)
        assert server.finish() == 500
    messages = result["messages"]
    assert (messages["due"], messages["sent"], messages["answered"], messages["unanswered"]) == (500, 500, 500, 0)
    assert result["connections"]["opened"] == 20
    assert result["failures"] == []
    assert result["close_codes"] == {"1000": 20}
    assert result["response_time"]["count"] == 500


@pytest.mark.parametrize("name", PEER_NAMES)
def test_a_closed_loop_of_large_binary_messages(name: str, tmp_path: Path) -> None:
    with peer(name) as server:
        flags = ["-c", "3", "--in-flight", "2", "-n", "30", "--size", "200KiB", "--binary"]
        result = run_json(server.url, *flags, cwd=tmp_path)
        assert server.finish() == 30
    assert (result["messages"]["sent"], result["messages"]["answered"]) == (30, 30)
    assert result["message_bytes"] == 204_800
    assert result["rate"]["bytes_in_per_s"] > 0


def test_the_echo_server_counts_what_the_client_counts(tmp_path: Path) -> None:
    with wsload_echo("--workers", "2") as (url, server):
        result = run_json(url, "-c", "50", "-n", "5000", "--first-message", "hello", cwd=tmp_path)
        server.terminate()
        out, _ = server.communicate(timeout=30)
    assert (result["messages"]["sent"], result["messages"]["answered"]) == (5_000, 5_000)
    # Each connection's first message is echoed as well: a push, for nobody awaits it.
    assert out.startswith("served 50 connections, 5,050 messages, ")


def test_the_same_seed_sends_the_same_bytes_on_any_number_of_workers(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        results = [
            run_json(
                url,
                "-c",
                "4",
                "--rate",
                "400/s",
                "--arrivals",
                "poisson",
                "-d",
                "1s",
                "--seed",
                "7f3a",
                "--workers",
                workers,
                cwd=tmp_path,
            )
            for workers in ("1", "2")
        ]
    assert results[0]["messages"]["due"] == results[1]["messages"]["due"]
    assert results[0]["seed"] == "7f3a"


def test_the_warm_up_is_kept_apart(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        result = run_json(url, "-c", "4", "--rate", "200/s", "-d", "1s", "--warmup", "500ms", cwd=tmp_path)
    assert (result["warmup"]["sent"], result["messages"]["sent"]) == (100, 200)
    assert result["warmup"]["response_time"]["count"] == 100
    assert result["response_time"]["count"] == 200
    assert result["duration_ns"] == pytest.approx(10**9, rel=0.01)
