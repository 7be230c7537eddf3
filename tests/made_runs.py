"""Run files whose latencies are known, written without a server."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from samples import SECOND, encode, make_header, make_interval
from wsload.results import RunFileWriter


def made_run(
    path: Path,
    *,
    seed: int,
    factor: float = 1.0,
    factors: dict[str, float] | None = None,
    seconds: int = 12,
    messages: int = 300,
    labels: dict[str, str] | None = None,
    failed: int = 0,
    memory_bytes: int = 0,
    **header: Any,
) -> Path:
    """A run of log-normal response times around `factor` ms, each second's level a little off its neighbours'.

    `memory_bytes`: of the target, give or take a percent; 0: it was not watched. `factors`: of each message
    name, where there are several; `messages` go to each.
    """
    random = np.random.default_rng(seed)
    made = make_header(duration_ns=seconds * SECOND, **header)
    update = {"labels": labels or {}, "started_at": made.started_at + timedelta(seconds=seed)}
    writer = RunFileWriter.create(path, made.model_copy(update=update))
    writer.write_epoch(5_000, 1_700_000_000_000_000_000)
    for second in range(seconds):
        histograms = {}
        for name, own in (factors or {"message": 1.0}).items():
            level = factor * own * 1e6 * np.exp(0.02 * random.normal())
            values = (level * np.exp(0.3 * random.normal(size=messages))).astype(int)
            histograms["response_time", name] = encode(*values.tolist())
            histograms["service_time", name] = encode(*(values - 1_000).tolist())
        answered = messages * len(histograms) // 2
        counters = {"due": answered + failed, "sent": answered + failed, "answered": answered, "unanswered": failed}
        gauges = {"open_connections": 10, "running_ns": SECOND}
        if memory_bytes:
            gauges |= {"target_processes": 1, "target_rss_bytes": round(memory_bytes * (1 + 0.01 * random.normal()))}
        writer.append([make_interval(second, counters=counters, gauges=gauges, histograms=histograms, failures=())])
    writer.finish("completed", "")
    return path


def made_sides(folder: Path, *, runs: int = 4, factor: float = 1.0, **options: Any) -> tuple[Path, Path]:
    """Two folders of runs; those of the second are slower by `factor`."""
    sides = folder / "base", folder / "new"
    for place, (side, at) in enumerate(zip(sides, (1.0, factor), strict=True)):
        side.mkdir()
        for number in range(runs):
            made_run(side / f"{number}.wsload", seed=place + 2 * number, factor=at, **options)
    return sides
