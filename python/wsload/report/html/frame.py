"""What every page has: templates that escape, the scripts that may run, and the charts' data."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from wsload.report.html.charts import Chart
from wsload.report.html.sections import FILTERS


def environment() -> Environment:
    """Templates in which everything is escaped, and a misspelt name is an error."""
    from jinja2 import FunctionLoader

    found = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(asset),
    )
    found.filters |= FILTERS
    return found


def charts_data(charts: Sequence[Chart]) -> dict[str, Any]:
    """What BokehJS draws, with the element that each figure goes to."""
    from bokeh.document import Document
    from bokeh.embed.util import standalone_docs_json_and_render_items

    # One document: what charts share, such as the range of time, is one object in the browser.
    document = Document()
    for chart in charts:
        document.add_root(chart.figure)
    documents, items = standalone_docs_json_and_render_items([chart.figure for chart in charts])
    rendered = [item.to_json() for item in items]
    places = {chart.figure.id: f"chart-{chart.key}" for chart in charts}
    for item in rendered:
        item["roots"] = {root: places[root] for root in item["roots"]}
    return {"documents": documents, "items": rendered}


def script_data(value: Mapping[str, Any]) -> Markup:
    """JSON that no HTML parser takes for anything else."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def policy(scripts: Sequence[str], *, live: bool) -> str:
    """Only these very scripts may run, and nothing may be fetched but the page's own feed."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    rules = [
        "default-src 'none'",
        f"script-src {hashes}",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "font-src data:",
    ]
    return "; ".join([*rules, *(["connect-src 'self'"] if live else []), "base-uri 'none'", "form-action 'none'"])


def bokeh() -> str:
    """The script that draws."""
    from bokeh.resources import Resources

    # The core alone: no widgets, tables or WebGL.
    return str(Resources(mode="inline", components=["bokeh"], minified=True).js_raw[0])


def asset(name: str) -> str:
    """A file of ours."""
    return files("wsload.report.html").joinpath("assets", name).read_text(encoding="utf-8")
