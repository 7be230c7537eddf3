"""The summary as a person sees it, compared as a whole."""

import io
from textwrap import dedent
from typing import Any

import pytest

from report.summaries import failure, summary
from wsload.report.terminal import PIPED_WIDTH, print_summary, render
from wsload.results import Summary


def lines(shown: Summary, width: int = 120) -> list[str]:
    return [line.plain for line in render(shown, width)]


def text(shown: Summary, width: int = 120) -> str:
    return "\n".join(lines(shown, width)) + "\n"


def test_a_clean_open_run() -> None:
    assert text(summary()) == dedent("""\
        wsload 0.1.0 · ws://127.0.0.1:9000/ · 1,000 connections · 20,000 msg/s open, constant · 30 s · seed 7f3a
          32 bytes of text · grain 250 µs · connect time-out 10 s, reply 10 s · 2 workers
          connect     1,000 of 1,000   p50 300 µs         p99 1.90 ms
          messages    600,000 due      600,000 sent       600,000 answered   0 unanswered
          rate        20,000/s asked   20,000/s reached   760 kB/s out       680 kB/s in
                              p50      p90      p99    p99.9      max
          response time   52.0 µs  88.0 µs   210 µs  1.10 ms  3.00 ms  from the intended send
          service time    51.0 µs  86.0 µs   190 µs  0.90 ms  2.80 ms  from the actual send
          send lag        4.00 µs  9.00 µs  20.0 µs  0.08 ms  0.30 ms  behind the schedule
          saved       echo-20261123-101502.wsload       wsload report FILE
        """)


def test_the_same_at_80_columns() -> None:
    shown = text(summary(), 80)
    assert shown == dedent("""\
        wsload 0.1.0 · ws://127.0.0.1:9000/ · 1,000 connections
          20,000 msg/s open, constant · 30 s · seed 7f3a
          32 bytes of text · grain 250 µs · connect time-out 10 s, reply 10 s
          2 workers
          connect     1,000 of 1,000  p50 300 µs        p99 1.90 ms
          messages    600,000 due     600,000 sent      600,000 answered  0 unanswered
          rate        20,000/s asked  20,000/s reached  760 kB/s out      680 kB/s in
                             p50     p90     p99   p99.9     max
          response time  52.0 µs 88.0 µs  210 µs 1.10 ms 3.00 ms  from the intended send
          service time   51.0 µs 86.0 µs  190 µs 0.90 ms 2.80 ms  from the actual send
          send lag       4.00 µs 9.00 µs 20.0 µs 0.08 ms 0.30 ms  behind the schedule
          saved       echo-20261123-101502.wsload       wsload report FILE
        """)


CLOSED: dict[str, Any] = {
    "load": {"model": "closed", "in_flight": 16},
    "rate": {"asked_per_s": None, "reached_per_s": 65_432.1},
}


def test_a_closed_loop_speaks_of_no_schedule() -> None:
    shown = text(summary(**CLOSED, duration_asked_ns=None, iterations_asked=6000))
    assert shown == dedent("""\
        wsload 0.1.0 · ws://127.0.0.1:9000/ · 1,000 connections · closed loop, 16 in flight · 6,000 messages · seed 7f3a
          32 bytes of text · connect time-out 10 s, reply 10 s · 2 workers
          connect     1,000 of 1,000   p50 300 µs         p99 1.90 ms
          messages    600,000 sent     600,000 answered   0 unanswered
          rate        65,432/s sent    760 kB/s out       680 kB/s in
                              p50      p90      p99    p99.9      max
          response time   52.0 µs  88.0 µs   210 µs  1.10 ms  3.00 ms  from when it was due
          service time    51.0 µs  86.0 µs   190 µs  0.90 ms  2.80 ms  from the actual send
          saved       echo-20261123-101502.wsload       wsload report FILE
        """)


NOTHING_SENT: dict[str, Any] = {
    "messages": {"due": 0, "sent": 0, "answered": 0, "received": 0},
    "rate": {"asked_per_s": None, "reached_per_s": 0, "bytes_out_per_s": 0, "bytes_in_per_s": 0, "received_per_s": 0},
    "response_time": None,
    "service_time": None,
    "send_lag": None,
    "receive_lag": None,
}


def test_an_idle_run_prints_nothing_that_was_not_measured() -> None:
    idle = {**NOTHING_SENT, "load": {"model": "idle"}, "message_kind": None, "message_bytes": None}
    assert text(summary(**idle)) == dedent("""\
        wsload 0.1.0 · ws://127.0.0.1:9000/ · 1,000 connections · idle · 30 s · seed 7f3a
          connect time-out 10 s · 2 workers
          connect     1,000 of 1,000   p50 300 µs   p99 1.90 ms
          saved       echo-20261123-101502.wsload       wsload report FILE
        """)


