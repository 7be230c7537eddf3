"""A comparison as text for a terminal, as Markdown, and as JUnit."""

import math
import sys
from typing import IO
from xml.etree import ElementTree as XmlTree

from rich.console import Console
from rich.text import Text

from wsload.analysis.model import Comparison, Row, Side
from wsload.report.text import flow, latency_column, printable
from wsload.units import format_bytes, format_latency, format_rate

PIPED_WIDTH = 110
MIN_WIDTH = 80
STYLES = {"regressed": "bold red", "improved": "bold green", "unchanged": "green", "inconclusive": "yellow"}
SIGNS = {"regressed": "✗", "improved": "✓", "unchanged": "=", "inconclusive": "?"}
BASES = {
    "rounds": "from round to round, both sides of a round together",
    "runs": "from run to run",
    "blocks": "over the time of one run a side",
}
PLOT_WIDTH = 25
DOTS_WIDTH = 46
MAX_LATENCY_NS = 3_600_000_000_000
PLOTTED = ("response.p50", "response.p99")
"""Whose runs are drawn whatever their verdict."""


def print_comparison(comparison: Comparison, file: IO[str] | None = None) -> None:
    """Prints a comparison; in colour only on a terminal, and not with NO_COLOR."""
    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)
    width = max(console.width, MIN_WIDTH) if console.is_terminal else PIPED_WIDTH
    for line in render(comparison, width):
        console.print(line)


def render(comparison: Comparison, width: int) -> list[Text]:
    """The comparison, line by line."""
    lines = _head(comparison, width)
    lines += _table(comparison, width)
    lines += _curve(comparison, width)
    lines += _dots(comparison)
    lines += _doubts(comparison, width)
    return lines


def headline(comparison: Comparison) -> str:
    """The verdict and what it rests on: `REGRESSED: response.p99 +12.3 %`."""
    telling = [row for row in comparison.rows if row.verdict == comparison.verdict]
    told = ", ".join(f"{printable(row.full_name)} {change(row)}" for row in telling[:4])
    more = f" and {len(telling) - 4} more" if len(telling) > 4 else ""
    words = {
        "regressed": f"REGRESSED: {told}{more}",
        "improved": f"improved: {told}{more}",
        "unchanged": "unchanged: every metric is within its tolerance",
        "inconclusive": f"inconclusive: {told}{more}" if telling else "inconclusive: nothing could be compared",
    }
    return words[comparison.verdict]


def change(row: Row) -> str:
    """`+1.2 %`, or percentage points (pp) for shares."""
    return _percent(row, row.change)


def to_markdown(comparison: Comparison) -> str:
    """A table for a pull request or a step summary."""
    lines = [f"### {SIGNS[comparison.verdict]} wsload compare: {_cell(headline(comparison))}", ""]
    base, new = (_cell(printable(named(side))) for side in (comparison.base, comparison.new))
    lines += [f"Base {base}, new {new}. {_cell(terms_of(comparison))}."]
    lines += ["", "| metric | base | new | change | 95 % interval | tolerance | verdict |"]
    lines += ["|---|--:|--:|--:|--:|--:|---|"]
    for row in comparison.rows:
        base, new = values_of(row)
        cells = [row.full_name, base, new, change(row), interval_of(row), tolerance_of(row), f"{verdict_of(row)}"]
        lines.append("| " + " | ".join(_cell(printable(cell)) for cell in cells) + " |")
    notes = notes_of(comparison)
    if notes:
        lines += ["", *(f"- {_cell(printable(note))}" for note in notes)]
    return "\n".join(lines) + "\n"


