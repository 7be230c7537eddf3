"""The summary on a terminal: what was asked, what became of it, failures, latencies, the file."""

import sys
from itertools import groupby
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from wsload.report.remedies import remedy, title
from wsload.report.text import flow, grid, latency_column, printable, printable_lines, shortened
from wsload.report.watched import watched_words
from wsload.results import Stats, Summary
from wsload.results.summary import FailureSummary, Recovery
from wsload.results.thresholds import ThresholdResult
from wsload.results.verdict import Verdict
from wsload.scenario import Think
from wsload.units import format_bytes, format_count, format_duration, format_latency, format_rate, format_share

LABEL_WIDTH = 12
MAX_NAMES = 12
"""Message names in the table; --format json has them all."""
MARGIN = 2 + LABEL_WIDTH
PIPED_WIDTH = 110
MIN_WIDTH = 60
MAX_FAILURES = 8
MAX_EXAMPLE = 240
MAX_TRACEBACK_LINES = 12
MAX_THRESHOLD = 48
PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")


def print_summary(summary: Summary, file: IO[str] | None = None) -> None:
    """Prints a summary; in colour only on a terminal, and not with NO_COLOR."""
    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)
    width = max(console.width, MIN_WIDTH) if console.is_terminal else PIPED_WIDTH
    for line in render(summary, width):
        console.print(line)


def render(summary: Summary, width: int) -> list[Text]:
    """The summary, line by line. Nothing is printed that was not measured."""
    lines = _head(summary, width)
    lines += _state(summary)
    lines += _security(summary, width)
    lines += _figures(summary, width)
    lines += _agreed(summary, width)
    lines += _failures(summary, width)
    lines += _latencies(summary, width)
    lines += _thresholds(summary, width)
    lines += _verdict(summary, width)
    lines += _doubts(summary, width)
    lines += _watched(summary, width)
    if summary.file:
        lines += _lines("saved", flow([printable(summary.file), "wsload report FILE"], width - MARGIN, " " * 7, 0))
    return lines


def _head(summary: Summary, width: int) -> list[Text]:
    debug = " (debug build: its figures mean nothing)" if summary.build_profile != "release" else ""
    asked = summary.connections.asked
    parts = [
        f"wsload {summary.wsload_version}{debug}",
        printable(summary.target),
        f"{format_count(asked)} connection{'s' if asked != 1 else ''}",
        load_words(summary),
    ]
    if summary.iterations_asked is not None:
        count = summary.iterations_asked
        parts.append(f"{format_count(count)} message{'s' if count != 1 else ''}")
    if summary.duration_asked_ns is not None:
        parts.append(format_duration(summary.duration_asked_ns))
    parts.append(f"seed {summary.seed}")
    lines = [Text(line, style="bold") for line in flow(parts, width, " · ", 2)]
    return lines + [Text(line, style="dim") for line in flow(_terms(summary), width, " · ", 2)]


def load_words(summary: Summary) -> str:
    """The load that was asked for, in words."""
    load = summary.load
    if load.model == "open":
        if load.stages:
            stages = [f"{format_duration(one.duration_ns)} to {format_rate(one.target_per_s)}" for one in load.stages]
            return f"{', '.join(stages)}, open, {load.arrivals}"
        return f"{format_rate(load.rate_per_s).removesuffix('/s')} msg/s open, {load.arrivals}"
    if load.model == "closed":
        return f"closed loop, {_think(load.think) if load.think else f'{format_count(load.in_flight)} in flight'}"
    if load.model == "replay":
        pace = f"{load.speed:g} times as fast" if load.speed else "as fast as it goes"
        return f"a recording, {'as it was' if load.speed == 1 else pace}{', replies awaited' * load.wait_replies}"
    return "idle" if load.model == "idle" else "sends back what it receives"


def _think(think: Think) -> str:
    if think.law == "fixed":
        return f"thinks {format_duration(think.span_ns)}"
    if think.law == "uniform":
        return f"thinks {format_duration(think.low_ns)} to {format_duration(think.high_ns)}"
    return f"thinks {format_duration(think.mean_ns)} on average"


