"""What other load tools are told, and how what they say is read; none of them is needed for that."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks.peers.tool import Job, Latency
from benchmarks.peers.tools import TOOLS

BY_NAME = {tool.name: tool for tool in TOOLS}


def job(folder: Path, kind: str = "open", **more: int) -> Job:
    values = {"port": 9000, "connections": 20, "seconds": 8, "rate": 1_000, **more}
    return Job(kind=kind, folder=folder, **values)  # type: ignore[arg-type]


def test_names_are_unique_and_each_tool_says_how_it_is_had() -> None:
    assert len(BY_NAME) == len(TOOLS)
    assert all(tool.install or tool.source for tool in TOOLS)


@pytest.mark.parametrize(("kind", "interval_s"), [("closed", 0.0), ("open", 0.02), ("idle", -1.0)])
def test_the_interval_of_a_connection(tmp_path: Path, kind: str, interval_s: float) -> None:
    assert job(tmp_path, kind).interval_s == interval_s


@pytest.mark.parametrize(
    ("name", "kind"), [(tool.name, kind) for tool in TOOLS for kind in ("closed", "open", "idle") if tool.does(kind, 1)]
)
def test_a_command_names_the_server(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.tools.gatling.fresh", lambda *_: None)
    command = BY_NAME[name].command(job(tmp_path, kind))
    files = "".join(file.read_text(encoding="utf-8") for file in tmp_path.iterdir())
    assert "9000" in " ".join([*command.arguments, *command.environment.values(), files])


@pytest.mark.parametrize("kind", ["closed", "open", "idle"])
def test_tsung_is_given_a_scenario_that_is_well_formed(kind: str, tmp_path: Path) -> None:
    BY_NAME["tsung"].command(job(tmp_path, kind))
    tree = ElementTree.parse(tmp_path / "load.xml")
    assert tree.find("./load/arrivalphase/users").get("maxnumber") == "20"  # type: ignore[union-attr]
    assert (tree.find(".//for//thinktime") is not None) == (kind == "open")
    assert (tree.find(".//websocket[@type='message']") is not None) == (kind != "idle")


def test_artillery_sends_as_many_messages_as_the_load_has(tmp_path: Path) -> None:
    BY_NAME["artillery"].command(job(tmp_path))
    script = json.loads((tmp_path / "load.yml").read_text(encoding="utf-8"))
    (loop,) = script["scenarios"][0]["flow"]
    # 50 messages/s on each connection for 8 s.
    assert loop["count"] == 400
    assert loop["loop"][1] == {"think": 0.02}


SAID = {
    "wsload": ('{"response_time": {"p50": 150000, "p95": 99500000, "p99": 180000000}}', Latency(0.15, 99.5, 180.0)),
    "gcannon": ('{"latency_us": {"p50": 210, "p99": 1500}}', Latency(0.21, None, 1.5)),
    "tcpkali": ("Message latency at percentiles: 1.0/5.5/6.4 ms (50/95/99%)\n", Latency(1.0, 5.5, 6.4)),
    "picows": ('{"p50": 0.2, "p95": 99.0, "p99": 180.5}', Latency(0.2, 99.0, 180.5)),
    "gatling": (
        """
> response time 50th percentile (ms)  |  1 |  1 | -
> response time 95th percentile (ms)  |  2 |  2 | -
> response time 99th percentile (ms)  |  1,190 |  19 | -
""",
        Latency(1.0, 2.0, 1190.0),
    ),
}
WROTE = {
    "k6": ("summary.json", '{"metrics": {"response": {"med": 1, "p(95)": 96, "p(99)": 180}}}', Latency(1, 96, 180)),
    "locust": ("locust_stats.csv", "Name,50%,95%,99%\necho,0,9,9\nAggregated,0,70,N/A\n", Latency(0.0, 70.0, None)),
    "artillery-script": (
        "report.json",
        '{"aggregate": {"summaries": {"response": {"median": 0.2, "p95": 108.9, "p99": 179.5}}}}',
        Latency(0.2, 108.9, 179.5),
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_response_times_that_are_printed(name: str, tmp_path: Path) -> None:
    output, expected = SAID[name]
    assert BY_NAME[name].latency(job(tmp_path), output) == expected


@pytest.mark.parametrize("name", WROTE)
def test_response_times_that_are_written(name: str, tmp_path: Path) -> None:
    file, text, expected = WROTE[name]
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert BY_NAME[name].latency(job(tmp_path), "") == expected


def test_a_run_without_a_figure_tells_none(tmp_path: Path) -> None:
    assert BY_NAME["tcpkali"].latency(job(tmp_path), "Total data sent: 0 bytes") is None
    assert BY_NAME["gatling"].latency(job(tmp_path), "") == Latency()
