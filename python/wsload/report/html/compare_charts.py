"""The charts of a comparison: percentiles with bands, their ratio, and every run as a dot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, FixedTicker, HoverTool, NumeralTickFormatter, Range1d, Span
from bokeh.plotting import figure

from wsload.analysis.model import Comparison, CurvePoint, Row
from wsload.report.html.charts import GREY, RUN_COLOURS, Chart, common, done, latency_axis
from wsload.report.text import printable, shortened

BASE, NEW = RUN_COLOURS[:2]
MAX_DOTS = 12
"""Metrics whose runs are drawn."""
MAX_NAME = 24
DOT_HEIGHT = 34
BAND = 0.22


def charts(comparison: Comparison) -> list[Chart]:
    """All there is to draw."""
    found = []
    if len(comparison.curve) > 1:
        found += [_percentiles(comparison.curve), _ratio(comparison)]
    if len(comparison.base.runs) + len(comparison.new.runs) > 2:
        rows = [row for row in comparison.rows if row.scale == "ratio" and row.base > 0][:MAX_DOTS]
        if rows:
            found.append(_runs(rows))
    return found


def _frame(key: str, curve: Sequence[CurvePoint], **options: Any) -> Any:
    """A figure over percentiles, each as far from the next as from the one before."""
    places = list(range(len(curve)))
    plot = figure(**common(key), x_range=Range1d(-0.3, len(curve) - 0.7), **options)
    plot.xaxis.ticker = FixedTicker(ticks=places)
    plot.xaxis.major_label_overrides = {
        place: f"p{point.quantile * 100:g}" for place, point in zip(places, curve, strict=True)
    }
    return plot


def _percentiles(curve: Sequence[CurvePoint]) -> Chart:
    sides = {
        "base": [(point.base, point.base_low, point.base_high) for point in curve],
        "new": [(point.new, point.new_low, point.new_high) for point in curve],
    }
    shown = [value / 1e6 for side in sides.values() for one in side for value in one if value and value >= 1]
    low, high = min(shown, default=0.1) / 1.3, min(max(shown, default=10), 3.6e6) * 1.3
    plot = _frame("curve", curve, y_axis_type="log", y_range=Range1d(low, high))
    latency_axis(plot, low, high)
    items = []
    for name, colour in (("base", BASE), ("new", NEW)):
        items.append((name, _banded(plot, name, colour, [_in_ms(one, low) for one in sides[name]])))
    plot.add_tools(HoverTool(tooltips=[("", "@name @label"), ("latency", "@y{0,0.[000]} ms")], mode="mouse"))
    words = "Response time by percentile on either side, with the interval in which it lies."
    return done("curve", "Percentiles of the response time", words, plot, items)


def _in_ms(one: tuple[float, float | None, float | None], least: float) -> tuple[float, float, float]:
    value, low, high = one
    at = value / 1e6
    return at, max((low or value) / 1e6, least), (high or value) / 1e6


def _ratio(comparison: Comparison) -> Chart:
    curve = comparison.curve
    values = [(one.ratio, one.ratio_low or one.ratio, one.ratio_high or one.ratio) for one in curve]
    ends = [end for value in values for end in value if 0.1 <= end <= 10]
    reach = max([0.1, *(abs(end - 1) for end in ends)]) * 1.15
    plot = _frame("ratio", curve, y_range=Range1d(1 - min(reach, 1), 1 + reach))
    tolerances = [row.tolerance for row in comparison.rows if row.metric.startswith("response.") and not row.message]
    if tolerances:
        within = min(tolerances)
        plot.add_layout(BoxAnnotation(bottom=1 / (1 + within), top=1 + within, fill_color=GREY, fill_alpha=0.15))
    plot.add_layout(Span(location=1, dimension="width", line_color=GREY, line_width=1))
    plot.yaxis.formatter = NumeralTickFormatter(format="0.00")
    items = [("new divided by base", _banded(plot, "ratio", NEW, values))]
    plot.add_tools(HoverTool(tooltips=[("", "@label"), ("new / base", "@y{0.000}")], mode="mouse"))
    words = "New divided by base, percentile by percentile, with its interval; 1 is no difference, grey the tolerance."
    return done("ratio", "Difference", words, plot, items)


def _banded(plot: Any, name: str, colour: str, values: Sequence[tuple[float, float, float]]) -> list[Any]:
    labels = plot.xaxis[0].major_label_overrides
    source = ColumnDataSource(
        {
            "x": list(range(len(values))),
            "y": [value for value, _, _ in values],
            "low": [low for _, low, _ in values],
            "high": [high for _, _, high in values],
            "name": ["" if name == "ratio" else name] * len(values),
            "label": [labels[place] for place in range(len(values))],
        },
        name=f"curve-{name}",
    )
    band = plot.varea("x", "low", "high", source=source, fill_color=colour, fill_alpha=BAND)
    line = plot.line("x", "y", source=source, line_color=colour, line_width=2)
    dots = plot.scatter("x", "y", source=source, size=6, color=colour)
    return [band, line, dots]


def _runs(rows: Sequence[Row]) -> Chart:
    """Each run in relation to the base: one odd run is seen as such."""
    names = [shortened(printable(row.full_name), MAX_NAME) for row in rows]
    values = [value / row.base for row in rows for value in (*row.base_runs, *row.new_runs)]
    reach = max([0.05, *(abs(value - 1) for value in values if value <= 10)]) * 1.1
    options = common("runs") | {"height": 90 + DOT_HEIGHT * len(rows)}
    plot = figure(**options, x_range=Range1d(1 - min(reach, 1), 1 + reach), y_range=Range1d(len(rows) - 0.4, -0.6))
    plot.yaxis.ticker = FixedTicker(ticks=list(range(len(rows))))
    plot.yaxis.major_label_overrides = dict(enumerate(names))
    plot.xaxis.formatter = NumeralTickFormatter(format="0%")
    plot.add_layout(Span(location=1, dimension="height", line_color=GREY, line_width=1))
    items = []
    for side, colour, shift in (("base", BASE, -0.17), ("new", NEW, 0.17)):
        found = [(row.base_runs if side == "base" else row.new_runs, row.base) for row in rows]
        source = ColumnDataSource(
            {
                "x": np.array([value / base for runs, base in found for value in runs]),
                "y": np.array([place + shift for place, (runs, _) in enumerate(found) for _ in runs]),
                "run": [number + 1 for runs, _ in found for number, _ in enumerate(runs)],
            },
            name=f"runs-{side}",
        )
        items.append((side, [plot.scatter("x", "y", source=source, size=8, color=colour, alpha=0.8, line_color=None)]))
    plot.add_tools(HoverTool(tooltips=[("run", "@run"), ("of the base", "@x{0.0%}")], mode="mouse"))
    words = "Each run's figure in relation to the mean of the base, metric by metric."
    return done("runs", "Runs", words, plot, items)