def test_an_idle_run_that_was_pushed_to_counts_that() -> None:
    idle = {**NOTHING_SENT, "load": {"model": "idle"}, "message_kind": None, "message_bytes": None}
    idle["messages"] = {**NOTHING_SENT["messages"], "received": 300, "pushes": 300}
    idle["rate"] = {**NOTHING_SENT["rate"], "received_per_s": 10.02, "bytes_in_per_s": 340}
    assert lines(summary(**idle))[3:5] == [
        "  messages    300 received",
        "  rate        10/s received    340 B/s in",
    ]


def test_no_reply_awaited_no_latency_but_the_send_lag() -> None:
    changes = {"matching": "none", "response_time": None, "service_time": None, "receive_lag": None}
    shown = summary(**changes, messages={"answered": 0, "pushes": 600_000})
    assert lines(shown)[1:] == [
        "  32 bytes of text · grain 250 µs · connect time-out 10 s · 2 workers",
        "  connect     1,000 of 1,000   p50 300 µs         p99 1.90 ms",
        "  messages    600,000 due      600,000 sent       600,000 received",
        "  rate        20,000/s asked   20,000/s reached   760 kB/s out       680 kB/s in",
        "                      p50      p90      p99    p99.9      max",
        "  send lag        4.00 µs  9.00 µs  20.0 µs  80.0 µs   300 µs  behind the schedule",
        "  saved       echo-20261123-101502.wsload       wsload report FILE",
    ]


def test_failures_stand_above_the_latencies_with_count_first_seen_example_and_remedy() -> None:
    failures = [
        failure("unanswered", "connection ended", 16, 12_340_000_000, "the connection ended before the reply came"),
        failure("unexpected_close", "1006", 12, 12_340_000_000, "the server ended TCP without a Close frame"),
        failure("refused", "", 1200, -5_000_000, "127.0.0.1:9000: Connection refused"),
    ]
    shown = text(summary(failures=failures, connections={"opened": 990, "attempts_failed": 1200, "lost": 12}), 92)
    assert shown == dedent("""\
        wsload 0.1.0 · ws://127.0.0.1:9000/ · 1,000 connections · 20,000 msg/s open, constant · 30 s
          seed 7f3a
          32 bytes of text · grain 250 µs · connect time-out 10 s, reply 10 s · 2 workers
          connect     990 of 1,000     p50 300 µs         p99 1.90 ms        1,200 failed   12 lost
          messages    600,000 due      600,000 sent       600,000 answered   0 unanswered
          rate        20,000/s asked   20,000/s reached   760 kB/s out       680 kB/s in
          failures    12 × connection closed by the server (1006), first at 12.3 s
                        the server ended TCP without a Close frame
                      → It ended TCP without a Close frame, as a crash or a proxy does: see its log.
                      1,200 × connection refused, first while connecting
                        127.0.0.1:9000: Connection refused
                      → Nothing listens there: start the server, or check host and port in the URL.
                      16 × no reply (connection ended), first at 12.3 s
                        the connection ended before the reply came
                      → These replies were lost with their connections.
                              p50      p90      p99    p99.9      max
          response time   52.0 µs  88.0 µs   210 µs  1.10 ms  3.00 ms  from the intended send
          service time    51.0 µs  86.0 µs   190 µs  0.90 ms  2.80 ms  from the actual send
          send lag        4.00 µs  9.00 µs  20.0 µs  0.08 ms  0.30 ms  behind the schedule
          saved       echo-20261123-101502.wsload       wsload report FILE
        """)


def test_a_shared_remedy_is_said_once_and_the_ninth_kind_is_counted() -> None:
    failures = [failure("protocol_error", f"rule {number}", 100 - number) for number in range(10)]
    shown = lines(summary(failures=failures))
    assert sum("RFC 6455 section 5" in line for line in shown) == 1
    assert sum("protocol broken by the server" in line for line in shown) == 8
    # 92 and 91 are left.
    assert "              and 183 more of 2 other kinds: --format json has them all" in shown


