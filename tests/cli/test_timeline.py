"""`wsload timeline`: real runs and what they keep, from the command line."""

import json
from pathlib import Path

import pytest

from recordings import SESSION, write
from servers import run, start, wait_for_file, wsload_echo
from wsload.cli.app import main


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write(tmp_path / "a.wsload", SESSION))


def events(out: str) -> list[str]:
    """The lines after the head."""
    return out.splitlines()[1:]


def test_a_run_keeps_whole_connections_and_a_sample(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        flags = ["-c", "10", "-n", "400", "-m", '{"id": {{$id}}}', "--record-connections", "2", "-o", "a.wsload"]
        assert run("run", url, *flags, "--quiet", cwd=tmp_path).returncode == 0
    listed = run("timeline", "a.wsload", "--conn", "4", "--format", "jsonl", cwd=tmp_path)
    documents = [json.loads(line) for line in listed.stdout.splitlines()]
    kinds = [document["kind"] for document in documents]
    assert kinds == ["connect", "open", *["text"] * 80, "close", "close", "end"]
    assert [document["seq"] for document in documents] == list(range(85))
    sent, received = documents[2:82:2], documents[3:82:2]
    assert [one["text"] for one in sent] == [one["text"] for one in received]
    assert all(one["direction"] == "sent" and one["latency_ns"] is None for one in sent)
    assert all(one["latency_ns"] > 0 and one["name"] == "message" for one in received)
    found = run("timeline", "a.wsload", "--json", f"$.id == {json.loads(sent[7]['text'])['id']}", cwd=tmp_path)
    assert len(events(found.stdout)) == 2
    text = run("timeline", "a.wsload", cwd=tmp_path)
    assert "events kept: 170 of whole connections, 100 of sampled exchanges\n" in text.stdout


def test_without_record_nothing_is_kept(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        assert run("run", url, "-n", "50", "--no-record", "-o", "a.wsload", "--quiet", cwd=tmp_path).returncode == 0
    assert events(run("timeline", "a.wsload", cwd=tmp_path).stdout) == ["nothing of what was asked for"]


def test_a_failure_shows_what_led_to_it(tmp_path: Path) -> None:
    with wsload_echo() as (url, server):
        flags = ["-c", "2", "--rate", "200/s", "-d", "30s", "--record-connections", "0", "--keep-on", "close"]
        process = start("run", url, *flags, "-o", "a.wsload", "--quiet", cwd=tmp_path)
        wait_for_file(tmp_path)
        server.kill()
        process.communicate(timeout=60)
    listed = run("timeline", "a.wsload", "--failed", "--conn", "0", "--format", "jsonl", cwd=tmp_path)
    kept = {(one["attempt"], one["seq"]): one for one in map(json.loads, listed.stdout.splitlines())}
    attempt, seq = min(place for place, one in kept.items() if one["kind"] == "failed")
    # Not one is missing, whatever they are, and messages are among them.
    before = [kept[attempt, number] for number in range(max(seq - 12, 0), seq)]
    messages = [one for one in before if one["kind"] == "text"]
    assert len(before) == 12
    assert len(messages) >= 8
    assert {one["direction"] for one in messages} == {"sent", "received"}
    text = events(run("timeline", "a.wsload", "--failed", "--conn", "0", cwd=tmp_path).stdout)
    shown = [line for line in text if " failed " in line or "→ text" in line or "← text" in line]
    assert " text " in shown[0]
    assert any(" failed " in line for line in shown)


def test_a_secret_in_a_message_is_stored_by_name(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        flags = ["-n", "1", "--bearer", "t0ps3cret", "-m", "login t0ps3cret", "-o", "a.wsload", "--no-record"]
        run("run", url, *flags[:-1], "--quiet", cwd=tmp_path)
    sent = run("timeline", "a.wsload", "--direction", "sent", "--type", "text", cwd=tmp_path).stdout
    assert "login ***bearer***" in sent
    assert "t0ps3cret" not in sent


def test_following_a_run_ends_with_it(tmp_path: Path) -> None:
    with wsload_echo() as (url, _):
        flags = ["-c", "2", "--rate", "20/s", "-d", "2s", "--record-connections", "1/1", "-o", "a.wsload", "--quiet"]
        process = start("run", url, *flags, cwd=tmp_path)
        wait_for_file(tmp_path)
        followed = run("timeline", "a.wsload", "--follow", "--type", "text", "--format", "jsonl", cwd=tmp_path)
        process.communicate(timeout=60)
    assert process.returncode == 0
    documents = [json.loads(line) for line in followed.stdout.splitlines()]
    assert len(documents) == len({document["id"] for document in documents}) == 80


def test_filters_and_outputs(file: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["timeline", file, "--contains", "welcome"]) == 0
    (line,) = events(capfdbinary.readouterr().out.decode())
    number = line.split()[0]
    assert main(["timeline", file, "--detail", number, "--as", "raw"]) == 0
    assert capfdbinary.readouterr().out == SESSION[3].payload
    assert main(["timeline", file, "--detail", number]) == 0
    assert b'"n": 1.50' in capfdbinary.readouterr().out
    assert main(["timeline", file, "--format", "har", "--conn", "3"]) == 0
    (entry,) = json.loads(capfdbinary.readouterr().out)["log"]["entries"]
    assert len(entry["_webSocketMessages"]) == 2
    assert main(["timeline", file, "--regex", "h[e]llo", "--from", "-1s", "--to", "15ms", "--name", "hello"]) == 0
    assert len(events(capfdbinary.readouterr().out.decode())) == 1
    assert main(["timeline", file, "--slow", "20ms", "--limit", "1"]) == 0
    assert b"error" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--conn", "x"], "error: --conn: 'x' is no connection"),
        (["--direction", "up"], "error: --direction: 'up' is none"),
        (["--type", "json"], "error: --type: 'json' is no type of event"),
        (["--from", "10"], "error: --from: '10' is not a duration"),
        (["--regex", "("], "error: --regex: '('"),
        (["--json", "$["], "error: --json: "),
        (["--between", "1", "999"], "error: --between: the file has no event 1 or 999"),
        (["--detail", "999"], "error: --detail: the file has no event 999"),
        (["--follow", "--format", "har"], "error: --follow: a HAR file is written at once"),
    ],
)
def test_filters_that_are_none_are_explained(
    file: str, flags: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["timeline", file, *flags]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(what), err
    assert len(err.splitlines()) >= 2
    assert len(out.splitlines()) <= 1


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--record-connections", "2/3"], "error: --record-connections: '2/3' is no share of them"),
        (["--record-connections", "many"], "error: --record-connections: 'many' is no number of connections"),
        (["--keep-on", "p100"], "error: --keep-on: 'p100' is nothing to keep messages on"),
        (["--redact", "token"], 'error: --redact: "token" is no JSONPath query, at byte 0: parser error'),
        (["--record-limit", "1KiB"], "error: --record-limit: 1024 bytes"),
        (["--record-payload", "2MiB"], "error: --record-payload: 2097152 bytes"),
    ],
)
def test_recordings_that_cannot_be_are_explained(
    flags: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "ws://127.0.0.1:9/", *flags]) == 2
    assert capsys.readouterr().err.startswith(what)


def test_redacted_values_are_nowhere(tmp_path: Path) -> None:
    steps = """
iterate:
  - send: {json: {id: "{{$id}}", token: hush-hush}, name: say}
    expect: {json: {$.id: never}}
redact: [$.token, $.unused]
"""
    flags = ["-c", "1", "-n", "3", "--record-connections", "1/1", "--quiet"]
    with wsload_echo() as (url, _):
        (tmp_path / "s.yaml").write_text(f"target: {url}{steps}", encoding="utf-8")
        told = [run("run", "s.yaml", *flags, "-o", "a.wsload", cwd=tmp_path)]
        message = ["-m", '{"token": "hush-hush"}', "--redact", "$.token"]
        told += [run("run", url, *flags, *message, "-o", "b.wsload", cwd=tmp_path)]
    assert 'got {"id":' in told[0].stdout
    for name in ("a.wsload", "b.wsload"):
        told += [run("timeline", name, cwd=tmp_path), run("report", name, "--format", "json", cwd=tmp_path)]
        assert '"***$.token***"' in told[-2].stdout
    assert not any("hush-hush" in one.stdout + one.stderr for one in told)
