"""Which interval is complete, and when."""

import pytest

from engine.support import SECOND, Span, make_block
from wsload.engine.channel import ChannelError
from wsload.engine.merger import Merger


def block(index: int, sent: int = 1, *, warmup: bool = False) -> bytes:
    return make_block(Span(index, index * SECOND, (index + 1) * SECOND, warmup), sent=sent)


def test_an_interval_waits_for_the_slowest_worker() -> None:
    merger = Merger()
    merger.add(block(0, sent=3), -1)
    merger.add(block(1, sent=5), 0)
    assert merger.complete([1, -1]) == []
    merger.add(block(0, sent=4), -1)
    (merged,) = merger.complete([1, 0])
    assert (merged.index, merged.counters["sent"]) == (0, 7)
    assert merger.complete([1, 0]) == []


def test_nobody_waits_for_the_dead() -> None:
    merger = Merger()
    for index in (2, 0, 1):
        merger.add(block(index), -1)
    assert [merged.index for merged in merger.complete([])] == [0, 1, 2]


def test_late_replies_to_the_warm_up_come_before_the_rest_of_their_interval() -> None:
    merger = Merger()
    merger.add(block(3, sent=5), -1)
    merger.add(block(3, sent=2, warmup=True), -1)
    found = [(merged.warmup, merged.counters["sent"]) for merged in merger.complete([3])]
    assert found == [(True, 2), (False, 5)]


def test_a_block_says_what_it_is_of() -> None:
    alone = Merger().add(block(4, warmup=True), -1)
    assert (alone.index, alone.warmup, alone.start_ns, alone.end_ns) == (4, True, 4 * SECOND, 5 * SECOND)


def test_a_damaged_block_is_refused() -> None:
    with pytest.raises(ChannelError, match="damaged"):
        Merger().add(block(0)[:-1], -1)


def test_an_interval_that_is_over_takes_nothing_more() -> None:
    merger = Merger()
    merger.add(block(0), -1)
    with pytest.raises(ChannelError, match="interval 0 again"):
        merger.add(block(0), 0)
    (merged,) = merger.complete([0])
    assert merged.counters["sent"] == 1
