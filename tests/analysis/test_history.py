import math
from pathlib import Path

import pytest

from made_runs import made_run
from wsload.analysis.history import read_history


def test_labels_come_in_the_order_of_their_runs_and_average_over_them(tmp_path: Path) -> None:
    # `made_run` starts a run `seed` seconds after the hour.
    late = [made_run(tmp_path / f"late{n}.wsload", seed=50 + n, factor=2.0, messages=60) for n in range(3)]
    early = [made_run(tmp_path / "early.wsload", seed=1, messages=60)]
    history = read_history({"a-late": late, "b-early": early}, {"response.p50", "rate"})
    assert [entry.label for entry in history.entries] == ["b-early", "a-late"]
    single, three = (entry.averages["response.p50"] for entry in history.entries)
    assert (single.low, single.high) == (None, None)
    assert three.low is not None
    assert three.high is not None
    assert three.low < three.value < three.high
    values = [run.values["response.p50"] for run in history.entries[1].runs]
    assert three.value == pytest.approx(math.exp(sum(math.log(value) for value in values) / 3))
    assert 1.7 < three.value / single.value < 2.3
    assert history.units == {"response.p50": "ns", "rate": "per_s"}


def test_a_run_without_a_metric_has_no_value_for_it(tmp_path: Path) -> None:
    path = made_run(tmp_path / "a.wsload", seed=1, seconds=2, messages=20)
    (entry,) = read_history({"v1": [path]}).entries
    assert "response.p99.9" not in entry.averages
    assert "response.p99.9" not in entry.runs[0].values
    assert entry.runs[0].values["rate"] == pytest.approx(20)
