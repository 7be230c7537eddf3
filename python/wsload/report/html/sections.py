"""What the page says in words and tables, ready for the templates."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from wsload.report.export.junit import threshold_cases, what_is_wrong
from wsload.report.html.charts import RUN_COLOURS, Run
from wsload.report.remedies import remedy, title
from wsload.report.terminal import PERCENTILES, load_words, suspect_words
from wsload.report.text import printable, printable_lines, shortened
from wsload.results import Distribution, Stats, Summary
from wsload.units import format_bytes, format_count, format_duration, format_latency, format_rate

MAX_EXAMPLE = 2_000
MAX_ROWS = 60
CLOSE_CODES = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no code in the Close",
    1006: "no Close at all",
    1007: "invalid payload",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension missing",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake",
}
FILTERS: dict[str, Callable[..., Any]] = {
    "safe_text": printable,
    "count": format_count,
    "latency": format_latency,
    "duration": lambda ns: format_duration(round(ns, -8)),
    "rate": lambda per_second: format_rate(round(per_second) if per_second >= 10 else per_second),
    "bytes": format_bytes,
    "pretty": lambda value: printable_lines(json.dumps(value, indent=2, ensure_ascii=False, default=str)),
}


def sections(runs: Sequence[Run], *, live: bool = False) -> dict[str, Any]:
    """All that the templates name, but the charts."""
    return {
        "title": "wsload " + (runs[0].record.summary.target if len(runs) == 1 else f"{len(runs)} runs"),
        "runs": [_run(run, number, live=live) for number, run in enumerate(runs)],
        "alone": len(runs) == 1,
        "percentiles": PERCENTILES,
    }


def _run(run: Run, number: int, *, live: bool) -> dict[str, Any]:
    summary, record = run.record.summary, run.record
    return {
        "name": run.name,
        "colour": RUN_COLOURS[number % len(RUN_COLOURS)],
        "summary": summary,
        "load": load_words(summary),
        "state": _state(summary, live=live),
        "suspect_words": suspect_words(summary.verdict) if summary.verdict.trusted else "",
        "tiles": _tiles(summary),
        "thresholds": threshold_cases(summary),
        "latencies": _latencies(summary),
        "messages": _by_message(run),
        "phases": _phases(summary),
        "failures": [
            {
                "count": one.count,
                "title": printable(title(one.kind, one.detail)),
                "first": f"{one.first_ns / 1e9:.1f} s" if one.first_ns >= 0 else "while connecting",
                "example": shortened(
                    printable_lines(one.example) if one.kind == "script_failed" else printable(one.example), MAX_EXAMPLE
                ),
                "remedy": remedy(one.kind, one.detail),
            }
            for one in summary.failures
        ],
        "close_codes": [(code, CLOSE_CODES.get(code, ""), count) for code, count in summary.close_codes.items()],
        "course": _course(run),
        "scenario": record.header.scenario,
        "environment": {
            "wsload": f"{summary.wsload_version} ({summary.build_profile})",
            "seed": summary.seed,
            "workers": summary.generator.workers,
            "started": summary.started_at.isoformat(),
            **record.header.host.model_dump(),
        },
    }


def _state(summary: Summary, *, live: bool) -> dict[str, str]:
    """The outcome in a word, how good that is, and what there is to say about it."""
    reason = printable(summary.outcome_reason)
    if summary.outcome == "unfinished" and live:
        return {"word": "running", "kind": "good", "text": ""}
    if summary.outcome == "unfinished":
        return {"word": "unfinished", "kind": "warn", "text": "The run is still going on, or was killed."}
    if summary.outcome != "completed":
        return {"word": summary.outcome, "kind": "bad", "text": reason}
    if wrong := what_is_wrong(summary):
        return {"word": "no result", "kind": "bad", "text": f"There is nothing to trust or not: {wrong}."}
    return {"word": "completed", "kind": "good", "text": reason}


def _tiles(summary: Summary) -> list[dict[str, str]]:
    """The figures that people look for first."""
    connections, messages, rate = summary.connections, summary.messages, summary.rate
    opened = f"{format_count(connections.opened)} of {format_count(connections.asked)}"
    tiles = [_tile("connections", opened, bad=connections.opened < connections.asked)]
    if messages.sent:
        asked = f"{format_rate(rate.asked_per_s)} asked" if rate.asked_per_s is not None else ""
        tiles.append(_tile("sent", FILTERS["rate"](rate.reached_per_s), asked))
    elif messages.received:
        tiles.append(_tile("received", FILTERS["rate"](rate.received_per_s)))
    if messages.sent and summary.matching != "none" and not summary.fan_out:
        # What is in flight has not failed yet.
        share = messages.answered / max(messages.answered + messages.unanswered, 1)
        tiles.append(_tile("answered", _share(share), format_count(messages.answered), bad=share < 1))
    if summary.fan_out and summary.fan_out.reach is not None:
        tiles.append(_tile("reach", _share(summary.fan_out.reach), bad=summary.fan_out.reach < 1))
    main = summary.response_time or summary.fan_out_each or summary.push_gap or summary.ping_time
    if main:
        values = main.model_dump(by_alias=True)
        tiles += [_tile(name, _bounded(main, name, values[name])) for name in ("p50", "p99", "max")]
    failed = sum(failure.count for failure in summary.failures)
    tiles.append(_tile("failures", format_count(failed), bad=failed > 0))
    return tiles


def _share(share: float) -> str:
    # 99.996 % is not all.
    return "100 %" if share == 1 else f"{min(share, 0.9999):.2%}".replace("%", " %")


def _tile(label: str, value: str, note: str = "", *, bad: bool = False) -> dict[str, str]:
    return {"label": label, "value": value, "note": note, "kind": "bad" if bad else ""}


def _bounded(stats: Stats, name: str, value_ns: int) -> str:
    return ("≥ " if name in stats.at_least else "") + format_latency(value_ns)


def _latencies(summary: Summary) -> list[dict[str, Any]]:
    named = (
        ("response time", "from when a message was due", summary.response_time),
        ("service time", "from when it was sent", summary.service_time),
        ("first subscriber has it", "from when it was due", summary.fan_out_first),
        ("each subscriber has it", "from when it was due", summary.fan_out_each),
        ("last subscriber has it", "of messages that reached all", summary.fan_out_last),
        ("gap between pushes", "per connection", summary.push_gap),
        ("iteration", "from when it was due to its last step", summary.iterations and summary.iterations.time),
        ("ping to pong", "", summary.ping_time),
        ("time to recover", "of a lost connection", summary.recover_time),
        ("send lag", "the generator's own", summary.send_lag),
        ("receive lag", "the generator's own", summary.receive_lag),
    )
    return [_latency(label, what, stats) for label, what, stats in named if stats]


def _phases(summary: Summary) -> list[dict[str, Any]]:
    named = (
        ("name lookup", summary.connect_dns),
        ("TCP", summary.connect_tcp),
        ("TLS", summary.connect_tls),
        ("upgrade", summary.connect_upgrade),
        ("all of it", summary.connect),
    )
    rows = [_latency(label, "", stats) for label, stats in named if stats]
    greatest = max((row["stats"].p99 for row in rows), default=1)
    for row in rows:
        row["share"] = round(100 * row["stats"].p99 / max(greatest, 1), 1)
    return rows


def _latency(label: str, what: str, stats: Stats) -> dict[str, Any]:
    values = stats.model_dump(by_alias=True)
    cells = [_bounded(stats, name, values[name]) for name in PERCENTILES]
    return {"label": label, "what": what, "stats": stats, "cells": cells, "count": stats.count + stats.censored}


def _by_message(run: Run) -> list[dict[str, Any]]:
    """Response times by message name; nothing when there is one name only."""
    series = run.record.series
    names = series.messages("response_time")
    if len(names) < 2:
        return []
    rows = []
    for name in names:
        found = series.measured("response_time", name)
        rows.append({"name": printable(name), "count": found.count, "cells": _cells(found)})
    return sorted(rows, key=lambda row: -row["count"])


def _cells(found: Distribution) -> list[str]:
    values = [*found.quantiles_ns([0.5, 0.9, 0.99, 0.999]), found.max_ns]
    return [format_latency(value) for value in values]


def _course(run: Run) -> list[dict[str, str]]:
    """The run over time as a table, for those who do not see charts, and for paper."""
    windows = [window for window in run.record.series.windows if window.end_ns > 0]
    step = max(-(-len(windows) // MAX_ROWS), 1)
    metric = next(
        (name for name in ("response_time", "fan_out_each", "push_gap") if run.record.series.measured(name).count), ""
    )
    rows = []
    for first in range(0, len(windows), step):
        group = windows[first : first + step]
        seconds = sum(window.seconds for window in group)
        latency = Distribution.sum(window.latency(metric) for window in group)
        p50, p99 = latency.quantiles_ns([0.5, 0.99])
        counts = [sum(window.counters[name] for window in group) for name in ("sent", "answered", "received")]
        rows.append(
            {
                "from": format_duration(round(max(group[0].start_ns, 0), -8)) or "0 s",
                "open": format_count(group[-1].gauges.get("open_connections", 0)),
                **{
                    name: FILTERS["rate"](count / seconds)
                    for name, count in zip(("sent", "answered", "received"), counts, strict=True)
                },
                "p50": format_latency(p50) if latency.count else "",
                "p99": format_latency(p99) if latency.count else "",
                "max": format_latency(latency.max_ns) if latency.count else "",
                "failures": format_count(sum(window.failures.total() for window in group)),
            }
        )
    return rows
