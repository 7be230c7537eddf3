"""What a person is told whose scenario file has a mistake. Whole texts, with line and column."""

from pathlib import Path

import pytest

from scenario.bad_cases import BAD_CASES, FILES
from wsload.cli.app import main
from wsload.errors import ExitCode, UsageError
from wsload.scenario.source import load_scenario


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in BAD_CASES], ids=[case[0] for case in BAD_CASES])
def test_a_mistake_is_told_with_its_place_and_remedy(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_bytes(content)
    Path("s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_scenario(Path("s.yaml"))
    assert str(error.value) == said


def test_all_mistakes_of_a_file_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(
        "target: ws://h/\niterate:\n  - send: say\n  - send: {text: '{{who}}'}\n", encoding="utf-8"
    )
    assert main(["check", "s.yaml"]) == ExitCode.USAGE
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "error: s.yaml:3:11: iterate[0].send: no message is called 'say'",
        "       Write {text: …} for a message of its own, or save one under 'messages:'.",
        "error: s.yaml:4:18: iterate[1].send.text: {{who}}: no variable is called 'who'",
        "       Set it under 'variables:', or by --var.",
    ]


GIVEN = "target: ws://{{host}}/\nvariables: {host: a}\nenvironments: {staging: {host: b}}\niterate: [ping]\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "--env stagin",
            "error: --env: no environment is called 'stagin'\n       Did you mean staging? The file has staging.\n",
        ),
        (
            "--env host=b",
            "error: --env: 'host=b' is no name of an environment\n       A variable is given by --var host=b.\n",
        ),
        ("--var hots=b", "error: --var: the scenario has no variable 'hots'\n       Did you mean host? It has host.\n"),
        ("--var host", "error: --var: 'host' has no '='\n       Write --var NAME=VALUE.\n"),
        ("--env-file .env", "error: --env-file: .env:2: no NAME=VALUE\n       Write one variable a line.\n"),
        (
            "--env-file none",
            "error: --env-file: none: No such file or directory\n       Name a file that can be read.\n",
        ),
    ],
)
def test_values_from_outside_are_checked_too(
    arguments: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(GIVEN, encoding="utf-8")
    Path(".env").write_text("# comment\nhost\n", encoding="utf-8")
    assert main(["check", "s.yaml", *arguments.split()]) == ExitCode.USAGE
    assert capsys.readouterr().err == said
