"""Counting what a tool's processes use, the truth about stalls, and the page."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.peers import __main__ as peers
from benchmarks.peers.render import render
from benchmarks.peers.runs import truth_ms
from benchmarks.peers.tool import Command
from benchmarks.peers.tools import TOOLS
from benchmarks.peers.tree import started

# The kernel counts in ticks of 10 ms: it is busy for several.
CHILD = """
import sys, time
while time.process_time() < 0.1: pass
print('ready', flush=True); sys.stdin.read()
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def test_children_in_sessions_of_their_own_are_counted_and_ended(tmp_path: Path) -> None:
    with started(Command([sys.executable, "-c", PARENT]), tmp_path, cpu=0) as running:
        while not running.said():
            assert not running.ended()
        child = Path(f"/proc/{running.said().strip()}")
        own = int((Path(f"/proc/{running.process.pid}") / "statm").read_text(encoding="ascii").split()[1])
        assert running.rss_bytes() > own * 4096
        assert running.cpu_ns() > 0
    # Killed and, as nobody has waited for it but the system, gone or a zombie.
    assert not child.exists() or ") Z " in (child / "stat").read_text(encoding="ascii")


@pytest.mark.parametrize(("share", "ms"), [(0.5, 0.0), (0.9, 0.0), (0.95, 100.0), (0.99, 180.0)])
def test_the_truth_about_stalls_of_a_tenth_of_the_time(share: float, ms: float) -> None:
    assert truth_ms(200, 2_000, share) == pytest.approx(ms)


def test_the_truth_is_that_of_the_server() -> None:
    command = [
        "serve",
        "faults",
        "--explain",
        "--stall",
        "200ms/2s",
        "--rate",
        "1000/s",
        "-d",
        "6s",
        "--format",
        "json",
    ]
    done = subprocess.run([sys.executable, "-m", "wsload", *command], check=True, capture_output=True, text=True)
    explained = json.loads(done.stdout)["response_time_ns"]
    assert explained["p99"] / 1e6 == pytest.approx(truth_ms(200, 2_000, 0.99), abs=2)


def test_a_tool_that_is_missing_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.measure.build", lambda: None)
    for tool in TOOLS:
        monkeypatch.setattr(type(tool), "version", lambda self: "1" if self.name == "wsload" else None)
    assert [tool.name for tool in peers._present(["k6", "tsung"])] == ["wsload"]
    assert capsys.readouterr().out.splitlines() == [
        "k6: skipped, it is not installed; python -m benchmarks.peers --install k6",
        "tsung: skipped, it is not installed; python -m benchmarks.peers --install tsung",
    ]


def test_an_unknown_tool_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["peers", "k7"])
    with pytest.raises(SystemExit, match="2"):
        peers.main()
    assert "no such tool: k7; there are wsload, floor" in capsys.readouterr().err


RAW = {
    "date": "2026-01-01 00:00",
    "machine": dict.fromkeys(
        ("commit", "cpu", "cores", "kernel", "congestion_control", "rust", "python", "uvloop"), "?"
    ),
    "tools": {"wsload": {"version": "1", "what": "itself"}, "k6": {"version": "2", "what": "a script"}},
    "steady": {
        "closed-64-1": [
            {
                "wsload": {"cpu_ns": 4_000, "rate": 100.0, "foreign": 0.0},
                "k6": {"cpu_ns": 32_000, "rate": 10.0, "foreign": 0.5},
            },
            {
                "wsload": {"cpu_ns": 5_000, "rate": 200.0, "foreign": 0.0},
                "k6": {"cpu_ns": 30_000, "rate": 30.0, "foreign": 0.5},
            },
        ],
        "closed-1000-1": [{"wsload": {"cpu_ns": 4_000, "rate": 1.0, "foreign": 0.0}, "k6": None}],
    },
    "stalls": peers.STALLS,
    "reported": {"k6": {"exit_code": 0, "p50": 1.0, "p95": None, "p99": 180.0}},
    "idle_connections": [200, 1_000],
    "idle_rss_bytes": {"k6": [100_000_000, 181_920_000], "wsload": [None, 1]},
    "refused": {"k6": 0, "wsload": None},
}


def test_the_page() -> None:
    page = render(RAW)
    # Ratios are within a round: 8 and 6; 4.5 and 31 µs are the medians of each.
    assert "| k6 | 31.00 | **7.00** [6.00-8.00] | >= 4 | 20 | 0.50 |" in page
    assert "| k6 | did not do it | | | | |" in page
    # Four stalls of 200 ms in nine seconds: 8.9 % of the messages.
    assert "| **truth** | 0.0 | 87.5 | 177.5 |" in page
    assert "| k6 | 1.0 | not told | 180.0 |" in page
    assert "| k6 | 100.0 | 182 |" in page
    assert "| wsload | did not do it | |" in page
    assert "| wsload | does not end |" in page


def test_the_page_that_is_kept_is_that_of_the_newest_figures() -> None:
    newest = max(peers.RESULTS.glob("*.json"))
    assert peers.PAGE.read_text(encoding="utf-8") == render(json.loads(newest.read_text(encoding="utf-8")))