def _terms(summary: Summary) -> list[str]:
    """What else was asked for, or holds by default."""
    parts = []
    if summary.message_bytes is not None:
        parts.append(f"{format_count(summary.message_bytes)} bytes of {summary.message_kind}")
    elif summary.message_kind is not None:
        parts.append(f"{summary.message_kind} of a template")
    if summary.connected_to:
        parts.append(f"connected to {printable(summary.connected_to)}")
    if summary.proxy:
        parts.append(f"through proxy {printable(summary.proxy)}")
    if summary.warmup_ns:
        parts.append(f"warm-up {format_duration(summary.warmup_ns)}")
    if summary.load.keeps_times:
        parts.append(f"grain {format_duration(summary.grain_ns)}")
    timeouts = f"connect time-out {format_duration(summary.connect_timeout_ns)}"
    if summary.matching not in {"order", "none"}:
        parts.append(f"matched by {printable(summary.matching)}")
    if summary.matching != "none" and summary.message_kind is not None:
        timeouts += f", reply {format_duration(summary.reply_timeout_ns)}"
    parts.append(timeouts)
    workers = summary.generator.workers
    parts.append(f"{workers} worker{'s' if workers != 1 else ''}")
    parts += [f"{printable(key)}={printable(value)}" for key, value in summary.labels.items()]
    return [f"  {parts[0]}", *parts[1:]]


def _state(summary: Summary) -> list[Text]:
    if summary.outcome == "completed":
        return []
    reason = printable(summary.outcome_reason)
    said = {
        "unfinished": "this run has not ended: it is still going on, or was killed; this is what its file holds",
        "interrupted": f"{reason} after {format_duration(_rounded(summary.duration_ns))}",
        "failed": reason,
    }
    return _lines(summary.outcome, [said[summary.outcome]], "bold yellow")


def _watched(summary: Summary, width: int) -> list[Text]:
    """The target's memory and the like, and the generator's beside it, so that its faults are not the server's."""
    if not summary.watching:
        return []
    words = [printable(text) for text in summary.watching]
    lines = _lines("watched", flow([*words, *watched_words(summary.watched, "target")], width - MARGIN, " · ", 2))
    own = watched_words(summary.watched, "generator")
    return lines + (_lines("generator", flow(own, width - MARGIN, " · ", 2)) if own else [])


def _security(summary: Summary, width: int) -> list[Text]:
    if summary.tls is None or summary.tls.verified:
        return []
    text = "certificates were not checked (--insecure): anyone may have answered"
    return _lines("insecure", flow(text.split(), width - MARGIN, " ", 0), "bold red")


def _agreed(summary: Summary, width: int) -> list[Text]:
    """What was agreed on with the server, with counts where connections differ."""
    parts = []
    # From the outside in: tls, then what it carries.
    outside_in = sorted(summary.negotiated, key=lambda one: (not one.aspect.startswith("tls"), one.aspect))
    for aspect, found in groupby(outside_in, key=lambda agreement: agreement.aspect):
        values = list(found)
        if aspect == "certificate" and len(values) == 1:
            continue
        for agreement in values:
            value = printable(agreement.value)
            text = {
                "tls_handshake": f"{value} handshakes",
                "certificate": f"certificate SHA-256 {value[:16]}…",
                "subprotocol": f"subprotocol {value}",
                "compression": "no compression" if value == "none" else value,
            }.get(aspect, value)
            parts.append(f"{format_count(agreement.count)} × {text}" if len(values) > 1 else text)
    if compression := summary.compression:
        for plain, wire, way in (
            (compression.sent_bytes, compression.sent_compressed_bytes, "sent"),
            (compression.received_bytes, compression.received_compressed_bytes, "received"),
        ):
            if plain:
                parts.append(f"{way} {format_bytes(plain)} as {format_bytes(wire)}")
    lines = _lines("agreed", flow(parts, width - MARGIN, " · ", 0)) if parts else []
    if summary.pings:
        pings = [f"{format_count(summary.pings.sent)} sent", f"{format_count(summary.pings.answered)} answered"]
        if time := summary.ping_time:
            pings += [f"{name} {format_latency(value)}" for name, value in (("p50", time.p50), ("p99", time.p99))]
        lines += _lines("pings", flow(pings, width - MARGIN, "   ", 0))
    if summary.recovery:
        lines += _lines("recovered", flow(_recovery(summary, summary.recovery), width - MARGIN, "   ", 0))
    return lines


def _recovery(summary: Summary, recovery: Recovery) -> list[str]:
    """Of connections that were lost: how many came back, how long it took, what it cost."""
    cells = [f"{format_count(recovery.recovered)} of {format_count(recovery.lost)} lost"]
    if time := summary.recover_time:
        values = (("p50", time.p50), ("p99", time.p99), ("max", time.max))
        cells += [f"{name} {format_latency(value)}" for name, value in values]
    if recovery.attempts:
        cells.append(f"{format_count(recovery.attempts)} attempt{'s' if recovery.attempts > 1 else ''}")
    if recovery.messages_lost:
        cells.append(f"{format_count(recovery.messages_lost)} replies lost with them")
    return cells


