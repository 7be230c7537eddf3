"""The charts, by Bokeh. Colours of text, axes and grid are the page's: its script sets them, for light and dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import (
    AdaptiveTicker,
    BoxAnnotation,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    LogColorMapper,
    NoOverlap,
    NumeralTickFormatter,
    Range1d,
    Span,
)
from bokeh.plotting import figure

from wsload.report.html import columns as data
from wsload.report.remedies import TITLES
from wsload.results import Record
from wsload.units import format_latency

RUN_COLOURS = ("#4c8bf5", "#e0823d", "#3fa66a", "#c05fb4", "#c9a227", "#5bb8c4")
PERCENTILE_COLOURS = {"p50": "#4c8bf5", "p90": "#8a6fe8", "p99": "#d0589e", "p99_9": "#e0823d", "max": "#9097a3"}
FAILURE_COLOURS = ("#d64545", "#e0823d", "#c9a227", "#c05fb4", "#8a6fe8", "#5bb8c4", "#9097a3")
HEAT = ("#3566c433", "#3d6fd366", "#5a6fdc99", "#8a63d2bb", "#b957b9dd", "#dc5591ee", "#ef6f5fff", "#f79a3eff")
RED = "#d64545"
GREY = "#9097a3"
SUSPECT = "#e0a53d"
HEIGHT = 260
MAX_KINDS = len(FAILURE_COLOURS)


@dataclass(frozen=True, slots=True)
class Run:
    """A run with the name that tells it from others."""

    name: str
    record: Record


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with what it shows in words, for those who do not see it."""

    key: str
    title: str
    words: str
    figure: Any


