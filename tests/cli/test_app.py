"""The command line as such: what it costs to load, what its help says, how it ends."""

import re
import subprocess
import sys

import pytest

from wsload import __version__
from wsload.cli.app import main
from wsload.errors import EngineError

FLAGS = set(
    """
    -c/--connections -d/--duration -n/--iterations -m/--message -f/--message-file --first-message --idle --binary
    --size --match --rate --rate-per-conn --arrivals --in-flight --connect-rate --connect-timeout --reply-timeout
    --warmup -H/--header --param --cookie --subprotocol --origin --source-ip --workers --reconnect --label --seed
    --threshold --alert --on-breach --breach-every --watch-pid --watch-url --watch-metric
    --var --env --env-file --dry-run
    -o/--output --format --quiet --grain -h/--help --echo --serialize-connects --connect-to --proxy --cookie-jar
    --every-address --on --nodes
    -u/--user --bearer --require-subprotocol --compress --cacert --cert --key -k/--insecure --sni --tls-resume --tls-min
    --publishers --match-received --stage --think --connection-lifetime --strict --tls-max --export --web
    --record-connections --keep-on --record-payload --record-limit --no-record --redact
    --reconnect-wait --fragment --max-frame --max-message --ping-interval --ping-timeout --close-code --close-reason
    """.split()  # noqa: SIM905 - as a person would write them
)
HEAVY = {"asyncio", "picows", "pydantic", "rich", "sqlite3", "uvloop", "wsload._core", "wsload.results"}


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after this code."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import wsload.cli", set()),
        ("from wsload.cli.app import main; main(['--help'])", set()),
        ("from wsload.cli.app import main; main(['run', '--help'])", set()),
        # Typer checks the values of flags with pydantic.
        ("from wsload.cli.app import main; main(['serve', 'echo', '--port', 'x'])", {"pydantic"}),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str, allowed: set[str]) -> None:
    assert HEAVY & loaded_by(code) <= allowed


def test_a_run_and_its_reports_do_without_numpy() -> None:
    rooms = ("engine.runner", "report.live", "report.terminal", "report.export")
    assert "numpy" not in loaded_by("".join(f"import wsload.{room};" for room in rooms))
    assert "numpy" in loaded_by("from wsload.results import Record")


def test_the_help_of_run_lists_every_flag_once_and_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    text = capsys.readouterr().out
    listed = re.findall(r"^  (-[a-zA-Z], --[a-z-]+|--[a-z-]+)", text, re.MULTILINE)
    assert len(listed) == len(FLAGS)
    assert {flag.replace(", ", "/") for flag in listed} == FLAGS
    groups = ["Arguments", "Scenario", "Load", "Messages", "Connections", "Handshake", "TLS (wss://)", "Protocol"]
    groups += ["Timeline", "Run and result", "Options"]
    assert re.findall(r"^(\w.*):$", text, re.MULTILINE) == groups


def test_the_help_of_run_tells_every_default(capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for flag, default in (
        ("--connections", "1"),
        ("--duration", "10s, unless -n is given"),
        ("--rate", "closed loop"),
        ("--arrivals", "constant"),
        ("--in-flight", "1"),
        ("--size", "32 bytes"),
        ("--match", "order"),
        ("--reply-timeout", "10s"),
        ("--connect-timeout", "10s"),
        ("--reconnect", "never"),
        ("--seed", "random"),
        ("--format", "text"),
    ):
        assert re.search(rf"{flag} [^\]]*\[default: {re.escape(default)}\]", text), flag


def test_without_arguments_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: wsload [OPTIONS] COMMAND [ARGS]...\n")
    assert re.findall(r"^  (run|report|doctor|serve|timeline) ", out, re.MULTILINE) == [
        "run",
        "report",
        "doctor",
        "serve",
        "timeline",
    ]


def test_no_line_of_the_list_of_commands_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main([])
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_version_names_the_build_and_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    out = capsys.readouterr().out
    version = ".".join(map(str, sys.version_info[:3]))
    assert re.fullmatch(rf"wsload {re.escape(__version__)} \((release|debug) build, Python {version}\S*\)\n", out)


def test_doctor_prints_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "This machine holds " in capsys.readouterr().out


def test_an_error_of_the_engine_has_its_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise EngineError("no worker could be started")

    monkeypatch.setattr("wsload.engine.limits.machine", fail)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err == "error: no worker could be started\n"


def test_a_bug_of_ours_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("wsload.engine.limits.machine", fail)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])