def to_junit(comparison: Comparison, *, strict: bool) -> str:
    """A test case for each metric: regressed ones have failed, inconclusive ones are skipped unless `strict`."""
    failed = [row for row in comparison.rows if _fails(row, strict)]
    skipped = [row for row in comparison.rows if row.verdict == "inconclusive" and not strict]
    counts = {"tests": str(len(comparison.rows)), "failures": str(len(failed)), "errors": "0"}
    suites = XmlTree.Element("testsuites", {"name": "wsload compare", **counts})
    suite = XmlTree.SubElement(
        suites, "testsuite", {"name": "wsload compare", "skipped": str(len(skipped)), "time": "0", **counts}
    )
    for row in comparison.rows:
        names = {"classname": f"wsload.compare.{row.metric}", "name": printable(row.full_name), "time": "0"}
        case = XmlTree.SubElement(suite, "testcase", names)
        base, new = values_of(row)
        said = f"{verdict_of(row)}: {change(row)}, interval {interval_of(row)}, tolerance {tolerance_of(row)}"
        if _fails(row, strict):
            failure = XmlTree.SubElement(case, "failure", {"type": row.verdict, "message": said})
            failure.text = f"base {base}, new {new}"
        elif row in skipped:
            XmlTree.SubElement(case, "skipped", {"message": said})
        XmlTree.SubElement(case, "system-out").text = f"base {base}, new {new}; {said}"
    XmlTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + XmlTree.tostring(suites, encoding="unicode") + "\n"


def _fails(row: Row, strict: bool) -> bool:
    return row.verdict == "regressed" or (strict and row.verdict == "inconclusive")


def _head(comparison: Comparison, width: int) -> list[Text]:
    lines = [Text(f"wsload compare · base {printable(named(comparison.base))}", style="bold")]
    lines += [Text(f"                 new  {printable(named(comparison.new))}", style="bold")]
    lines += [Text(f"  {line}", style="dim") for line in flow(terms_of(comparison).split(), width - 2, " ", 0)]
    verdict = flow(headline(comparison).split(), width - 4, " ", 2)
    lines += [Text(f"  {line}", style=STYLES[comparison.verdict]) for line in verdict]
    return lines


def named(side: Side) -> str:
    """How a side was given, and of how many runs it is."""
    count = len(side.runs)
    return f"{side.named} ({count} run{'s' if count != 1 else ''})"


def terms_of(comparison: Comparison) -> str:
    """What the verdicts rest on."""
    if not comparison.rows:
        return "nothing was compared"
    bases = list(dict.fromkeys(BASES[row.basis] for row in comparison.rows))
    scatter = f"errors are taken from how figures scatter {' and '.join(bases)}"
    return (
        f"{comparison.level:.0%} intervals; {scatter}; the verdicts of {comparison.compared} comparisons hold together"
        f" ({comparison.correction}); {_tolerances(comparison)}"
    ).replace("%", " %", 1)


def _tolerances(comparison: Comparison) -> str:
    """`tolerance ±5 %, failures ±0.1 points`: the most frequent one first and without names."""
    found: dict[str, list[str]] = {}
    for row in comparison.rows:
        found.setdefault(tolerance_of(row), []).append(printable(row.full_name))
    (usual, _), *others = sorted(found.items(), key=lambda one: -len(one[1]))
    return ", ".join([f"tolerance {usual}", *(f"{', '.join(names)} {tolerance}" for tolerance, names in others)])


def _table(comparison: Comparison, width: int) -> list[Text]:
    rows = comparison.rows
    if not rows:
        return []
    cells = [["metric", "base", "new", "change", "interval", "verdict"]]
    for row in rows:
        base, new = values_of(row)
        name = printable(row.full_name)
        cells.append([name, base, new, change(row), interval_of(row), verdict_of(row)])
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    plotted = sum(widths) + 2 * len(widths) + PLOT_WIDTH <= width
    ratios = [row for row in rows if row.scale == "ratio"]
    axis = _Axis.of(ratios) if plotted and ratios else None
    lines = [Text("")]
    listed: list[Row | None] = [None, *rows]
    for line, shown in zip(cells, listed, strict=True):
        figures = [text.rjust(size) for text, size in zip(line[1:5], widths[1:5], strict=True)]
        text = Text("  " + "  ".join([line[0].ljust(widths[0]), *figures]), style="" if shown else "dim")
        if axis:
            drawn = axis.draw(shown) if shown and shown.scale == "ratio" else axis.title(shown)
            text.append(f"  {drawn}")
        text.append(f"  {line[5]}", style=STYLES[shown.verdict] if shown else "")
        lines.append(text)
    return lines


