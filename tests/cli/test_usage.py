"""What a person is told who got something wrong: the flag, what is wrong with it, and what to do. Whole texts."""

from pathlib import Path

import pytest

from wsload.cli.app import main
from wsload.errors import ExitCode
from wsload.scenario.metrics import METRICS

URL = "ws://127.0.0.1:9/"
FAULTS_HELP = "`wsload serve faults --help` lists what there is."
ENDINGS = "Known endings: .json, .ndjson, .jsonl, .csv, .xml, .hlog, .prom, .md, .html."
RUN_HELP = "`wsload run --help` lists what there is."
DURATION = "Write a number with its unit, such as 30s, 250ms or 1h30m."
RATE = "Write a number per second, minute or hour: 20k/s, 500, 600/m."
METRIC = f"The nearest is response. Metrics are {', '.join(METRICS)}."
COUNT = "Write it in digits or with k or M: 1000, 50k, 1M."

BAD_INPUT = [
    # The address.
    ("run", "URL: no argument", "missing argument 'URL|FILE'", RUN_HELP),
    ("run http://h/chat", "scheme", "URL: http://h/chat does not begin with ws:// or wss://",
     "A WebSocket address begins with ws://: ws://h/chat"),
    ("run h:9000", "no scheme", "URL: h:9000 does not begin with ws:// or wss://",
     "Write ws://host:port/path, or wss:// for TLS."),
    ("run ws://h:99999/", "port", "URL: ws://h:99999/ has no valid port", "A port is a number from 1 to 65535."),
    ("run ws://h:x/", "port", "URL: ws://h:x/ has no valid port", "A port is a number from 1 to 65535."),
    ("run ws:///chat", "no host", "URL: ws:///chat names no host", "Write it as ws://host:port/path."),
    ("run http://me:secret@h/", "password not shown", "URL: http://***@h/ does not begin with ws:// or wss://",
     "A WebSocket address begins with ws://: ws://***@h/"),
    # Quantities.
    (f"run {URL} -c 0", "no connection", "--connections: 0 connections",
     "It takes at least 1 and at most 10,000,000."),
    (f"run {URL} -c 1.5", "half a connection", "--connections: '1.5' is not a whole number", COUNT),
    (f"run {URL} -c -3", "negative", "--connections: '-3' is not a whole number", COUNT),
    (f"run {URL} -n many", "number", "--iterations: 'many' is not a whole number", COUNT),
    (f"run {URL} -d 10", "no unit", "--duration: '10' is not a duration", DURATION),
    (f"run {URL} -d 10parsecs", "unit", "--duration: '10parsecs' has the unknown unit 'parsecs'",
     "Known units: ns, us, ms, s, m, h, d."),
    (f"run {URL} -d 0s", "no time", "--duration: a run of no time", "Try 10s."),
    (f"run {URL} --warmup soon", "duration", "--warmup: 'soon' is not a duration", DURATION),
    (f"run {URL} --connect-timeout 0s", "no time", "--connect-timeout: no time at all", "The default is 10s."),
    (f"run {URL} --reply-timeout x", "duration", "--reply-timeout: 'x' is not a duration", DURATION),
    (f"run {URL} --rate fast", "rate", "--rate: 'fast' is not a rate", RATE),
    (f"run {URL} --rate 20/fortnight", "unit", "--rate: '20/fortnight' is not a rate", RATE),
    (f"run {URL} --rate 0", "no rate", "--rate: 0/s", "A rate is above 0 and at most 1,000,000,000/s."),
    (f"run {URL} --rate-per-conn x", "rate", "--rate-per-conn: 'x' is not a rate", RATE),
    (f"run {URL} --connect-rate x", "rate", "--connect-rate: 'x' is not a rate", RATE),
    (f"run {URL} --size big", "size", "--size: 'big' is not a size", "Write bytes or a unit: 32, 64KiB, 1MB."),
    (f"run {URL} --size 65MiB", "too big", "--size: 68157440 bytes", "It takes 0 bytes to 64 MiB."),
    (f"run {URL} --workers 0", "no worker", "--workers: '0' is not a number of processes", "It takes 1 to 1024."),
    (f"run {URL} --seed xyz", "seed", "--seed: 'xyz' is no hexadecimal number of 1 to 16 digits", "Try 7f3a."),
    (f"run {URL} --seed 1ffffffffffffffff", "17 digits",
     "--seed: '1ffffffffffffffff' is no hexadecimal number of 1 to 16 digits", "Try 7f3a."),
    (f"run {URL} --reconnect always", "attempts",
     "--reconnect: 'always' is neither never, forever, storm nor a number of attempts",
     "Write 5 for five attempts (at most 1,000,000)."),
    (f"run {URL} --reconnect-wait 1s,2s", "waits", "--reconnect-wait: nothing is opened again",
     "Add --reconnect forever."),
    (f"run {URL} --reconnect 5 --reconnect-wait 2s,1s", "order",
     "--reconnect-wait: the first wait is above the longest, or below 1ms",
     "Write the first before the longest, such as 1s,30s."),
    (f"run {URL} --threshold respons.p99<1s", "threshold",
     "--threshold: 'respons.p99<1s', character 1: no metric is called 'respons'", METRIC),
    ("report a.wsload --threshold response.p99<1", "threshold of a report",
     "--threshold: 'response.p99<1', character 14: '1' is not a duration",
     "Write a time with its unit, such as 50ms."),
    ("report a.wsload --threshold failures==0 --html a.html", "threshold of a page",
     "--threshold: it goes with --format text and json only", "Drop what else is asked for."),
    # What does not go together.
    (f"run {URL} -m a -f b", "two messages", "--message-file: --message is given as well",
     "Name one source of the message."),
    (f"run {URL} --rate 5 --rate-per-conn 5", "two rates", "--rate-per-conn: --rate is given as well",
     "Name the rate of all connections together, or of each."),
    (f"run {URL} --rate 5 --in-flight 5", "both loops",
     "--in-flight: it belongs to a closed loop, --rate makes the loop open", "Drop one of the two."),
    (f"run {URL} --arrivals poisson", "no schedule", "--arrivals: without --rate there is no schedule",
     "Add --rate or --rate-per-conn."),
    (f"run {URL} --match none", "nothing to wait for", "--match none: a closed loop waits for replies",
     "Add --rate or --rate-per-conn, or drop --match none."),
    (f"run {URL} --idle --rate 5", "idle", "--rate: --idle has no schedule", "Drop one of the two."),
    (f"run {URL} --rate 1/h -d 10s", "rate without room",
     "--rate: at 1/h only one message is due in 10 s", "Raise the rate or the duration."),
    # The handshake.
    (f"run {URL} -H NoColon", "header", "-H/--header: 'NoColon' has no ':'", "Write -H 'Name: value'."),
    (f"run {URL} -H Origin:x", "forbidden", "-H/--header: Origin cannot be set", "Use --origin."),
    (f"run {URL} --param x", "pair", "--param: 'x' has no '='", "Write --param NAME=VALUE."),
    (f"run {URL} --cookie =x", "no name", "--cookie: '' has no name", "Write --cookie NAME=VALUE."),
    (f"run {URL} --label x", "pair", "--label: 'x' has no '='", "Write --label NAME=VALUE."),
    (f"run {URL} --label a=1 --label a=2", "twice", "--label: a is given twice",
     "A run has one value for each label."),
    (f"run {URL} --source-ip here", "address", "--source-ip: 'here' is not an IP address",
     "Name a local address, or a network such as 10.0.0.16/28."),
    # Words.
    (f"run {URL} --arrivals often", "word", "--arrivals: 'often' is not one of 'constant', 'poisson'", RUN_HELP),
    ("serve faults --explain --format xml", "word", "--format: 'xml' is not one of 'text', 'json'", FAULTS_HELP),
    (f"run {URL} --export a.pdf", "ending", "--export: a.pdf: the ending says no format", ENDINGS),
    (f"run {URL} --no-such-flag", "flag", "no such option: --no-such-flag", RUN_HELP),
    (f"run {URL} more", "argument", "got unexpected extra argument(s) (more)", RUN_HELP),
    ("fly", "command", "no such command 'fly'", "`wsload --help` lists what there is."),
    ("serve", "command", "missing command", "`wsload serve --help` lists what there is."),
    # Other commands.
    ("serve echo --port 65536", "port", "--port: '65536' is not a port", "It takes 0 to 65535."),
    ("serve echo --workers x", "workers", "--workers: 'x' is not a number of processes", "It takes 1 to 1024."),
    ("report", "file", "missing argument 'FILE'", "`wsload report --help` lists what there is."),
    ("report nowhere.wsload", "file", "nowhere.wsload: no such file",
     "Name a file that `wsload run` has written."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "what", "remedy"),
    [pytest.param(command, what, remedy, id=f"{command}: {why}") for command, why, what, remedy in BAD_INPUT],
)
def test_bad_input_is_answered_in_two_lines(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    what: str,
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert err == f"error: {what}\n       {remedy}\n"
    assert out == ""
    # Nothing was started, so nothing is left behind.
    assert not list(tmp_path.iterdir())


def test_a_message_file_that_is_missing_or_no_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", URL, "-f", "nowhere"]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "error: --message-file: nowhere: No such file or directory\n       Name a file that can be read.\n"
    )
    Path("bytes").write_bytes(b"ab\xff")
    assert main(["run", URL, "-f", "bytes"]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "error: --message-file: bytes is not UTF-8 text (byte 2)\n       Add --binary to send it as a binary message.\n"
    )


def test_an_output_that_exists_or_has_no_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.wsload").touch()
    assert main(["run", URL, "-o", "there.wsload"]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "error: there.wsload: exists already\n       Name another file with -o/--output.\n"
    )
    assert main(["run", URL, "-o", "no/such.wsload"]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "error: no/such.wsload: cannot be written: No such file or directory\n"
        "       Name a file in a folder you may write to with -o/--output.\n"
    )


def test_a_file_that_is_no_run_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = tmp_path / "other.wsload"
    other.write_text("not a database, but long enough to be looked at twice " * 100)
    assert main(["report", str(other)]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {other}: is not a wsload run file\n       ")
    assert out == ""


def test_errors_print_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "a\x1b[31mb"]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("error: a\\u{1b}[31mb: no such file\n")


def test_more_connections_than_ports_is_refused_with_the_number_that_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", URL, "-c", "10M"]) == ExitCode.USAGE
    what, remedy = capsys.readouterr().err.splitlines()
    assert what.startswith("error: --connections: 10,000,000 connections need as many ports; ")
    assert " fit (1 source address x " in what
    assert "--source-ip" in remedy
    assert not list(tmp_path.iterdir())