def _figures(summary: Summary, width: int) -> list[Text]:
    rows = {
        "connect": _connect(summary),
        "messages": _messages(summary),
        "iterations": _iterations(summary),
        "beside": _asides(summary),
        "fan-out": _fan_out(summary),
        "warm-up": _warmup(summary),
        "rate": _rate(summary),
    }
    present = {label: cells for label, cells in rows.items() if cells}
    lines = []
    for label, row in zip(present, grid(list(present.values()), width - MARGIN), strict=True):
        short = label == "connect" and summary.connections.opened < summary.connections.asked
        lines += _lines(label, row, "red" if short else "")
    return lines


def _connect(summary: Summary) -> list[str]:
    connections = summary.connections
    cells = [f"{format_count(connections.opened)} of {format_count(connections.asked)}"]
    if summary.connect:
        cells += [f"p50 {format_latency(summary.connect.p50)}", f"p99 {format_latency(summary.connect.p99)}"]
    for count, words in (
        (connections.attempts_failed, "failed"),
        (connections.expired, "expired"),
        (connections.closed, "closed by a step"),
        (connections.lost, "lost"),
        (connections.matching_lost, "matching lost"),
        (connections.reconnects, "reopened"),
    ):
        if count:
            cells.append(f"{format_count(count)} {words}")
    return cells


def _messages(summary: Summary) -> list[str]:
    messages = summary.messages
    cells = []
    if summary.load.keeps_times:
        cells.append(f"{format_count(messages.due)} due")
    if summary.load.model != "idle" and (messages.due or messages.sent):
        cells.append(f"{format_count(messages.sent)} sent")
        if summary.fan_out:
            cells += [f"{format_count(messages.answered)} reached all"]
        elif summary.matching != "none":
            cells += [f"{format_count(messages.answered)} answered", f"{format_count(messages.unanswered)} unanswered"]
    if messages.unsent:
        cells.append(f"{format_count(messages.unsent)} unsent")
    for count, word in (
        (messages.late, "late"),
        (messages.duplicates, "duplicate"),
        (messages.forwarded, "of other connections"),
        (messages.key_clashes, "with a key in use"),
    ):
        if count:
            cells.append(f"{format_count(count)} {word}")
    if messages.pushes:
        # Beside replies they need their name; where no reply is awaited, everything received is a push.
        pushed = "pushed by the server" if messages.answered else "received"
        cells.append(f"{format_count(messages.pushes)} {pushed}")
    return cells


def _iterations(summary: Summary) -> list[str]:
    iterations = summary.iterations
    if iterations is None:
        return []
    cells = [f"{format_count(iterations.ended)} ended", f"{format_count(iterations.failed)} failed"]
    if iterations.time:
        cells += [f"p50 {format_latency(iterations.time.p50)}", f"p99 {format_latency(iterations.time.p99)}"]
    return cells


def _asides(summary: Summary) -> list[str]:
    asides = summary.asides
    if asides is None or not asides.sent:
        return []
    cells = [f"{format_count(asides.sent)} sent", f"{format_count(asides.answered)} answered"]
    if asides.unanswered:
        cells.append(f"{format_count(asides.unanswered)} unanswered")
    return cells


def _fan_out(summary: Summary) -> list[str]:
    fan_out = summary.fan_out
    if fan_out is None or not fan_out.expected:
        return []
    share = fan_out.delivered / fan_out.expected
    # 99.996 % is not all.
    reach = "100 %" if share == 1 else f"{min(share, 0.9999):.2%}".replace("%", " %")
    cells = [f"{reach} reach", f"{format_count(fan_out.delivered)} of {format_count(fan_out.expected)} delivered"]
    for count, word in ((fan_out.duplicates, "duplicate"), (fan_out.reordered, "reordered")):
        if count:
            cells.append(f"{format_count(count)} {word}")
    return cells


def _warmup(summary: Summary) -> list[str]:
    warmup = summary.warmup
    if warmup is None or not warmup.sent:
        return []
    cells = [f"{format_count(warmup.sent)} sent"]
    if summary.matching != "none":
        cells.append(f"{format_count(warmup.answered)} answered")
    return [*cells, "kept apart"]


