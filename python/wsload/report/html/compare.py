"""The page of a comparison: the verdict, every metric, curves with their bands, every run."""

from markupsafe import Markup

from wsload.analysis.model import Comparison
from wsload.report.compare import change, headline, interval_of, notes_of, terms_of, tolerance_of, values_of, verdict_of
from wsload.report.html.compare_charts import charts
from wsload.report.html.frame import asset, bokeh, charts_data, environment, policy, script_data

KINDS = {"regressed": "bad", "improved": "good", "unchanged": "good", "inconclusive": "warn"}


def render_comparison(comparison: Comparison) -> str:
    """One file that opens from disk: nothing is fetched, everything is escaped."""
    drawn = charts(comparison)
    scripts = [bokeh(), asset("theme.js")]
    rows = [
        {
            "name": row.full_name,
            "values": values_of(row),
            "change": change(row),
            "interval": interval_of(row),
            "tolerance": tolerance_of(row),
            "verdict": verdict_of(row),
            "kind": KINDS[row.verdict],
        }
        for row in comparison.rows
    ]
    return (
        environment()
        .from_string(asset("compare.html"))
        .render(
            comparison=comparison,
            headline=headline(comparison),
            kind=KINDS[comparison.verdict],
            terms=terms_of(comparison),
            rows=rows,
            notes=notes_of(comparison),
            charts=drawn,
            data=script_data(charts_data(drawn)),
            style=Markup(asset("style.css")),  # noqa: S704 - our own file
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own file and Bokeh's
            policy=policy(scripts, live=False),
        )
    )
