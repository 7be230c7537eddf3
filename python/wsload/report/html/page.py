"""Puts the page together: figures and tables, charts, and the scripts that they need."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from wsload.report.export.rows import Thresholds
from wsload.report.html.charts import Chart, Charts, Run
from wsload.report.html.frame import asset, bokeh, charts_data, environment, policy, script_data
from wsload.report.html.sections import sections
from wsload.report.html.timeline import Event, recorded, timeline_data
from wsload.results import read_record

SCRIPTS = ("theme.js", "zoom.js", "timeline.js")
"""In the order in which they run, after Bokeh's."""


def render_page(paths: Sequence[Path], thresholds: Thresholds = None) -> Iterator[str]:
    """The page of one run, or of several laid over each other; `thresholds` take the place of the runs' own.

    Raises:
        RunFileError: a file cannot be read.
    """
    runs = [Run(name, read_record(path, thresholds)) for name, path in zip(names(paths), paths, strict=True)]
    events, total = recorded(paths[0]) if len(paths) == 1 else ([], 0)
    yield page(runs, events, total)


def names(paths: Sequence[Path]) -> list[str]:
    """What tells files apart: their names, with their folders where names are the same, or their numbers."""
    stems = [path.stem for path in paths]
    if len(set(stems)) < len(stems):
        stems = [str(path) for path in paths]
    return [f"{stem} ({number + 1})" if stems.count(stem) > 1 else stem for number, stem in enumerate(stems)]


def page(
    runs: Sequence[Run],
    events: Sequence[Event] = (),
    total: int | None = None,
    live: str | None = None,
    viewer: Mapping[str, Any] | None = None,
) -> str:
    """The HTML of runs that have been read.

    Args:
        runs: Those to show; several are laid over each other.
        events: Messages for the timeline viewer; without any there is none.
        total: How many there were, where these are not all.
        live: The address of server-sent events that feed the page; None for one that stays as it is.
        viewer: Where a page that is fed asks for its messages, in place of `events`.
    """
    charts = Charts(runs)
    groups = {"load": charts.load(), "tails": charts.tails(), "generator": charts.generator()}
    drawn = [chart for group in groups.values() for chart in group]
    scripts = [bokeh(), *map(asset, SCRIPTS), *([asset("live.js")] if live else [])]
    blocks = {"charts": charts_data(drawn)}
    if events or viewer:
        blocks["timeline"] = timeline_data(events, total) if events else dict(viewer or {})
    template = environment().from_string(asset("page.html"))
    return template.render(
        **sections(runs, live=live is not None),
        groups=groups,
        blocks={key: script_data(value) for key, value in blocks.items()},
        style=Markup(asset("style.css")),  # noqa: S704 - our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files and Bokeh's
        policy=policy(scripts, live=live is not None),
        live=live,
        shape=shape(drawn),
        has_timeline="timeline" in blocks,
    )


def shape(charts: Sequence[Chart]) -> str:
    """Which charts there are and what they are made of: a live page of another shape is loaded anew."""
    return " ".join(f"{chart.key}:{len(chart.figure.renderers)}" for chart in charts)


def fragments(runs: Sequence[Run]) -> dict[str, str]:
    """The parts of the page that change while a run goes on, by their element's id."""
    context = sections(runs, live=True)
    module: Any = environment().from_string(asset("parts.html")).make_module(context)
    return {name: str(getattr(module, name)()) for name in ("head", "tiles", "thresholds", "tables")}
