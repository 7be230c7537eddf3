"""Markdown for a GitHub step summary: `wsload report FILE --format markdown >> "$GITHUB_STEP_SUMMARY"`."""

import re
from collections.abc import Iterator

from wsload.report.export.rows import Thresholds
from wsload.report.remedies import remedy, title
from wsload.report.terminal import PERCENTILES, observed
from wsload.report.text import latency_column, printable, shortened
from wsload.results import RunFile, Stats, Summary, summarize
from wsload.units import format_bytes, format_count, format_duration, format_rate

MAX_FAILURES = 20
MAX_EXAMPLE = 200


def render(run: RunFile, thresholds: Thresholds = None) -> Iterator[str]:
    """The page of a run file."""
    yield page(summarize(run, thresholds))


def page(summary: Summary) -> str:
    """Verdict first, then what was asked, reached, how fast, and what failed."""
    parts = (_head, _thresholds, _figures, _latencies, _failures, _notes)
    return "\n\n".join(filter(None, (part(summary) for part in parts))) + "\n"


def escaped(text: str) -> str:
    """Text of a stranger in which nothing is markup, a mention or a line break."""
    return re.sub(r"[^\w ,.;/=%×·…'-]|_", lambda found: f"&#{ord(found[0])};", printable(text))


def _head(summary: Summary) -> str:
    broken = sum(not one.passed for one in summary.thresholds)
    ok = summary.outcome == "completed" and summary.verdict.trusted and not summary.failures and not broken
    trust = "trusted" if summary.verdict.trusted else "suspect"
    failed = sum(failure.count for failure in summary.failures)
    said = [
        summary.outcome if summary.finished else "unfinished",
        f"figures {trust}",
        f"{format_count(failed)} failure{'' if failed == 1 else 's'}",
    ]
    if summary.thresholds:
        kept = len(summary.thresholds) - broken
        said.append(f"{kept} of {len(summary.thresholds)} thresholds hold")
    lines = [f"## {'✅' if ok else '⚠️'} wsload {escaped(summary.target)}", "", f"**{' · '.join(said)}**"]
    for reason in summary.verdict.reasons:
        lines += ["", f"> Suspect: {escaped(reason.text)}. {escaped(reason.remedy)}"]
    return "\n".join(lines)


def _thresholds(summary: Summary) -> str:
    if not summary.thresholds:
        return ""
    rows = [
        f"| {'✅' if one.passed else '❌'} | {escaped(one.text)} | {escaped(observed(one))} |"
        for one in summary.thresholds
    ]
    return "\n".join(["| | threshold | observed |", "|---|---|---|", *rows])


def _figures(summary: Summary) -> str:
    connections, messages, rate = summary.connections, summary.messages, summary.rate
    rows = [
        ("connections", f"{format_count(connections.opened)} of {format_count(connections.asked)} opened"),
        ("measured", format_duration(round(summary.duration_ns, -8))),
    ]
    if messages.sent:
        told = [f"{format_count(messages.sent)} sent"]
        if summary.matching != "none" and not summary.fan_out:
            told += [f"{format_count(messages.answered)} answered", f"{format_count(messages.unanswered)} unanswered"]
        rows.append(("messages", ", ".join(told)))
        asked = "" if rate.asked_per_s is None else f" of {format_rate(rate.asked_per_s)} asked"
        sizes = f"{format_bytes(rate.bytes_out_per_s, True)} out, {format_bytes(rate.bytes_in_per_s, True)} in"
        rows.append(("rate", f"{format_rate(round(rate.reached_per_s))}{asked}, {sizes}"))
    elif messages.received:
        rows.append(("received", f"{format_count(messages.received)}, {format_rate(round(rate.received_per_s))}"))
    if summary.fan_out and summary.fan_out.reach is not None:
        rows.append(("reach", f"{summary.fan_out.reach:.2%}"))
    rows += [(escaped(key), escaped(value)) for key, value in summary.labels.items()]
    rows.append(("seed", summary.seed))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _latencies(summary: Summary) -> str:
    rows: list[tuple[str, Stats]] = [
        (label, stats)
        for label, stats in (
            ("response time", summary.response_time),
            ("service time", summary.service_time),
            ("first has it", summary.fan_out_first),
            ("each has it", summary.fan_out_each),
            ("last has it", summary.fan_out_last),
            ("connect", summary.connect),
            ("ping", summary.ping_time),
            ("time to recover", summary.recover_time),
            ("gap between pushes", summary.push_gap),
        )
        if stats
    ]
    if not rows:
        return ""
    lines = [f"| | {' | '.join(PERCENTILES)} |", f"|---|{'---:|' * len(PERCENTILES)}"]
    for label, stats in rows:
        values = stats.model_dump(by_alias=True)
        texts = latency_column([values[name] for name in PERCENTILES])
        bound = ["≥ " if name in stats.at_least else "" for name in PERCENTILES]
        lines.append(f"| {label} | {' | '.join(map(''.join, zip(bound, texts, strict=True)))} |")
    return "\n".join(lines)


def _failures(summary: Summary) -> str:
    if not summary.failures:
        return ""
    lines = ["### Failures", "", "| count | what | example | what to do |", "|---:|---|---|---|"]
    for one in summary.failures[:MAX_FAILURES]:
        cells = (
            format_count(one.count),
            escaped(title(one.kind, one.detail)),
            escaped(shortened(one.example, MAX_EXAMPLE)),
            escaped(remedy(one.kind, one.detail)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    hidden = summary.failures[MAX_FAILURES:]
    if hidden:
        count = format_count(sum(one.count for one in hidden))
        lines += ["", f"And {count} more of {len(hidden)} other kinds."]
    return "\n".join(lines)


def _notes(summary: Summary) -> str:
    return "\n".join(f"- {escaped(note.text)}" for note in summary.notes)
