"""Where the second part of a run stands in its file, and what is left to do."""

from pathlib import Path

import pytest

from samples import SECOND, make_header, make_interval
from wsload.engine.resume import Before, Placing, cut_stages, rest_of
from wsload.errors import UsageError
from wsload.results import Event, RunFileWriter
from wsload.scenario import LoadModel, Scenario, Stage

EPOCH_UNIX_NS = 1_700_000_000_000_000_000


def made(path: Path, seconds: int = 4, **load: int) -> Path:
    """A run that was killed after some seconds; its intervals are numbered from 1, after the ramp's."""
    writer = RunFileWriter.create(path, make_header(**{"duration_ns": 10 * SECOND, **load}))
    writer.write_epoch(123, EPOCH_UNIX_NS)
    writer.append([make_interval(0, start_ns=-SECOND, end_ns=0, gauges={"open_connections": 1})])
    warm = load.get("warmup_ns", 0) // SECOND
    writer.append(
        make_interval(1 + at, start_ns=at * SECOND, end_ns=(at + 1) * SECOND, warmup=at < warm) for at in range(seconds)
    )
    writer.append_events([Event(5, 1, 7, 0, "sent", "text", None, 2, None, None, None, 0, 1, b"hi")])
    writer.close()
    return path


def scenario(**load: object) -> Scenario:
    return Scenario(target="ws://h/", load=LoadModel.model_validate({"duration_ns": 10 * SECOND, **load}))


def test_the_second_part_stands_behind_the_first_on_its_clock(tmp_path: Path) -> None:
    before = Before.read(made(tmp_path / "a.wsload"))
    assert (before.last_index, before.end_ns, before.attempts, before.ended) == (4, 4 * SECOND, 7, "killed")
    placing = Placing(before)
    placing.on_epoch(EPOCH_UNIX_NS + 60 * SECOND)
    event = Event(5, 1, 2, 0, "sent", "text", None, 2, None, None, None, 0, 1, b"hi")
    ramp = placing.place(make_interval(0, start_ns=-SECOND, end_ns=0, events=(event,)))
    assert (ramp.index, ramp.start_ns, ramp.end_ns) == (5, 59 * SECOND, 60 * SECOND)
    assert (ramp.events[0].at_ns, ramp.events[0].attempt) == (60 * SECOND + 5, 9)
    assert ramp.failures[0].first_ns == 60 * SECOND + 5
    assert placing.place(make_interval(1, start_ns=0, end_ns=SECOND)).index == 6
    assert placing.at_ns(7) == 60 * SECOND + 7


def test_a_clock_that_was_set_back_does_not_put_it_before_the_end(tmp_path: Path) -> None:
    placing = Placing(Before.read(made(tmp_path / "a.wsload")))
    placing.on_epoch(EPOCH_UNIX_NS - 3600 * SECOND)
    assert placing.place(make_interval(0, start_ns=-SECOND, end_ns=0)).start_ns == 4 * SECOND
    assert placing.place(make_interval(1, start_ns=0, end_ns=SECOND)).start_ns == 5 * SECOND


def test_what_is_left_is_what_was_not_measured(tmp_path: Path) -> None:
    rest = rest_of(made(tmp_path / "a.wsload"), scenario())
    assert (rest.load.duration_ns, rest.load.warmup_ns) == (6 * SECOND, 0)


@pytest.mark.parametrize(("seconds", "left"), [(1, (10, 2)), (5, (8, 0))])
def test_a_warm_up_that_was_not_over_goes_on(seconds: int, left: tuple[int, int], tmp_path: Path) -> None:
    file = made(tmp_path / "a.wsload", seconds, warmup_ns=3 * SECOND)
    load = rest_of(file, scenario(warmup_ns=3 * SECOND)).load
    assert load.duration_ns is not None
    assert (load.duration_ns // SECOND, load.warmup_ns // SECOND) == left


def test_nothing_is_left_of_what_is_over(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it has measured all of its time"):
        rest_of(made(tmp_path / "a.wsload", 10), scenario())


def test_a_number_of_messages_cannot_be_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(path, make_header(iterations=5))
    writer.write_epoch(0, EPOCH_UNIX_NS)
    writer.close()
    with pytest.raises(UsageError, match="it is bounded by a number of messages"):
        rest_of(path, scenario())


def test_a_run_that_never_began_cannot_be_gone_on_with(tmp_path: Path) -> None:
    RunFileWriter.create(tmp_path / "a.wsload", make_header()).close()
    with pytest.raises(UsageError, match="it ended before it began"):
        Before.read(tmp_path / "a.wsload")


def stage(seconds: int, rate: float) -> Stage:
    return Stage(duration_ns=seconds * SECOND, target_per_s=rate)


@pytest.mark.parametrize(
    ("after", "left"),
    [
        (0, (stage(0, 0), stage(10, 100), stage(20, 100), stage(10, 0))),
        (5, (stage(0, 50), stage(5, 100), stage(20, 100), stage(10, 0))),
        (10, (stage(0, 100), stage(20, 100), stage(10, 0))),
        (36, (stage(0, 40), stage(4, 0))),
        (40, ()),
    ],
)
def test_a_ramp_goes_on_from_the_rate_it_had_come_to(after: int, left: tuple[Stage, ...]) -> None:
    assert cut_stages((stage(10, 100), stage(20, 100), stage(10, 0)), after * SECOND) == left
