"""What the page is told while a run goes on: one reader of the file for any number of browsers."""

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, LogColorMapper, Range1d
from numpy.typing import NDArray

from wsload.errors import RunFileError
from wsload.report.html.charts import Charts, Run
from wsload.report.html.page import fragments, shape
from wsload.report.web.messages import look_up
from wsload.results import Follower, Record

MAX_WINDOWS = 240
"""A browser stays quick, however long the run is."""
DIGITS = 4
PERIOD_S = 1.0
SLOWEST_CHARTS_S = 30.0


class Feed:
    """Follows a run file and tells everybody who listens; reads nothing while nobody does."""

    def __init__(self, path: Path, period_s: float = PERIOD_S) -> None:
        self._path = path
        self._period_s = period_s
        self._follower = Follower(path, MAX_WINDOWS)
        self._lock = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._closing = asyncio.Event()

    async def record(self) -> Record:
        """The run as far as its file has it.

        Raises:
            RunFileError: there is no such file yet, or it cannot be read.
        """
        async with self._lock:
            return await asyncio.to_thread(self._follower.read)

    async def run(self) -> Run:
        """The same under its file's name."""
        return Run(self._path.stem, await self.record())

    async def messages(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Events of the timeline, one question at a time: a search through days takes a while.

        Raises:
            RunFileError: there is no such file yet, or it cannot be read.
        """
        async with self._looking:
            return await asyncio.to_thread(look_up, self._path, asked)

    def close(self) -> None:
        """Tells listeners what there is, for the last time."""
        self._closing.set()

    async def updates(self) -> AsyncIterator[dict[str, Any]]:
        """Updates until the run is over or the view is closed; the first one at once."""
        last_charts, clock = -math.inf, asyncio.get_running_loop().time
        while True:
            closing = self._closing.is_set()
            try:
                run = await self.run()
            except RunFileError as error:
                yield {"state": "lost", "text": error.what}
                return
            over = closing or run.record.summary.finished
            # Windows of minutes need no new picture each second.
            width_s = run.record.series.width_ns / 1e9
            charts = over or clock() - last_charts >= min(max(width_s / 4, self._period_s), SLOWEST_CHARTS_S)
            if charts:
                last_charts = clock()
            told = await asyncio.to_thread(update, run, charts=charts)
            # Whoever is told for the last time need not ask any more: nobody listens.
            yield told | {"closing": True} if closing else told
            if over:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._period_s)


def update(run: Run, *, charts: bool) -> dict[str, Any]:
    """What has changed: the page's parts, and the charts' numbers when these are wanted."""
    summary = run.record.summary
    told: dict[str, Any] = {"state": summary.outcome if summary.finished else "running", "parts": fragments([run])}
    return told | _charts(run) if charts else told


def _charts(run: Run) -> dict[str, Any]:
    """The numbers of all charts, by the names of their sources, axes and colours."""
    drawn = Charts([run])
    charts = drawn.all()
    told: dict[str, Any] = {"shape": shape(charts), "time": drawn.time, "words": {}, "sources": {}, "axes": {}}
    for chart in charts:
        told["words"][chart.key] = chart.words
        told["axes"][chart.key] = {
            side: [one.start, one.end]
            for side, one in (("x", chart.figure.x_range), ("y", chart.figure.y_range))
            if isinstance(one, Range1d) and one.name != "time"
        }
        for source in chart.figure.select({"type": ColumnDataSource}):
            told["sources"][source.name] = {name: _column(values) for name, values in source.data.items()}
        for mapper in chart.figure.select({"type": LogColorMapper}):
            told["axes"][chart.key]["colour"] = [mapper.low, mapper.high]
    return told


def _column(values: Any) -> Any:
    """A column as the page's script reads it; a picture is its cells and their shape."""
    if len(values) and np.ndim(values[0]) == 2:
        return {"cells": _rounded(values[0]), "shape": list(values[0].shape)}
    return _rounded(np.asarray(values, np.float64))


def _rounded(values: NDArray[np.floating[Any]]) -> list[float | None]:
    """Numbers as short as a picture allows; what is not drawn is null."""
    flat = values.ravel().tolist()
    return [None if math.isnan(value) else float(f"{value:.{DIGITS}g}") if value % 1 else int(value) for value in flat]


def event(told: dict[str, Any]) -> str:
    """An update as a server-sent event."""
    return f"data: {json.dumps(told, separators=(',', ':'), allow_nan=False)}\n\n"
