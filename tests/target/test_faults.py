"""The server with faults as a whole: what it does, and what it writes down."""

import signal
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from serving import END_TIMEOUT_S, client, faulty, round_trip_ms


def test_replies_are_held_back() -> None:
    with faulty("--delay", "60ms") as (url, _), client(url) as made:
        assert 60 <= round_trip_ms(made) < 600


def test_it_stands_still() -> None:
    # From 0.3 to 0.6 s after the first message, and again from 0.9 s on.
    with faulty("--stall", "300ms/600ms") as (url, _), client(url) as made, client(url) as other:
        begin = time.monotonic()
        waits = []
        while time.monotonic() - begin < 0.9:
            waits.append(max(round_trip_ms(made), round_trip_ms(other)))
        assert 150 <= max(waits) < 900


def test_replies_keep_their_order_unless_told_otherwise() -> None:
    for flags, in_order in (([], True), (["--any-order"], False)):
        law = ["--delay", "uniform:0ms,80ms", "--seed", "3"]
        with faulty(*law, *flags) as (url, _), client(url) as made:
            sent = [str(number) for number in range(20)]
            for message in sent:
                made.send(message)
            got = [made.recv(timeout=10) for _ in sent]
            assert sorted(got, key=str) == sorted(sent)
            assert (got == sent) is in_order


def test_dropped_replies_and_the_log_agree(tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    with faulty("--drop-replies", "20%", "--seed", "7", "--log", str(log)) as (url, process):
        with client(url) as made:
            for number in range(100):
                made.send(f"tab\there {number}")
            made.send("last")
            got = 0
            try:
                while True:
                    made.recv(timeout=1)
                    got += 1
            except TimeoutError:
                pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=END_TIMEOUT_S)
    lines = [line.split("\t") for line in log.read_text(encoding="ascii").splitlines()]
    answered = [line for line in lines if line[4]]
    assert (len(lines), len(answered)) == (101, got)
    assert 65 <= got <= 95
    assert out.startswith(f"served 1 connection, {got} messages, ")
    assert lines[5][:3] == ["0", "5", "tab\\there 5"]
    assert all(int(line[3]) <= int(line[4]) for line in answered)


def test_connections_end_as_asked() -> None:
    with faulty("--close-after", "2", "--close-code", "1013") as (url, _), client(url) as made:
        round_trip_ms(made)
        round_trip_ms(made)
        made.send("one too many")
        with pytest.raises(ConnectionClosed) as closed:
            made.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
    with faulty("--close-after", "1", "--abort") as (url, _), client(url) as made:
        round_trip_ms(made)
        made.send("one too many")
        with pytest.raises(ConnectionClosed) as closed:
            made.recv(timeout=10)
        assert closed.value.rcvd is None