class Charts:
    """All charts of one run, or of several laid over each other; their time axes move together."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._columns = [data.over_time(run.record) for run in runs]
        self._sources = [
            ColumnDataSource(_packed(columns), name=f"time-{number}") for number, columns in enumerate(self._columns)
        ]
        ends = [window.end_ns for run in runs for window in run.record.series.windows]
        starts = [window.start_ns for run in runs for window in run.record.series.windows]
        # Of a run that never began there are milliseconds before its epoch: no axis to speak of.
        self._span = (min(starts, default=0) / 1e9, max([10**9, *ends]) / 1e9)
        self._time = Range1d(*self._span, bounds=None, name="time")
        self._metric = next(filter(None, (data.main_metric(run.record) for run in runs)), None)

    @property
    def _alone(self) -> bool:
        return len(self._runs) == 1

    def _any(self, name: str) -> bool:
        """Whether a column holds anything but nothing, in any run."""
        return any(value > 0 for columns in self._columns for value in columns[name])

    def all(self) -> list[Chart]:
        """Every chart, in the order of the page."""
        return [*self.load(), *self.tails(), *self.generator()]

    @property
    def time(self) -> tuple[float, float]:
        """From when to when runs went, seconds after the epoch."""
        return self._span

    def load(self) -> list[Chart]:
        """Rate, latency, heat maps, failures and connections over time."""
        found = [self._rate()] if any(map(self._any, ("sent", "due", "received"))) else []
        if self._metric:
            found.append(self._latency(self._metric))
            found += filter(None, map(self._heat, range(len(self._runs))))
        if self._any("failed"):
            found.append(self._failures())
        if self._any("open_connections"):
            found.append(self._connections())
        return found

    def tails(self) -> list[Chart]:
        """The percentile plot."""
        lines = []
        for number, run in enumerate(self._runs):
            metrics = ("response_time", "service_time") if self._metric == "response_time" else (self._metric,)
            for metric in filter(None, metrics):
                distribution = run.record.series.measured(metric)
                if distribution.count:
                    lines.append((number, metric, data.tail(distribution)))
        return [self._tail(lines)] if lines else []

    def generator(self) -> list[Chart]:
        """How the generator itself did."""
        lags = ("send_lag_p99", "receive_lag_p99")
        found = []
        if any(map(self._any, lags)):
            plot = self._plot("lag", *data.latency_range(self._columns, lags))
            dashed = set() if self._alone else {"receive_lag_p99"}
            items = self._lines(plot, {"send_lag_p99": "send lag p99", "receive_lag_p99": "receive lag p99"}, dashed)
            found.append(done("lag", "Generator's own delay", "Send and receive lag, p99 over time.", plot, items))
        if self._any("cpu"):
            found.append(self._cpu())
        return found

    def _cpu(self) -> Chart:
        plot = self._plot("cpu", 0, None)
        items = self._lines(plot, {"cpu": "cores busy"})
        plot.yaxis.formatter = NumeralTickFormatter(format="0.0[0]")
        words = "Cores that the workers kept busy over time."
        return done("cpu", "Workers' CPU time", words, plot, items)

    def _rate(self) -> Chart:
        listening = not self._any("sent")
        answered = "answered" if self._metric == "response_time" else "reached all"
        names = {"received": "received"} if listening else {"due": "due", "sent": "sent", "answered": answered}
        if not self._alone:
            names = {"received": "received"} if listening else {"sent": "sent"}
        elif not self._any("answered"):
            names.pop("answered", None)
        plot = self._plot("rate", 0, None)
        self._mark_phases(plot)
        items = self._lines(plot, names, dashed={"due"})
        plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
        self._hover(plot, {words: f"@{name}{{0,0.[0]}}/s" for name, words in names.items()})
        told = next(reversed(names))
        peak = max((value for columns in self._columns for value in columns[told] if value > 0), default=0)
        words = f"{', '.join(names.values())} per second, over time; at most {peak:,.0f}/s {told}.".capitalize()
        return done("rate", "Messages per second", words, plot, items)

    def _latency(self, metric: str) -> Chart:
        names = {"p50": "p50", "p90": "p90", "p99": "p99", "p99_9": "p99.9", "max": "max"}
        if not self._alone:
            names = {"p50": "p50", "p99": "p99"}
        low, high = data.latency_range(self._columns, list(names))
        plot = self._plot("latency", low, high)
        self._mark_phases(plot)
        items = self._lines(plot, names, dashed={"p99"} if not self._alone else set())
        self._hover(plot, {words: f"@{name}{{0,0.[000]}} ms" for name, words in names.items()})
        if self._alone and self._any("failed"):
            items.append(("failures", [self._mark_failures(plot, low)]))
        worst = max((value for columns in self._columns for value in columns["p99"] if value > 0), default=0.0)
        words = f"Percentiles of each moment, on a logarithmic axis; p99 was at most {format_latency(worst * 1e6)}."
        return done("latency", f"{data.LABELS[metric]} over time", words, plot, items)

    def _mark_failures(self, plot: Any, low_ms: float) -> Any:
        columns = self._columns[0]
        times = [at for at, failed in zip(columns["t"], columns["failed"], strict=True) if failed]
        source = ColumnDataSource({"t": times, "y": [low_ms * 1.12] * len(times)}, name="marks")
        return plot.scatter("t", "y", source=source, marker="triangle", size=7, color=RED, line_color=None)

    def _heat(self, number: int) -> Chart | None:
        found = data.heat_map(self._runs[number].record)
        if found is None:
            return None
        plot = self._plot(f"heat-{number}", found.low_ms, found.high_ms)
        self._mark_phases(plot)
        source = ColumnDataSource(heat_columns(found), name=f"cells-{number}")
        mapper = LogColorMapper(palette=list(HEAT), low=1, high=max(_greatest(found), 2), nan_color="#00000000")
        plot.image(image="image", x="x", y="y", dw="dw", dh="dh", source=source, color_mapper=mapper, level="image")
        plot.grid.visible = False
        words = "How many messages had which latency when: the warmer a cell, the more messages."
        name = "" if self._alone else f": {self._runs[number].name}"
        return done(f"heat-{number}", f"Latency heat map{name}", words, plot, [])

    def _failures(self) -> Chart:
        plot = self._plot("failures", 0, None)
        plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[0]")
        items: list[tuple[str, list[Any]]] = []
        if self._alone:
            kinds = data.failure_kinds(self._runs[0].record)[:MAX_KINDS]
            columns = data.failures_over_time(self._runs[0].record, kinds)
            source = ColumnDataSource(_packed(columns), name="bars")
            bars = plot.vbar_stack(
                kinds, x="t", width="width", source=source, color=list(FAILURE_COLOURS[: len(kinds)]), line_color=None
            )
            items = [(TITLES.get(kind, kind), [bar]) for kind, bar in zip(kinds, bars, strict=True)]
        else:
            items = self._lines(plot, {"failures": "failures"})
        words = "Failures per second over time, by kind; the table of failures has examples and remedies."
        return done("failures", "Failures per second", words, plot, items)

    def _connections(self) -> Chart:
        plot = self._plot("connections", 0, None)
        plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
        names = {"open_connections": "open", "in_flight": "messages in flight"}
        if not self._alone:
            names.pop("in_flight")
        items = self._lines(plot, names)
        self._hover(plot, {words: f"@{name}{{0,0}}" for name, words in names.items()})
        most = max((max(columns["open_connections"], default=0) for columns in self._columns), default=0)
        words = f"Connections open and messages awaiting a reply, over time; at most {most:,.0f} open."
        return done("connections", "Connections", words, plot, items)

    def _tail(self, lines: Sequence[tuple[int, str, data.Columns]]) -> Chart:
        values = [line for _, _, line in lines]
        low, high = data.latency_range(values, ["ms"])
        furthest = max(line["x"][-1] for line in values)
        plot = figure(**common("tail"), x_axis_type="log", y_axis_type="log", x_range=Range1d(1, furthest * 1.1))
        plot.y_range = Range1d(low, high)
        latency_axis(plot, low, high)
        ends = [10**power for power in range(math.ceil(math.log10(furthest)) + 1)]
        plot.xaxis.ticker = FixedTicker(ticks=ends)
        plot.xaxis.major_label_overrides = {end: _percentile(end) for end in ends}
        plot.xaxis.major_label_policy = NoOverlap(min_distance=6)
        items = []
        for number, metric, line in lines:
            style = "dashed" if metric == "service_time" else "solid"
            colour = RUN_COLOURS[number % len(RUN_COLOURS)]
            source = ColumnDataSource(_packed(line), name=f"tail-{number}-{metric}")
            drawn = plot.line("x", "ms", source=source, line_width=2, line_dash=style, color=colour)
            words = data.LABELS[metric].lower()
            items.append((words if self._alone else f"{self._runs[number].name}: {words}", [drawn]))
        plot.add_tools(HoverTool(tooltips=[("latency", "@ms{0,0.[000]} ms"), ("1 in", "@x{0,0}")], mode="mouse"))
        words = "Latency by percentile; each step to the right is ten times rarer."
        return done("tail", "Percentiles", words, plot, items)

    def _plot(self, key: str, low: float, high: float | None) -> Any:
        """A figure over time: latencies on a logarithmic axis when it has an upper end, counts from 0 otherwise."""
        if high is None:
            plot = figure(**common(key), x_range=self._time, y_axis_type="linear")
            plot.y_range.start = low
            plot.y_range.range_padding = 0.15
        else:
            plot = figure(**common(key), x_range=self._time, y_axis_type="log", y_range=Range1d(low, high))
            latency_axis(plot, low, high)
        plot.xaxis.ticker = AdaptiveTicker(
            base=60, mantissas=[1, 2, 5, 10, 15, 30], desired_num_ticks=5, min_interval=1
        )
        plot.xaxis.formatter = NumeralTickFormatter(format="00:00:00")
        plot.xaxis.major_label_policy = NoOverlap(min_distance=6)
        return plot

    def _lines(
        self, plot: Any, names: dict[str, str], dashed: set[str] | frozenset[str] = frozenset()
    ) -> list[tuple[str, list[Any]]]:
        """A line for each name and run; colours tell names of one run, or runs."""
        items: list[tuple[str, list[Any]]] = []
        for number, source in enumerate(self._sources):
            for place, (name, words) in enumerate(names.items()):
                colour = PERCENTILE_COLOURS.get(name, RUN_COLOURS[place]) if self._alone else _run_colour(number)
                line = plot.line(
                    "t",
                    name,
                    source=source,
                    color=GREY if name == "due" else colour,
                    line_width=1.2 if name in {"max", "due"} else 2,
                    line_dash="dashed" if name in dashed else "solid",
                )
                items.append((words if self._alone else f"{self._runs[number].name}: {words}", [line]))
        return items

    def _hover(self, plot: Any, lines: dict[str, str]) -> None:
        tooltips = [("at", "@t{00:00:00}"), *lines.items()]
        if self._alone and plot.renderers:
            plot.add_tools(HoverTool(tooltips=tooltips, mode="vline", renderers=[plot.renderers[0]]))

    def _mark_phases(self, plot: Any) -> None:
        """Shades the warm-up and what is suspect, marks where stages end, when there is one run to speak of."""
        if not self._alone:
            return
        plan = self._runs[0].record.header.plan
        for start_ns, end_ns in data.suspect_spans(self._runs[0].record):
            plot.add_layout(
                BoxAnnotation(
                    left=start_ns / 1e9, right=end_ns / 1e9, fill_color=SUSPECT, fill_alpha=0.18, line_color=None
                )
            )
        if plan.warmup_ns:
            plot.add_layout(
                BoxAnnotation(left=0, right=plan.warmup_ns / 1e9, fill_color=GREY, fill_alpha=0.15, line_color=None)
            )
        at_ns = 0
        for stage in plan.load.stages if plan.load.model == "open" else ():
            at_ns += stage.duration_ns
            plot.add_layout(
                Span(location=at_ns / 1e9, dimension="height", line_color=GREY, line_dash="dotted", line_width=1)
            )


def done(key: str, title: str, words: str, plot: Any, items: Sequence[tuple[str, list[Any]]]) -> Chart:
    """A figure with its legend above it."""
    if items:
        legend = Legend(
            items=[LegendItem(label=label, renderers=drawn) for label, drawn in items],
            orientation="horizontal",
            click_policy="hide",
            ncols="auto",
            nrows="auto",
            border_line_color=None,
            background_fill_color=None,
            label_text_font_size="12px",
            padding=0,
            margin=4,
            spacing=14,
            glyph_width=16,
        )
        plot.add_layout(legend, "above")
    return Chart(key, title, words, plot)


def heat_columns(found: data.HeatMap) -> dict[str, Any]:
    """A heat map as the one row of its source."""
    return {
        "image": [np.array(found.rows, dtype=np.float32)],
        "x": [found.start_s],
        "y": [found.low_ms],
        "dw": [found.end_s - found.start_s],
        "dh": [found.high_ms - found.low_ms],
    }


def _packed(columns: data.Columns) -> dict[str, Any]:
    """Columns as arrays, which are a third of the numbers' text; times need more digits than a picture does."""
    return {name: np.array(values, np.float64 if name == "t" else np.float32) for name, values in columns.items()}


