"""What became of one connection that went through a scenario: expectations beside what came instead."""

from wsload.report.text import printable, shortened
from wsload.results import Summary
from wsload.units import format_latency

MAX_SHOWN = 2000


def once_passed(summary: Summary) -> bool:
    """Whether everything was as expected."""
    unanswered = summary.messages.unanswered + (summary.asides.unanswered if summary.asides else 0)
    failed = summary.iterations.failed if summary.iterations else 0
    return not summary.failures and not unanswered and not failed


def once_text(summary: Summary) -> str:
    """The outcome in lines, each safe to print."""
    lines = []
    opened = summary.connections.opened
    lines.append(f"{'pass' if opened else 'FAIL'}  connect{_time(summary.connect.p50) if summary.connect else ''}")
    lines += [
        f"pass  {one.name}: answered{_time(one.response_time.p50)}"
        for one in summary.names
        if one.response_time and one.response_time.count
    ]
    for failure in summary.failures:
        lines.append(f"FAIL  {failure.kind.replace('_', ' ')}: {failure.detail}".removesuffix(": "))
        if failure.example:
            lines.append(f"      {shortened(failure.example, MAX_SHOWN)}")
    asides = summary.asides.unanswered if summary.asides else 0
    if missing := summary.messages.unanswered + asides:
        lines.append(f"FAIL  {missing} unanswered")
    if summary.iterations and summary.iterations.time:
        word = "FAIL" if summary.iterations.failed else "pass"
        lines.append(f"{word}  the iteration{_time(summary.iterations.time.p50)}")
    return "\n".join(printable(line) for line in lines)


def _time(ns: float) -> str:
    return f" in {format_latency(ns)}"