def _rate(summary: Summary) -> list[str]:
    rate, messages = summary.rate, summary.messages
    cells = []
    if rate.asked_per_s is not None and messages.due:
        cells.append(f"{format_rate(rate.asked_per_s)} asked")
    if messages.sent and summary.duration_ns:
        cells.append(f"{format_rate(_whole(rate.reached_per_s))} {'reached' if cells else 'sent'}")
        cells.append(f"{format_bytes(rate.bytes_out_per_s, True)} out")
    elif messages.received and summary.duration_ns:
        cells.append(f"{format_rate(_whole(rate.received_per_s))} received")
    if messages.received and summary.duration_ns:
        cells.append(f"{format_bytes(rate.bytes_in_per_s, True)} in")
    return cells


def _failures(summary: Summary, width: int) -> list[Text]:
    """Kind, count, first seen, one example and the remedy, said once for failures that share it."""
    lines: list[Text] = []
    # Lost replies come of lost connections: causes first.
    failures = sorted(summary.failures, key=lambda failure: failure.kind == "unanswered")
    shown = failures[:MAX_FAILURES]
    for advice, alike in groupby(shown, key=lambda failure: remedy(failure.kind, failure.detail)):
        for failure in alike:
            lines += _failure(failure, "" if lines else "failures", width)
        if advice:
            lines += _lines("", flow(advice.split(), width - MARGIN - 2, " ", 2), first="→ ")
    hidden = failures[MAX_FAILURES:]
    if hidden:
        count = format_count(sum(failure.count for failure in hidden))
        lines += _lines("", [f"and {count} more of {len(hidden)} other kinds: --format json has them all"])
    return lines


def _failure(failure: FailureSummary, label: str, width: int) -> list[Text]:
    what = f"{format_count(failure.count)} × {title(failure.kind, printable(failure.detail))}"
    when = f"first at {failure.first_ns / 1e9:.1f} s" if failure.first_ns >= 0 else "first while connecting"
    lines = _lines(label, [f"{what}, {when}"], "red")
    if failure.kind == "script_failed":
        told = printable_lines(failure.example).splitlines()[-MAX_TRACEBACK_LINES:]
        return lines + _lines("", [shortened(line, width - MARGIN - 2) for line in told], indent=2)
    example = shortened(printable(failure.example), MAX_EXAMPLE)
    return lines + (_lines("", flow(example.split(), width - MARGIN - 2, " ", 0), indent=2) if example else [])


def _latencies(summary: Summary, width: int) -> list[Text]:
    rows: list[tuple[str, Stats, str]] = []
    if summary.response_time and summary.service_time:
        scheduled = summary.load.keeps_times
        intended = "from the intended send" if scheduled else "from when it was due"
        rows.append(("response time", summary.response_time, intended))
        rows.append(("service time", summary.service_time, "from the actual send"))
    for one in summary.names[:MAX_NAMES]:
        if one.response_time:
            label = shortened(printable(one.name), LABEL_WIDTH - 1)
            rows.append((f" {label}", one.response_time, "response time" if one.in_total else "beside the iterations"))
    for label, stats, what in (
        ("first has it", summary.fan_out_first, "from the intended send"),
        ("each has it", summary.fan_out_each, "from the intended send"),
        ("last has it", summary.fan_out_last, "of messages that reached all"),
    ):
        if stats:
            rows.append((label, stats, what))
    if summary.send_lag and summary.load.keeps_times:
        rows.append(("send lag", summary.send_lag, "behind the schedule"))
    if not rows:
        return []
    values = [stats.model_dump(by_alias=True) for _, stats, _ in rows]
    columns = [_column(values, name) for name in PERCENTILES]
    label_width = LABEL_WIDTH + 2
    room = (width - 2 - label_width - max(len(note) for _, _, note in rows) - 2) // len(PERCENTILES)
    cell = max(min(room, 9), *(len(text) + 1 for column in columns for text in column))
    lines = [Text(f"  {'':{label_width}}{''.join(name.rjust(cell) for name in PERCENTILES)}", style="dim")]
    for number, (label, _, note) in enumerate(rows):
        line = Text(f"  {label:{label_width}}{''.join(column[number].rjust(cell) for column in columns)}")
        if len(line) + 2 + len(note) <= width:
            line.append(f"  {note}", style="dim")
        lines.append(line)
    return lines


