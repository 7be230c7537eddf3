"""Whole runs from the command line, against our echo server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from websockets.sync.server import ServerConnection, serve

from serving import serving
from wsload.results import Summary

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "summary.schema.json"


def wsload(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wsload", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)


def document(text: str) -> Any:
    """The one JSON document that a text consists of."""
    found = json.loads(text)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for one in found if isinstance(found, list) else [found]:
        jsonschema.validate(one, schema, cls=jsonschema.Draft202012Validator)
    return found


def test_the_published_schema_is_that_of_the_summary() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == Summary.model_json_schema(mode="serialization")


def test_a_run_and_its_report_agree_with_the_server(tmp_path: Path) -> None:
    with serving(workers=2) as server:
        ran = wsload("run", server.url, "-c", "20", "-n", "1000", "-o", "a.wsload", "--format", "json", cwd=tmp_path)
        assert (ran.returncode, ran.stderr) == (0, "")
        summary = document(ran.stdout)
        assert server.stop() == (20, 1000, 32_000)
    assert summary["messages"]["sent"] == summary["messages"]["answered"] == 1000
    assert summary["response_time"]["count"] == summary["service_time"]["count"] == 1000
    assert summary["file"] == "a.wsload"

    one = wsload("report", "a.wsload", "--format", "json", cwd=tmp_path)
    assert document(one.stdout) == summary
    two = wsload("report", "a.wsload", "a.wsload", "--format", "json", cwd=tmp_path)
    assert document(two.stdout) == [summary, summary]
    assert two.stderr == ""


def test_the_summary_is_text_and_the_report_prints_the_same(tmp_path: Path) -> None:
    with serving() as server:
        arguments = ("-c", "4", "--rate", "200/s", "-d", "1s", "--seed", "7f3a", "--label", "name=first")
        ran = wsload("run", server.url, *arguments, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"{server.url} · 4 connections · 200 msg/s open, constant · 1 s · seed 7f3a\n" in ran.stdout
    assert re.search(r"^  messages +200 due +200 sent +200 answered +0 unanswered$", ran.stdout, re.MULTILINE)
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(r"first-\d{8}-\d{6}\.wsload", file.name)
    assert wsload("report", file.name, cwd=tmp_path).stdout == ran.stdout
    # A terminal that knows no such signs gets their codes.
    plain = wsload("report", file.name, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert plain.returncode == 0
    assert " \\xb7 4 connections \\xb7 " in plain.stdout


def test_thresholds_decide_the_exit_code_and_come_back_in_the_report(tmp_path: Path) -> None:
    with serving() as server:
        arguments = ("-n", "50", "-o", "a.wsload", "--threshold", "answered == 50", "--threshold", "unanswered > 0")
        ran = wsload("run", server.url, *arguments, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (99, "")
    assert "thresholds  passed  answered == 50   50\n              FAILED  unanswered > 0   0\n" in ran.stdout
    shown = wsload("report", "a.wsload", cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (0, ran.stdout)
    for text, code in (("answered.rate > 0", 0), ("pushes > 0", 99)):
        anew = wsload("report", "a.wsload", "--threshold", text, "--format", "json", cwd=tmp_path)
        assert anew.returncode == code
        (result,) = document(anew.stdout)["thresholds"]
        assert (result["text"], result["passed"]) == (text, code == 0)


def test_a_server_that_is_absent_is_said_quickly(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{bound.getsockname()[1]}/"
        ran = wsload("run", url, "-c", "3", "-d", "30s", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "connect     0 of 3" in ran.stdout
    assert "3 × connection refused, first while connecting" in ran.stdout
    assert "→ Nothing listens there: start the server, or check host and port in the URL." in ran.stdout
    assert "p50" not in ran.stdout
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_and_saves_it(tmp_path: Path, number: signal.Signals, code: int) -> None:
    begun = threading.Event()
    echoed = 0

    def echo(ws: ServerConnection) -> None:
        nonlocal echoed
        for message in ws:
            begun.set()
            ws.send(message)
            echoed += 1

    with serve(echo, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        command = [sys.executable, "-m", "wsload", "run", url, "-d", "1h", "-o", "stopped.wsload"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as process:
            assert begun.wait(30)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        server.shutdown()
    assert process.returncode == code
    assert err == "stopping: draining, awaiting replies and closing; Ctrl-C again ends at once\n"
    assert re.search(rf"^  interrupted stopped by {number.name} after ", out, re.MULTILINE)
    reported = document(wsload("report", "stopped.wsload", "--format", "json", cwd=tmp_path).stdout)
    assert reported["outcome"] == "interrupted"
    assert reported["messages"]["answered"] == reported["messages"]["sent"] == echoed
