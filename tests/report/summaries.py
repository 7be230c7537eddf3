"""A summary made by hand: that of a clean run, with whatever a test changes."""

from typing import Any

from wsload.results import Summary


def stats(**values: int) -> dict[str, int]:
    """A distribution by the percentiles that are printed; the others are of no account."""
    named = {name.replace("_", "."): value for name, value in values.items()}
    rest = dict.fromkeys(("min", "mean", "p75", "p95", "p99.99"), 1)
    return {"count": 600_000, **rest, **named}


RESPONSE = stats(p50=52_000, p90=88_000, p99=210_000, p99_9=1_100_000, max=3_000_000)
SERVICE = stats(p50=51_000, p90=86_000, p99=190_000, p99_9=900_000, max=2_800_000)
SEND_LAG = stats(p50=4_000, p90=9_000, p99=20_000, p99_9=80_000, max=300_000)
CONNECT = stats(p50=300_000, p90=900_000, p99=1_900_000, p99_9=2_000_000, max=2_000_000)


def summary(**changes: Any) -> Summary:
    """The summary of 1,000 connections at 20,000 messages a second; sections are changed field by field."""
    document: dict[str, Any] = {
        "wsload_version": "0.1.0",
        "build_profile": "release",
        "file": "echo-20261123-101502.wsload",
        "finished": True,
        "outcome": "completed",
        "outcome_reason": "",
        "started_at": "2026-11-23T10:15:02Z",
        "target": "ws://127.0.0.1:9000/",
        "labels": {},
        "seed": "7f3a",
        "host": {
            "system": "Linux 6.18",
            "machine": "x86_64",
            "cpus": 2,
            "python": "3.11.7",
            "uvloop": "0.23.0",
            "congestion_control": "bbr",
        },
        "load": {"model": "open", "rate_per_s": 20_000.0, "arrivals": "constant"},
        "grain_ns": 250_000,
        "tls": None,
        "proxy": None,
        "connected_to": None,
        "matching": "order",
        "message_kind": "text",
        "message_bytes": 32,
        "connect_timeout_ns": 10**10,
        "reply_timeout_ns": 10**10,
        "warmup_ns": 0,
        "duration_asked_ns": 30 * 10**9,
        "iterations_asked": None,
        "duration_ns": 30 * 10**9,
        "connections": {
            "asked": 1000,
            "opened": 1000,
            "attempts_failed": 0,
            "reconnects": 0,
            "expired": 0,
            "lost": 0,
            "matching_lost": 0,
            "closed": 0,
        },
        "messages": {
            "due": 600_000,
            "sent": 600_000,
            "answered": 600_000,
            "unanswered": 0,
            "unsent": 0,
            "received": 600_000,
            "pushes": 0,
            "longest_silence_ns": 0,
            "late": 0,
            "duplicates": 0,
            "forwarded": 0,
            "key_clashes": 0,
        },
        "rate": {
            "asked_per_s": 20_000.0,
            "reached_per_s": 20_000.0,
            "answered_per_s": 20_000.0,
            "received_per_s": 20_000.0,
            "bytes_out_per_s": 760_000.0,
            "bytes_in_per_s": 680_000.0,
        },
        "response_time": RESPONSE,
        "service_time": SERVICE,
        "send_lag": SEND_LAG,
        "receive_lag": SEND_LAG,
        "connect": CONNECT,
        "connect_tcp": CONNECT,
        "connect_dns": None,
        "connect_tls": None,
        "connect_upgrade": CONNECT,
        "ping_time": None,
        "recover_time": None,
        "recovery": None,
        "fan_out_first": None,
        "fan_out_each": None,
        "fan_out_last": None,
        "push_gap": None,
        "thresholds": [],
        "verdict": {
            "trusted": True,
            "reasons": [],
            "intervals": 30,
            "suspect_intervals": 0,
            "suspect_kinds": {},
            "first_suspect_ns": None,
        },
        "iterations": None,
        "asides": None,
        "names": [],
        "negotiated": [],
        "compression": None,
        "pings": None,
        "fan_out": None,
        "failures": [],
        "close_codes": {},
        "warmup": None,
        "generator": {
            "workers": 2,
            "workers_lost": 0,
            "cpu_user_ns": 10**9,
            "cpu_system_ns": 10**10,
            "polls": 1000,
            "rss_bytes_max": 10**8,
            "back_pressure": 0,
            "stamps_missing": 0,
            "stamps_shared": 0,
            "negative_latencies": 0,
            "clamped_latencies": 0,
            "clock_steps": 0,
        },
        "watching": [],
        "watched": [],
        "notes": [],
    }
    for key, value in changes.items():
        merges = key in {"connections", "messages", "rate", "generator"}
        document[key] = {**document[key], **value} if merges else value
    return Summary.model_validate(document)


def failure(kind: str, detail: str = "", count: int = 1, first_ns: int = 10**9, example: str = "") -> dict[str, Any]:
    """Failures of one kind and detail."""
    return {"kind": kind, "detail": detail, "count": count, "first_ns": first_ns, "example": example}
