"""What is left of the ephemeral ports."""

import socket
from dataclasses import replace

import pytest

from wsload.engine import ports
from wsload.engine.ports import PortRange, count_reserved, port_range, taken

RANGE = PortRange(first=32_768, last=60_999, reserved=0, reuses_time_wait=2)


def test_reserved_ports_are_no_ports_to_connect_from() -> None:
    assert RANGE.count == 28_232
    assert replace(RANGE, reserved=232).count == 28_000
    # Of the second range 32,768 to 32,770 lie inside, of the third all.
    assert count_reserved("8080,32760-32770,40000-40009", 32_768, 60_999) == 13
    assert count_reserved("", 32_768, 60_999) == 0


@pytest.mark.parametrize(
    ("setting", "target", "reuses"),
    [
        (0, "127.0.0.1", False),
        (1, "192.0.2.1", True),
        (2, "192.0.2.1", False),
        (2, "127.9.9.9", True),
        (2, "::1", True),
    ],
)
def test_whether_a_port_in_time_wait_comes_back(setting: int, target: str, reuses: bool) -> None:
    assert replace(RANGE, reuses_time_wait=setting).reuses(target) is reuses


def test_connections_of_others_are_counted_by_source_and_target() -> None:
    everything = PortRange(first=1, last=65_535, reserved=0, reuses_time_wait=0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = ("127.0.0.1", server.getsockname()[1])
        with (
            socket.create_connection(target, source_address=("127.0.0.2", 0)),
            socket.create_connection(target, source_address=("127.0.0.2", 0)),
            socket.create_connection(target, source_address=("127.0.0.3", 0)),
        ):
            expected = {("127.0.0.2", target): 2, ("127.0.0.3", target): 1}
            # The kernel gives its table in pieces: while others open and close connections, a row may be missed.
            assert any(taken([target], everything) == expected for _ in range(50))
            assert taken([("127.0.0.1", 1)], everything) == {}


def row(local: str, remote: str, state: str) -> str:
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 0\n"


def test_time_wait_counts_only_where_its_ports_do_not_come_back(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 127.0.0.1 and 192.0.2.1 as the kernel of a little-endian machine prints them; 0x9000 is port 36,864.
    table = tmp_path_factory.mktemp("proc") / "tcp"
    loopback, far = "0100007F:2328", "010200C0:2328"
    rows = [row("0100007F:9000", loopback, "06"), row("0100007F:9001", loopback, "01")]
    rows += [row("0500000A:9002", far, "06"), row("0500000A:0050", far, "01")]
    table.write_text("  sl  local_address rem_address   st\n" + "".join(rows), encoding="ascii")
    monkeypatch.setattr(ports, "_TABLES", ((str(table), 4), (str(tmp_path_factory.mktemp("none") / "tcp6"), 16)))
    ends = [("127.0.0.1", 9_000), ("192.0.2.1", 9_000)]
    assert taken(ends, RANGE) == {("127.0.0.1", ends[0]): 1, ("10.0.0.5", ends[1]): 1}
    assert taken(ends, replace(RANGE, reuses_time_wait=1)) == {("127.0.0.1", ends[0]): 1}
    assert taken(ends, replace(RANGE, reuses_time_wait=0))["127.0.0.1", ends[0]] == 2


def test_this_machines_range_is_read() -> None:
    found = port_range()
    assert 1 <= found.first < found.last <= 65_535
    assert found.reuses_time_wait in {0, 1, 2}
