from pathlib import Path

import numpy as np
import pytest

from made_runs import made_run
from samples import SECOND, encode, make_header, make_interval
from wsload.analysis import series
from wsload.analysis.series import read_series
from wsload.errors import RunFileError
from wsload.results import Interval, RunFileWriter
from wsload.scenario.program import Name, Program


def written(path: Path, *intervals: Interval) -> Path:
    writer = RunFileWriter.create(path, make_header())
    writer.append(intervals)
    writer.finish("completed", "")
    return path


def test_a_run_is_cut_into_its_seconds(tmp_path: Path) -> None:
    run = read_series(made_run(tmp_path / "a.wsload", seed=1, seconds=9, messages=50))
    response = run.latencies["response", ""]
    assert response.counts.shape[0] == 9
    assert response.counts.sum(axis=1).tolist() == [50] * 9
    assert (np.diff(response.steps_ns) > 0).all()
    assert run.seconds.tolist() == [1.0] * 9
    assert run.counters["answered"].tolist() == [50] * 9
    assert len(run.maxima_ns[""]) == 9
    assert run.outcome == "completed"


def test_a_long_run_has_longer_blocks_and_loses_no_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made_run(tmp_path / "a.wsload", seed=1, seconds=37, messages=10)
    whole = read_series(path)
    monkeypatch.setattr(series, "MAX_BLOCKS", 8)
    short = read_series(path)
    # 37 seconds: blocks of 8 s, the last one shorter.
    assert short.seconds.tolist() == [8.0, 8.0, 8.0, 8.0, 5.0]
    assert short.latencies["response", ""].total.tolist() == whole.latencies["response", ""].total.tolist()
    assert short.counters["sent"].sum() == whole.counters["sent"].sum() == 370


def test_warm_up_and_ramp_count_for_connects_only(tmp_path: Path) -> None:
    ramp = make_interval(-1, counters={"connects_started": 10}, histograms={("connect", ""): encode(*[500] * 10)})
    warm = make_interval(0, warmup=True)
    run = read_series(written(tmp_path / "a.wsload", ramp, warm, make_interval(1)))
    assert run.seconds.tolist() == [1.0]
    assert run.latencies["connect", ""].total.tolist() == [10]
    assert run.latencies["response", ""].total.sum() == 2
    assert run.ramp == {"connects_started": 10}


def test_what_never_got_a_reply_stands_with_its_age_and_is_told_apart(tmp_path: Path) -> None:
    histograms = {("response_time", "message"): encode(1_000, 1_000), ("response_censored", "message"): encode(9_000)}
    run = read_series(written(tmp_path / "a.wsload", make_interval(0, histograms=histograms)))
    response = run.latencies["response", ""]
    assert response.total.tolist() == [2, 1]
    assert response.lost.tolist() == [0, 1]


def test_message_names_are_kept_apart_where_there_are_several(tmp_path: Path) -> None:
    histograms = {("response_time", "login"): encode(1_000), ("response_time", "chat"): encode(2_000, 3_000)}
    several = read_series(written(tmp_path / "a.wsload", make_interval(0, histograms=histograms)))
    counts = {key: int(found.total.sum()) for key, found in several.latencies.items() if key[0] == "response"}
    assert counts == {("response", ""): 3, ("response", "login"): 1, ("response", "chat"): 2}
    one = read_series(written(tmp_path / "b.wsload", make_interval(0)))
    assert ("response", "message") not in one.latencies


def test_intervals_that_were_cut_short_have_no_maximum(tmp_path: Path) -> None:
    cut = make_interval(1, end_ns=SECOND + SECOND // 4)
    run = read_series(written(tmp_path / "a.wsload", make_interval(0), cut))
    assert len(run.maxima_ns[""]) == 1


def test_what_is_no_run_file_is_refused(tmp_path: Path) -> None:
    torn = tmp_path / "torn.wsload"
    torn.write_bytes(b"nothing of the kind")
    with pytest.raises(RunFileError, match=r"torn\.wsload"):
        read_series(torn)


def test_a_damaged_histogram_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wsload", make_interval(0, histograms={("response_time", "message"): b"nothing"}))
    with pytest.raises(RunFileError, match=r"a\.wsload: holds a damaged histogram"):
        read_series(path)


def test_messages_beside_a_scenarios_iterations_are_in_no_total(tmp_path: Path) -> None:
    header = make_header()
    program = Program(names=(Name(name="chat", total=True), Name(name="hello", total=False)), messages=(), users=())
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(
        path, header.model_copy(update={"plan": header.plan.model_copy(update={"program": program})})
    )
    histograms = {
        ("response_time", "chat"): encode(1_000, 1_000),
        ("response_time", "hello"): encode(9_000),
        ("iteration_time", ""): encode(5_000),
    }
    writer.append([make_interval(0, histograms=histograms)])
    writer.finish("completed", "")
    run = read_series(path)
    assert {key: found.total.tolist() for key, found in run.latencies.items() if key[0] != "service"} == {
        ("response", ""): [2],
        ("response", "chat"): [2],
        ("response", "hello"): [1],
        ("iteration", ""): [1],
    }
    assert run.maxima_ns[""].tolist() == [1_000]