def _greatest(found: data.HeatMap) -> float:
    return max((value for row in found.rows for value in row if not math.isnan(value)), default=1.0)


def common(key: str) -> dict[str, Any]:
    """What all figures have in common."""
    return {
        "name": key,
        "height": HEIGHT,
        "sizing_mode": "stretch_width",
        "tools": "xpan,xbox_zoom,reset,tap",
        "active_drag": "xbox_zoom",
        "toolbar_location": None,
        "background_fill_color": None,
        "border_fill_color": None,
        "outline_line_color": None,
        "min_border_left": 56,
        "min_border_right": 12,
        "lod_threshold": None,
        "output_backend": "canvas",
    }


def latency_axis(plot: Any, low_ms: float, high_ms: float) -> None:
    """Ticks at 1, 10, 100 of a unit, and between them where a short axis has too few."""
    steps = (1,) if math.log10(high_ms / low_ms) > 2.5 else (1, 2, 5)
    ticks = [step * 10.0**power for power in range(-6, 8) for step in steps]
    plot.yaxis.ticker = FixedTicker(ticks=ticks)
    plot.yaxis.major_label_overrides = {tick: _latency_words(tick) for tick in ticks}


def _latency_words(ms: float) -> str:
    for scale, unit in ((1e3, "s"), (1.0, "ms"), (1e-3, "µs")):
        if ms >= scale * 0.999:
            return f"{ms / scale:g} {unit}"
    return f"{ms * 1e6:g} ns"


def _percentile(end: float) -> str:
    """1/(1-p) as the percentile that it is: 10 is 90 %."""
    nines = round(math.log10(end))
    return "0 %" if not nines else "90 %" if nines == 1 else f"99{'.' if nines > 2 else ''}{'9' * (nines - 2)} %"


def _run_colour(number: int) -> str:
    return RUN_COLOURS[number % len(RUN_COLOURS)]