def test_an_example_cannot_move_the_cursor_or_flood_the_screen() -> None:
    example = "bell\a esc\x1b[31m \u202e rtl " + "word " * 200
    shown = text(summary(failures=[failure("upgrade_rejected", "5\x1b[0m", example=example)]), 80)
    assert "\a" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "bell\\u{7} esc\\u{1b}[31m \\u{202e} rtl word" in shown
    assert "upgrade rejected (5\\u{1b}[0m)" in shown
    assert shown.count("word") < 50


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"outcome": "unfinished", "finished": False},
            "  unfinished  this run has not ended: it is still going on, or was killed; this is what its file holds",
        ),
        (
            {"outcome": "interrupted", "outcome_reason": "stopped by SIGINT", "duration_ns": 12_345_678_901},
            "  interrupted stopped by SIGINT after 12.3 s",
        ),
        (
            {"outcome": "failed", "outcome_reason": "every worker was lost"},
            "  failed      every worker was lost",
        ),
    ],
)
def test_a_run_that_did_not_come_to_its_end_says_so_at_once(changes: dict[str, Any], line: str) -> None:
    assert lines(summary(**changes))[2] == line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"build_profile": "debug"}, "wsload 0.1.0 (debug build: its figures mean nothing) · ws://"),
        ({"labels": {"env": "prod", "b": "x\ty"}}, "2 workers · env=prod · b=x\\u{9}y\n"),
        ({"connections": {"reconnects": 3, "matching_lost": 2}}, "2 matching lost   3 reopened"),
        ({"messages": {"unsent": 7}}, "0 unanswered   7 unsent"),
        ({"messages": {"pushes": 5}}, "0 unanswered   5 pushed by the server"),
        ({"generator": {"stamps_missing": 4}}, "  note        4 reads had no kernel time stamp"),
        ({"generator": {"negative_latencies": 1}}, "  note        1 latencies came out negative"),
        ({"generator": {"clock_steps": 2}}, "  note        2 times a worker saw the realtime clock being set"),
        ({"generator": {"clamped_latencies": 1}}, "  note        1 latencies were above an hour"),
        (
            {"notes": [{"at_ns": 1, "kind": "worker_lost", "text": "worker 1 of 2 was lost\x07"}]},
            "  note        worker 1 of 2 was lost\\u{7}\n",
        ),
        (
            {
                "warmup_ns": 2 * 10**9,
                "warmup": {"sent": 40_000, "answered": 39_999, "unanswered": 1, "response_time": None},
            },
            "  warm-up     40,000 sent      39,999 answered    kept apart\n",
        ),
    ],
)
def test_what_is_said_only_when_there_is_something_to_say(changes: dict[str, Any], words: str) -> None:
    assert words in text(summary(**changes))
    assert words not in text(summary())


def test_without_a_file_nothing_claims_to_be_saved() -> None:
    assert "saved" not in text(summary(file=None))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    failures = [failure("unanswered", "reply time-out", 16, 10**9, "no reply within the reply time-out " * 5)]
    shown = summary(failures=failures, labels={f"key{number}": "value" for number in range(12)})
    assert max(map(len, lines(shown, width))) <= width


def test_printed_to_a_pipe_it_has_no_escapes_and_one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    out = io.StringIO()
    print_summary(summary(), out)
    assert out.getvalue() == text(summary(), PIPED_WIDTH)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "red"), [(None, True), ("1", False)])
def test_colour_is_for_terminals_and_not_with_no_color(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, red: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    out = Terminal()
    print_summary(summary(failures=[failure("refused")]), out)
    assert ("\x1b[31m" in out.getvalue()) is red


def test_thresholds_are_a_table() -> None:
    results: list[dict[str, Any]] = [
        {"name": text.split()[0], "text": text, "passed": passed, "observed": observed, "unit": unit}
        for text, passed, observed, unit in (
            ("response.p99 < 50ms", True, 1_100_000, "ns"),
            ("unanswered.rate < 0.1%", True, 0.0004, "share"),
            ("rate >= 19.5k/s", False, 18_234.567, "per_s"),
            ("unanswered == 0", False, 12_345, "count"),
        )
    ]
    results += [
        {
            "name": "response[say].p99.9",
            "text": "response[say].p99.9 < 200ms abort after 10s",
            "passed": False,
            "observed": 5 * 10**8,
            "unit": "ns",
            "at_least": True,
            "reason": "3 replies never came",
        },
        {
            "name": "response[\x1b].p99",
            "text": "response[\x1b].p99 < 1s",
            "passed": False,
            "observed": None,
            "unit": "ns",
            "reason": "no message is called \x1b, there is say",
        },
    ]
    shown = [line for line in lines(summary(thresholds=results)) if "passed" in line or "FAILED" in line]
    assert "\n".join(shown) + "\n" == dedent("""\
        |  thresholds  passed  response.p99 < 50ms                           1.10 ms
        |              passed  unanswered.rate < 0.1%                        0.04 %
        |              FAILED  rate >= 19.5k/s                               18,235/s
        |              FAILED  unanswered == 0                               12,345
        |              FAILED  response[say].p99.9 < 200ms abort after 10s   ≥500 ms, 3 replies never came
        |              FAILED  response[\\u{1b}].p99 < 1s                     no message is called \\u{1b}, there is say
        """).replace("|", "")
    narrow = text(summary(thresholds=results[4:5]), 60)
    assert (
        dedent("""\
        |  thresholds  FAILED  response[say].p99.9 < 200ms abort
        |                      after 10s   ≥500 ms, 3 replies never
        |                      came
        """).replace("|", "")
        in narrow
    )