class _Axis:
    """Ratios on a logarithmic line, 1 in the middle."""

    def __init__(self, reach: float) -> None:
        self._reach = reach

    @classmethod
    def of(cls, rows: list[Row]) -> "_Axis":
        """An axis for most rows: one very wide interval must not flatten all others."""
        ends = sorted(max(abs(math.log(end)) for end in (row.low, row.high) if end > 0) for row in rows)
        tolerance = max(math.log1p(row.tolerance) for row in rows)
        return cls(max(min(ends[-1], 2 * ends[len(ends) // 2]), 1.5 * tolerance, 0.01))

    def title(self, row: Row | None) -> str:
        """The axis' ends over the plots; nothing beside a row without one."""
        if row is not None:
            return " " * PLOT_WIDTH
        left, right = (f"{math.expm1(end):+.0%}" for end in (-self._reach, self._reach))
        return left + "0".center(PLOT_WIDTH - len(left) - len(right)) + right

    def draw(self, row: Row) -> str:
        """The interval, with the tolerance as dots and 1 as a line."""
        cells = [" "] * PLOT_WIDTH
        bound = math.log1p(row.tolerance)
        for end in (-bound, bound):
            self._put(cells, end, "┊")
        self._put(cells, 0.0, "│")
        low, high = math.log(max(row.low, 1e-300)), math.log(max(row.high, 1e-300))
        left, right = self._place(low), self._place(high)
        for at in range(max(left, 0), min(right, PLOT_WIDTH - 1) + 1):
            cells[at] = "─"
        self._put(cells, low, "├")
        self._put(cells, high, "┤")
        if left < 0:
            cells[0] = "◂"
        if right >= PLOT_WIDTH:
            cells[-1] = "▸"
        self._put(cells, math.log(row.change), "●")
        return "".join(cells)

    def _place(self, at: float) -> int:
        return round((at / self._reach + 1) / 2 * (PLOT_WIDTH - 1))

    def _put(self, cells: list[str], at: float, sign: str) -> None:
        place = self._place(at)
        if 0 <= place < PLOT_WIDTH:
            cells[place] = sign


def _curve(comparison: Comparison, width: int) -> list[Text]:
    """The percentiles of the response time with their bands, and the ratio of the two."""
    if not comparison.curve:
        return []
    lines = [Text(""), Text(f"  {'response time':14}{'base':>27}{'new':>27}{'new / base':>26}", style="dim")]
    for point in comparison.curve:
        base = _banded(point.base, point.base_low, point.base_high)
        new = _banded(point.new, point.new_low, point.new_high)
        ratio = f"{point.ratio:.3f}"
        if point.ratio_low is not None and point.ratio_high is not None:
            ratio += f" ({_plain(point.ratio_low)} to {_plain(point.ratio_high)})"
        lines.append(Text(f"  {f'p{point.quantile * 100:g}':14}{base:>27}{new:>27}{ratio:>26}"[:width]))
    return lines


def _banded(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return format_latency(value)
    if low < 1 or high > MAX_LATENCY_NS:
        return f"{format_latency(value)} (unknown)"
    least, shown, greatest = latency_column([round(end) for end in (low, value, high)])
    return f"{shown} ({least.split()[0]} to {greatest.split()[0]})"


def _plain(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 100 else "∞"


def _dots(comparison: Comparison) -> list[Text]:
    """Each run as a dot, so that one odd run is seen as such."""
    if len(comparison.base.runs) + len(comparison.new.runs) < 4:
        return []
    telling = [
        row
        for row in comparison.rows
        if row.unit == "ns" and (row.verdict in {"regressed", "improved"} or row.full_name in PLOTTED)
    ]
    lines = [Text(""), Text("  runs", style="dim")] if telling else []
    for row in telling:
        values = [*row.base_runs, *row.new_runs]
        low, high = min(values), max(values)
        for side, found in (("base", row.base_runs), ("new", row.new_runs)):
            name = printable(row.full_name) if side == "base" else ""
            ends = f"  {format_latency(low)} to {format_latency(high)}" if side == "base" else ""
            lines.append(Text(f"  {name:18}{side:5}│{_dotted(found, low, high)}│{ends}"))
    return lines


def _dotted(values: list[float], low: float, high: float) -> str:
    cells = [0] * DOTS_WIDTH
    for value in values:
        cells[round((value - low) / (high - low) * (DOTS_WIDTH - 1)) if high > low else DOTS_WIDTH // 2] += 1
    return "".join(" " if not count else "•" if count == 1 else str(count) if count < 10 else "#" for count in cells)


def _doubts(comparison: Comparison, width: int) -> list[Text]:
    lines: list[Text] = []
    for note in notes_of(comparison):
        for number, line in enumerate(flow(printable(note).split(), width - 8, " ", 0)):
            lines.append(Text("  " + ("note  " if not number else "      ")).append(line, style="yellow"))
    return [Text(""), *lines] if lines else []


def notes_of(comparison: Comparison) -> list[str]:
    """What makes the verdicts worth less than they look."""
    notes = [f"not alike: {difference}" for difference in comparison.differences]
    notes += comparison.warnings
    notes += [
        f"{row.full_name}: alone this would be a change; among {comparison.compared} comparisons it may be chance"
        for row in comparison.rows
        if row.alone
    ]
    slower = [row.full_name for row in comparison.rows if _is_worse_but_by_how_much(row)]
    if slower:
        notes.append(f"{', '.join(slower)}: worse for certain, but perhaps by less than the tolerance")
    bounds = [row.full_name for row in comparison.rows if row.at_least]
    if bounds:
        notes.append(f"{', '.join(bounds)}: lower bounds, some replies never came")
    reasons: dict[str, list[str]] = {}
    for skipped in comparison.skipped:
        reasons.setdefault(skipped.why, []).append(skipped.metric)
    notes += [f"left out: {', '.join(metrics)}: {why}" for why, metrics in reasons.items()]
    unsettled = [row for row in comparison.rows if row.verdict == "inconclusive"]
    if any(row.runs_to_settle for row in unsettled):
        notes.append("~N: so many runs a side would settle it in 4 cases of 5, if the change is as large as it looks")
    hopeless = [row.full_name for row in unsettled if row.runs_to_settle is None]
    if hopeless:
        notes.append(
            f"{', '.join(hopeless)}: more than 100 runs a side would be needed, too near the tolerance or too scattered"
        )
    return notes


def _is_worse_but_by_how_much(row: Row) -> bool:
    if row.verdict != "inconclusive" or row.alone:
        return False
    none = 1.0 if row.scale == "ratio" else 0.0
    return row.low > none if row.worse == "higher" else row.high < none


def verdict_of(row: Row) -> str:
    """The verdict, and how many runs a side would settle what is open."""
    if row.verdict != "inconclusive":
        return row.verdict
    if row.runs_to_settle is None:
        return "inconclusive"
    return f"inconclusive ~{row.runs_to_settle}"


def values_of(row: Row) -> tuple[str, str]:
    """Both sides in their unit."""
    if row.unit == "ns":
        base, new = latency_column([round(row.base), round(row.new)])
        return base, new
    if row.unit == "per_s":
        return tuple(format_rate(round(value, 1 if value < 100 else 0)) for value in (row.base, row.new))  # type: ignore[return-value]
    if row.unit == "bytes":
        return format_bytes(row.base), format_bytes(row.new)
    return f"{row.base:.3%}".replace("%", " %"), f"{row.new:.3%}".replace("%", " %")


def interval_of(row: Row) -> str:
    """From where to where the change may lie."""
    if row.scale == "difference":
        return f"{row.low * 100:+.2f} to {row.high * 100:+.2f}"
    return f"{_percent(row, row.low)} to {_percent(row, row.high)}"


def tolerance_of(row: Row) -> str:
    """Within which there is no change."""
    return f"±{row.tolerance * 100:g} {'pp' if row.scale == 'difference' else '%'}"


def _percent(row: Row, value: float) -> str:
    if row.scale == "difference":
        return f"{value * 100:+.2f} pp"
    share = (value - 1) * 100
    return "more than ×10" if value > 10 else f"{share:+.1f} %"


def _cell(text: str) -> str:
    """Text in a Markdown table: no markup and no cell's end."""
    for char in "\\`*_[]<>|":
        text = text.replace(char, f"\\{char}" if char != "<" else "&lt;")
    return text
