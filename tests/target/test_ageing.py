"""What happens to a server over hours, worked out by hand."""

import numpy as np
import pytest

from wsload.errors import UsageError
from wsload.target import Script, describe, explain, parse_leak, parse_slow_down
from wsload.target.ageing import after_restart, leaked_bytes, life_of, restarts

MS = 1_000_000
SECOND = 1_000 * MS
MINUTE = 60 * SECOND
RESTARTING = Script(leak_bytes_per_s=1000.0, restart_period_ns=10 * SECOND, restart_down_ns=2 * SECOND)


def test_what_is_written_is_read() -> None:
    assert parse_leak("60MB/min") == parse_leak("1MB/s") == 1e6
    assert parse_leak("3kB/10s") == 300
    assert parse_slow_down("1%/10m") == (0.01, 10 * MINUTE)
    assert parse_slow_down("0.5%/h") == (0.005, 60 * MINUTE)


@pytest.mark.parametrize("text", ["1MB", "1MB/", "1MB/x", "x/min", "1MB/0", "/s"])
def test_a_leak_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="--leak"):
        parse_leak(text)


@pytest.mark.parametrize("text", ["1%", "1/10m", "x%/10m", "0%/10m", "1%/0", "1%/x", "-1%/s"])
def test_a_slow_down_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="--slow-down"):
        parse_slow_down(text)


def test_every_process_leaks_from_its_own_beginning() -> None:
    # Down from 10 to 12 s and from 20 to 22 s.
    seconds = [0, 4, 9.999, 10, 11, 12, 15, 19.999, 20, 23]
    leaked = [leaked_bytes(RESTARTING, round(at * SECOND)) for at in seconds]
    assert leaked == [0, 4000, 9999, 0, 0, 0, 3000, 7999, 0, 1000]
    assert restarts(RESTARTING, 20 * SECOND) == [(10 * SECOND, 12 * SECOND)]
    assert restarts(Script(), MINUTE) == []


def test_a_server_that_is_down_takes_what_came_when_it_is_up() -> None:
    at = np.array([0, 1, 9, 10, 11, 12, 21], np.int64) * SECOND
    assert (after_restart(RESTARTING, at) // SECOND).tolist() == [0, 1, 9, 12, 12, 12, 22]
    assert life_of(RESTARTING, at).tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_replies_slow_down_from_the_first_message_on() -> None:
    script = Script(delay=("fixed", 10.0 * MS, 0.0), slow_share=0.5, slow_period_ns=10 * SECOND)
    assert [script.delay_ns(0, 0, at * SECOND) // MS for at in (0, 10, 20)] == [10, 15, 20]
    # One message a second: delays of 10, 10.5, ... 19.5 ms.
    truth = explain(script, 1.0, 20 * SECOND, 1)
    assert truth["response_time_ns"] == {
        "p50": 14.5 * MS, "p90": 18.5 * MS, "p99": 19.5 * MS, "p99.9": 19.5 * MS, "max": 19.5 * MS
    }  # fmt: skip
    assert truth["ageing"]["delay_factor"] == 2.0


def test_a_restart_by_hand() -> None:
    # A message a second on each of two connections, held back for 1.5 s; down from 10 to 12 s.
    script = Script(delay=("fixed", 1500.0 * MS, 0.0), restart_period_ns=10 * SECOND, restart_down_ns=2 * SECOND)
    truth = explain(script, 2.0, 20 * SECOND, 2)
    # Those of 8.5, 9 and 9.5 s would be answered at 10 s or later: they are lost. Those of 10 to 11.5 s wait for 12 s.
    # Those of 18.5, 19 and 19.5 s would be answered after 20 s, when the next restart begins: lost as well.
    assert (truth["messages"], truth["answered"]) == (40, 34)
    assert truth["ageing"] == {
        "delay_factor": 1.0,
        "leaked_bytes": 0,
        "leaked_at_most_bytes": 0,
        "restarts": [{"down_ns": 10 * SECOND, "up_ns": 12 * SECOND}],
        "lost_in_restarts": 6,
    }
    assert truth["response_time_ns"]["p50"] == 1500 * MS
    assert truth["response_time_ns"]["max"] == 3500 * MS


def test_messages_dropped_are_not_lost_in_restarts() -> None:
    script = Script(drop_share=0.5, seed=3, restart_period_ns=10 * SECOND, restart_down_ns=SECOND)
    truth = explain(script, 50.0, 25 * SECOND, 5)
    assert truth["ageing"]["lost_in_restarts"] == 0
    assert 500 < truth["answered"] < 750


def test_it_is_told_in_words() -> None:
    script = Script(leak_bytes_per_s=1e6 / 60, slow_share=0.01, slow_period_ns=10 * MINUTE, restart_period_ns=MINUTE,
                    restart_down_ns=SECOND)  # fmt: skip
    assert describe(script) == [
        "leaks 1.00 MB a minute",
        "delays grow by 1 % of what they were at first in every 10 min",
        "restarts every 1 min, and is down for 1 s",
    ]
