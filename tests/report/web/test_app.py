"""The web view over HTTP: who may read it, and what there is to read."""

import http.client
import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from report.export_samples import write_run
from report.html.pages import busy_interval
from report.html.timeline_events import write_events
from samples import make_header, make_interval
from wsload.errors import ServeError
from wsload.report.web.address import Address
from wsload.report.web.child import ViewProcess
from wsload.results import RunFileWriter

LOOPBACK = Address("127.0.0.1", 0)


@contextmanager
def viewed(path: Path, address: Address = LOOPBACK) -> Iterator[str]:
    with ViewProcess(path, address) as process:
        yield process.url


def fetch(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_page_feed_and_metrics_of_a_finished_run(tmp_path: Path) -> None:
    with viewed(write_run(tmp_path, make_interval(0), make_interval(1))) as url:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        status, text = fetch(url)
        assert (status, 'data-live="events"' in text) == (200, True)
        _, stream = fetch(f"{url}events")
        (line,) = [line for line in stream.splitlines() if line.startswith("data: ")]
        assert json.loads(line.removeprefix("data: "))["state"] == "completed"
        _, metrics = fetch(f"{url}metrics")
        found = {family.name: family for family in text_string_to_metric_families(metrics)}
        assert found["wsload_messages_sent"].samples[0].value == 200
        assert fetch(f"{url}nothing")[0] == 404


def test_messages_are_asked_for_a_page_at_a_time(tmp_path: Path) -> None:
    with viewed(write_events(tmp_path / "a.wsload", 300)) as url:
        page = fetch(url)[1]
        assert json.loads(page.partition('id="data-timeline">')[2].partition("<")[0])["ask"] == "timeline"
        assert "number 7!" not in page
        status, text = fetch(f"{url}timeline?connection=3&direction=in&opcode=text&from=29+s")
        told = json.loads(text)
        assert (status, [event["t"] for event in told["events"]]) == (200, [29_300_000_000])
        assert told["total"] == 300


def test_a_view_that_is_open_before_its_run_waits(tmp_path: Path) -> None:
    path = tmp_path / "later.wsload"
    with viewed(path) as url:
        assert "The run has not begun yet." in fetch(url)[1]
        assert fetch(f"{url}metrics")[0] == 503
        assert fetch(f"{url}timeline")[0] == 503
        writer = RunFileWriter.create(path, make_header())
        writer.append([busy_interval(0)])
        assert "running" in fetch(url)[1]
        writer.close()


def test_a_browser_that_goes_away_leaves_the_view_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.wsload"
    writer = RunFileWriter.create(path, make_header())
    writer.append([busy_interval(0)])
    with viewed(path) as url:
        port = int(url.rsplit(":", 1)[1].rstrip("/"))
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/events")
            assert connection.getresponse().read(6) == b"retry:"
            connection.close()
        assert fetch(url)[0] == 200
    writer.close()


def test_a_name_that_is_not_this_machines_is_refused(tmp_path: Path) -> None:
    with viewed(write_run(tmp_path, make_interval(0))) as url:
        assert fetch(url, Host="attacker.example")[0] == 403
        assert fetch(url, Host="127.attacker.example:80")[0] == 403
        assert fetch(url, Host="localhost:80")[0] == 200


def test_elsewhere_a_token_is_needed(tmp_path: Path) -> None:
    with viewed(write_run(tmp_path, make_interval(0)), Address("0.0.0.0", 0)) as url:
        address, _, token = url.partition("?token=")
        address = address.replace("0.0.0.0", "127.0.0.1")
        assert len(token) >= 20
        for path in ("", "events", "metrics", "timeline", "?token=wrong"):
            assert fetch(address + path)[0] == 403
        assert fetch(f"{address}metrics?token={token}")[0] == 200
        assert fetch(address, Cookie=f"wsload-token={token}")[0] == 200
        port = int(address.rsplit(":", 1)[1].rstrip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/?token={token}")
        answer = connection.getresponse()
        cookie = answer.getheader("set-cookie") or ""
        assert (answer.status, answer.getheader("location")) == (303, "/")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        connection.close()


def test_a_port_in_use_is_said_by_the_child(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        address = Address("127.0.0.1", port)
        with pytest.raises(ServeError, match=f"cannot listen on 127.0.0.1:{port}"), viewed(tmp_path / "a", address):
            pass


def test_the_view_ends_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wsload.report.web", str(tmp_path / "a.wsload"), "127.0.0.1:0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline().startswith("url http://")
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()
