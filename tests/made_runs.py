"""Run files whose latencies are known, written without a server."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from samples import SECOND, encode, make_header, make_interval
from wsload.results import Header, RunFileWriter

START_S = {"base": 0, "new": 3600}


def made_run(
    path: Path,
    *,
    seed: int,
    factor: float = 1.0,
    seconds: int = 12,
    messages: int = 300,
    labels: dict[str, str] | None = None,
    failed: int = 0,
    **header: Any,
) -> Path:
    """A run of log-normal response times around `factor` ms, each second's level a little off its neighbours'."""
    random = np.random.default_rng(seed)
    made = make_header(duration_ns=seconds * SECOND, **header)
    started_at = made.started_at + timedelta(seconds=seed)
    write(
        path,
        made.model_copy(update={"labels": labels or {}, "started_at": started_at}),
        random,
        factor,
        messages,
        failed,
    )
    return path


def write(path: Path, header: Header, random: np.random.Generator, factor: float, messages: int, failed: int) -> None:
    """Writes the run of a header."""
    writer = RunFileWriter.create(path, header)
    writer.write_epoch(5_000, 1_700_000_000_000_000_000)
    assert header.plan.duration_ns is not None
    for second in range(header.plan.duration_ns // SECOND):
        level = factor * 1e6 * np.exp(0.02 * random.normal())
        values = (level * np.exp(0.3 * random.normal(size=messages))).astype(int)
        counters = {"due": messages + failed, "sent": messages + failed, "answered": messages, "unanswered": failed}
        histograms = {
            ("response_time", "message"): encode(*values.tolist()),
            ("service_time", "message"): encode(*(values - 1_000).tolist()),
        }
        writer.append([make_interval(second, counters=counters, histograms=histograms, failures=())])
    writer.finish("completed", "")


def made_sides(folder: Path, *, runs: int = 4, factor: float = 1.0, **options: Any) -> tuple[Path, Path]:
    """Two folders of runs; those of the second are slower by `factor`."""
    sides = folder / "base", folder / "new"
    for place, (side, at) in enumerate(zip(sides, (1.0, factor), strict=True)):
        side.mkdir()
        for number in range(runs):
            made_run(side / f"{number}.wsload", seed=place + 2 * number, factor=at, **options)
    return sides
