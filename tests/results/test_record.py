"""A run file read again while it grows."""

from pathlib import Path

from samples import make_header, make_interval
from wsload.results import Follower, Note, RunFileWriter, read_record, read_summary


def test_each_interval_is_added_once(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(path, make_header())
    follower = Follower(path)
    assert follower.read().summary.messages.sent == 0
    writer.append([make_interval(0, warmup=True), make_interval(1, warmup=True)])
    writer.note(Note(7, "worker_lost", "worker 1 of 2 was lost"))
    follower.read()
    # Late replies to the warm-up: the second half of an interval that has been read.
    writer.append([make_interval(1)])
    assert follower.read().summary.messages.sent == 100
    writer.append([make_interval(2), make_interval(3), make_interval(3, warmup=True)])
    for _ in range(3):
        seen = follower.read()
    writer.append([make_interval(4)])
    writer.finish("completed", "")
    seen = follower.read()
    assert seen.summary == read_summary(path)
    assert seen.summary.messages.sent == 400
    assert seen.summary.generator.workers_lost == 1
    assert [w.counters for w in seen.series.windows] == [w.counters for w in read_record(path).series.windows]
