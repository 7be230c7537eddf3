"""`python -m benchmarks.page [FILE ...]`: what the page of a run costs, on disk and live.

Two files are made by the writer itself in simulated time: half an hour in intervals of a second, and ten days in
intervals of a minute, which it joins as they grow old. Each has 30,000 events in its timeline. Needs playwright and
Chromium.
"""

import argparse
import gzip
import json
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, describe
from benchmarks.soak_file import simulate
from wsload.report.html import render_page
from wsload.report.web.address import Address
from wsload.report.web.child import ViewProcess
from wsload.results import Event, RunFile, RunFileWriter

SECOND = 10**9
MADE = {"half an hour": (0.5, 1), "ten days": (240.0, 60)}
"""Hours, and seconds of an interval."""
EVENTS = 30_000
ROUNDS = 5


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="run files to measure as well")
    parser.add_argument("--only", choices=MADE, help="one of those that are made")
    options = parser.parse_args()
    raw: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": describe(), "pages": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name, (hours, every_s) in MADE.items():
            if options.only in {None, name}:
                path = Path(folder) / f"{name}.wsload"
                _make(path, hours, every_s)
                raw["pages"][name] = _measure(path, Path(folder))
                print(name, json.dumps(raw["pages"][name]), flush=True)
        for path in options.files:
            raw["pages"][path.stem] = _measure(path, Path(folder))
            print(path.stem, json.dumps(raw["pages"][path.stem]), flush=True)
    target = ROOT / "benchmarks" / "results" / "page" / f"{raw['date'].replace(':', '').replace(' ', '-')}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    print(f"stored {target.relative_to(ROOT)}")


def _make(path: Path, hours: float, every_s: int) -> None:
    simulate(path, hours, 2, every_s)
    writer = RunFileWriter.reopen(path)
    step_ns = round(hours * 3600 * SECOND / EVENTS)
    payload = json.dumps({"id": 12345, "type": "say", "text": "hello " * 8}).encode()
    known = Event(0, 0, 1, 0, "sent", "text", "say", len(payload), None, None, None, 0, 1, payload)
    writer.append_events(
        known._replace(
            at_ns=number * step_ns,
            connection=number % 100,
            seq=number // 100,
            direction="received" if number % 2 else "sent",
            latency_ns=800_000 if number % 2 else None,
        )
        for number in range(EVENTS)
    )
    writer.finish("completed", "")
    writer.close()


def _measure(path: Path, folder: Path) -> dict[str, Any]:
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    text = "".join(render_page([path]))
    wall_s, cpu_s = time.perf_counter() - begin_s, time.process_time() - begin_cpu_s
    page = folder / "page.html"
    page.write_text(text, encoding="utf-8")
    with RunFile.open(path) as run:
        facts = {"intervals": sum(1 for _ in run.intervals()), "events": run.count_events()}
    made = {"html_bytes": len(text.encode()), "html_gzip_bytes": len(gzip.compress(text.encode()))}
    costs = {"file_bytes": path.stat().st_size, "write_cpu_s": round(cpu_s, 3), "write_wall_s": round(wall_s, 3)}
    return facts | made | costs | {"browser": _open(page.as_uri())} | {"live": _live(path)}


def _open(address: str) -> dict[str, Any]:
    """How long Chromium takes from the start of loading to charts that are drawn, and what the page holds then."""
    from playwright.sync_api import sync_playwright

    ready_ms, heap = [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        for _ in range(ROUNDS):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(address)
            ready_ms.append(tab.evaluate("wsload.ready.then(() => performance.now())"))
            session = tab.context.new_cdp_session(tab)
            session.send("HeapProfiler.collectGarbage")
            heap = session.send("Runtime.getHeapUsage")["usedSize"]
            tab.close()
        browser.close()
    return {
        "ready_ms": [round(one) for one in ready_ms],
        "ready_ms_median": statistics.median(ready_ms),
        "heap_bytes": heap,
    }


def _live(path: Path) -> dict[str, Any]:
    """The same served: the first answer reads the file, later ones what is new."""
    with ViewProcess(path, Address("127.0.0.1", 0)) as view:
        pages, sizes = [], []
        for _ in range(3):
            begin_s = time.perf_counter()
            sizes.append(len(_fetched(view.url)))
            pages.append(round(time.perf_counter() - begin_s, 3))
        return {"page_s": pages, "page_bytes": sizes[-1], "update_bytes": len(_fetched(f"{view.url}events"))}


def _fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return bytes(answer.read())


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    return found or sys.exit("no Chromium on this machine (Debian: apt-get install chromium)")


if __name__ == "__main__":
    main()