def _column(rows: list[dict[str, Any]], name: str) -> list[str]:
    """One percentile of every row; a lower bound is marked as one."""
    texts = latency_column([row[name] for row in rows])
    return [f"≥{text}" if name in row["at_least"] else text for row, text in zip(rows, texts, strict=True)]


def _thresholds(summary: Summary, width: int) -> list[Text]:
    """A row for each: whether it holds, what was asked, what was observed."""
    lines: list[Text] = []
    texts = [printable(result.text) for result in summary.thresholds]
    column = min(max(map(len, texts), default=0), MAX_THRESHOLD)
    for text, result in zip(texts, summary.thresholds, strict=True):
        state, seen = "passed" if result.passed else "FAILED", observed(result)
        row = f"{state}  {text:{column}}   {seen}"
        words = flow([f"{state} ", *text.split(), *f"  {seen}".split(" ")], width - MARGIN, " ", 8)
        for one in [row] if len(row) <= width - MARGIN else words:
            lines += _lines("" if lines else "thresholds", [one], "" if result.passed else "bold red")
    return lines


def observed(result: ThresholdResult) -> str:
    """`1.10 ms`, `≥500 ms, 3 replies never came`, or why nothing was."""
    parts = [printable(result.reason)] if result.reason else []
    if result.observed is not None:
        value = result.observed
        shown = {
            "ns": lambda: format_latency(value),
            "count": lambda: format_count(round(value)),
            "share": lambda: format_share(value),
            "per_s": lambda: format_rate(round(value) if value >= 100 else value),
        }[result.unit]()
        parts.insert(0, f"≥{shown}" if result.at_least else shown)
    return ", ".join(parts)


def _verdict(summary: Summary, width: int) -> list[Text]:
    """Reasons not to trust the figures, each with what to do about it; nothing when there is none."""
    lines: list[Text] = []
    for reason in summary.verdict.reasons:
        lines += _lines("" if lines else "suspect", flow(reason.text.split(), width - MARGIN, " ", 0), "bold yellow")
        lines += _lines("", flow(reason.remedy.split(), width - MARGIN - 2, " ", 2), first="→ ")
    if summary.verdict.trusted:
        lines += _suspect_intervals(summary.verdict, width)
    return lines


def _suspect_intervals(verdict: Verdict, width: int) -> list[Text]:
    text = suspect_words(verdict)
    return _lines("note", flow(text.split(), width - MARGIN, " ", 0), "yellow") if text else []


def suspect_words(verdict: Verdict) -> str:
    """A run may be trusted as a whole although some of its intervals by themselves are not."""
    if not verdict.suspect_intervals or verdict.first_suspect_ns is None:
        return ""
    kinds = ", ".join(f"{kind.replace('_', ' ')} in {format_count(n)}" for kind, n in verdict.suspect_kinds.items())
    return (
        f"{format_count(verdict.suspect_intervals)} of {format_count(verdict.intervals)} intervals are suspect by"
        f" themselves ({kinds}), the first at {format_duration(_rounded(verdict.first_suspect_ns))}; the whole is not"
    )


def _doubts(summary: Summary, width: int) -> list[Text]:
    """What the engine had to say, and whatever makes figures worth less than they look."""
    generator = summary.generator
    said = [printable(note.text) for note in summary.notes]
    for count, words in (
        (generator.stamps_missing, "reads had no kernel time stamp: their arrival is when they were read"),
        (generator.clock_steps, "times a worker saw the realtime clock being set; latencies do not depend on it"),
        (generator.negative_latencies, "latencies came out negative and count as 0: the clock stepped, or it is a bug"),
        (generator.clamped_latencies, "latencies were above an hour and count as one"),
    ):
        if count:
            said.append(f"{format_count(count)} {words}")
    lines: list[Text] = []
    for text in said:
        lines += _lines("note", flow(text.split(), width - MARGIN, " ", 0), "yellow")
    return lines


def _lines(label: str, texts: list[str], style: str = "", *, first: str = "", indent: int = 0) -> list[Text]:
    """Lines with the label before the first of them."""
    lines = []
    for number, text in enumerate(texts):
        head = f"  {'' if number else label:{LABEL_WIDTH}}{' ' * indent}{'' if number else first}"
        lines.append(Text(head).append(text, style=style))
    return lines


def _rounded(ns: int) -> int:
    """To a tenth of a second: more is noise in a time until Ctrl-C."""
    return round(ns, -8)


def _whole(per_second: float) -> float:
    """Without decimals from 10/s up: they are noise."""
    return round(per_second) if per_second >= 10 else per_second
