"""Load models from the command line, and what is wrong with flags of theirs."""

from pathlib import Path

import pytest

from servers import peer, run, run_json


def test_stages_think_times_and_lifetimes(tmp_path: Path) -> None:
    with peer("websockets") as server:
        flags = ["-c", "10", "--stage", "1s:200/s", "--stage", "500ms:200/s", "--connection-lifetime", "400ms"]
        staged = run_json(server.url, *flags, cwd=tmp_path)
        flags = ["-c", "5", "--think", "uniform:50ms,100ms", "-d", "1s"]
        thinking = run_json(server.url, *flags, cwd=tmp_path)
    assert (staged["messages"]["due"], staged["messages"]["answered"]) == (200, 200)
    assert staged["connections"]["expired"] == staged["connections"]["reconnects"] >= 10
    assert 5 * 8 <= thinking["messages"]["sent"] <= 5 * 20
    assert thinking["load"] == {
        "model": "closed",
        "in_flight": 1,
        "think": {"law": "uniform", "low_ns": 50_000_000, "high_ns": 100_000_000},
    }


def test_pushes_are_measured_by_their_gaps(tmp_path: Path) -> None:
    with peer("websockets") as server:
        flags = ["-c", "4", "--rate", "80/s", "--match", "none", "-d", "1s"]
        result = run_json(server.url, *flags, cwd=tmp_path)
    assert result["messages"]["pushes"] == 80
    # 20 a second on each connection.
    assert result["push_gap"]["count"] == 76
    assert 40_000_000 <= result["push_gap"]["p50"] <= 60_000_000


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--stage", "30s"], "error: --stage: '30s' has no ':'"),
        (["--stage", "30x:5/s"], "error: --stage: '30x:5/s', character 1: '30x' has the unknown unit 'x'"),
        (["--stage", "30s:fast"], "error: --stage: '30s:fast', character 5: 'fast' is not a rate"),
        (["--stage", "1s:5/s", "-d", "5s"], "error: --duration: --stage is given as well"),
        (["--stage", "1s:5/s", "--rate", "5/s"], "error: --rate: --stage is given as well"),
        (["--stage", "0s:5/s"], "error: --stage: the stages have no length"),
        (["--stage", "5s:0/s"], "error: --stage: no rate is above 0"),
        (["--think", "1s", "--rate", "5/s"], "error: --think: --rate makes the loop open"),
        (["--think", "1s", "--in-flight", "2"], "error: --think: --in-flight is above 1"),
        (["--think", "uniform:2s,1s"], "error: --think: 'uniform:2s,1s' is no wait"),
        (["--connection-lifetime", "1ms"], "error: --connection-lifetime: too short"),
        (["--match", "id"], "error: --match: 'id' is no way to match"),
        (["--match", "json:id", "-m", "x"], 'error: --match: "id" is no path to one value, at byte 0'),
        (["--match", "regex:("], "error: --match: not a regular expression"),
        (["--match", "echo"], "error: --match: its key is the same in every message"),
        (["--match-received", "echo"], "error: --match-received: --match order has no key"),
        (["-m", "{{user}}"], 'error: --message: the placeholder at byte 0 names "user"'),
    ],
)
def test_flags_that_make_no_load_are_explained(flags: list[str], what: str, tmp_path: Path) -> None:
    done = run("run", "ws://127.0.0.1:9/", *flags, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(what), done.stderr
    assert len(done.stderr.splitlines()) >= 2
