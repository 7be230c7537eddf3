"""Metrics pages: what is chosen, and what becomes of pages that are none."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from wsload.engine import scrape
from wsload.engine.scrape import Page, ScrapeError, Selector, pick
from wsload.errors import UsageError

PAGE = """\
# HELP process_resident_memory_bytes Resident memory size in bytes.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 6.5e+07
# TYPE process_open_fds gauge
process_open_fds 12
process_start_time_seconds 1.7e9
# TYPE http_connections gauge
http_connections{state="open",port="1"} 3
http_connections{state="open",port="2"} 4
http_connections{state="closing",port="1"} 0.5
broken NaN
"""


@contextmanager
def page_at(body: bytes, status: int = 200) -> Iterator[str]:
    """A page on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


def chosen(*texts: str) -> dict[str, float]:
    return pick(PAGE, [Selector(text) for text in texts])


def test_metrics_are_chosen_by_name_and_label() -> None:
    assert chosen("process_open_fds") == {"process_open_fds": 12, "process_start_time_seconds": 1.7e9}
    assert chosen("http_connections")["http_connections"] == 7.5
    assert chosen('http_connections{state="open"}')['http_connections{state="open"}'] == 7
    both = 'http_connections{state="open",port="2"}'
    assert chosen(both)[both] == 4
    assert "process" not in chosen("process")
    assert "broken" not in chosen("broken"), "no number is none"


def test_a_page_is_read() -> None:
    with page_at(PAGE.encode()) as url:
        found = Page(url).read()
        assert found["process_resident_memory_bytes"] == 65_000_000
        assert "process_cpu_seconds_total" not in found
        with pytest.raises(ScrapeError, match="it has none of go_goroutines"):
            Page(url, ["go_goroutines"]).read()


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b"process_open_fds twelve\n"])
def test_what_is_no_page_is_said(body: bytes) -> None:
    with page_at(body) as url, pytest.raises(ScrapeError):
        Page(url).read()


def test_a_page_that_is_refused_or_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with page_at(b"", status=404) as url, pytest.raises(ScrapeError, match="HTTP status 404"):
        Page(url).read()
    with pytest.raises(ScrapeError, match="refused"):
        Page(url).read()
    monkeypatch.setattr(scrape, "MAX_PAGE_BYTES", 100)
    with page_at(PAGE.encode()) as url, pytest.raises(ScrapeError, match="longer than"):
        Page(url).read()


def test_labels_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "MAX_SAMPLES", 2)
    with pytest.raises(ScrapeError, match="more than 2 samples"):
        pick(PAGE, [Selector("http_connections")])


@pytest.mark.parametrize("url", ["localhost:9100", "file:///etc/passwd", "http://", "ws://127.0.0.1/"])
def test_what_is_no_address_of_a_page_is_said(url: str) -> None:
    with pytest.raises(UsageError, match="--watch-url"):
        Page(url)


def test_a_password_is_not_taken() -> None:
    with pytest.raises(UsageError, match="user or password") as caught:
        Page("http://me:secret@127.0.0.1/metrics")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a b", 'x{a="}', "{}", "1x"])
def test_what_is_no_metric_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--watch-metric"):
        Selector(text)
