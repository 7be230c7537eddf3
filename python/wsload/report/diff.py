"""What came back differently, as text: the paths that changed, then message by message with both sides."""

from collections.abc import Iterator

from wsload.report.text import printable, shortened
from wsload.report.timeline import Row, gist
from wsload.timeline.diff import Change, Diff, Difference
from wsload.units import format_count

MAX_LISTED = 50
MAX_VALUE = 100


def lines(diff: Diff) -> Iterator[Row]:
    """The differences, the frequent ones first."""
    paths = ", ".join(printable(path) for path in diff.masked)
    masked = f"; left out, because they vary: {paths}" if paths else ""
    count = len(diff.differences)
    if not count:
        yield _row(f"no differences in {format_count(diff.compared)} messages{masked}", "green")
        return
    yield _row(f"{format_count(count)} of {format_count(diff.compared)} messages differ{masked}", "bold")
    for path, times in diff.by_path().items():
        yield _row(f"  {format_count(times):>6} × {printable(path)}", "")
    for one in diff.differences[:MAX_LISTED]:
        yield from _one(one)
    if count > MAX_LISTED:
        yield _row(f"  … {format_count(count - MAX_LISTED)} more", "dim")


def _one(one: Difference) -> Iterator[Row]:
    where = f"connection {one.connection}, message {one.place}"
    yield _row(f"  {one.kind:9} {where}", "yellow")
    for change in one.changes:
        yield _row(f"    {_said(change)}", "")
    if not one.changes:
        for sign, event in (("-", one.before), ("+", one.after)):
            if event is not None:
                yield _row(f"    {sign} {shortened(gist(event), MAX_VALUE)}", "")


def _said(change: Change) -> str:
    return f"{printable(change.path)}: {_value(change.before)} → {_value(change.after)}"


def _value(value: str | None) -> str:
    return "(absent)" if value is None else shortened(printable(value), MAX_VALUE)


def _row(text: str, style: str) -> Row:
    return Row(((text, style),))
