"""Scenarios in Python: what is read of a file, and every mistake in one."""

import sys
from pathlib import Path

import pytest

from wsload.errors import UsageError
from wsload.scenario import build_plan
from wsload.scenario.script import load_script, set_up, tear_down
from wsload.scenario.source import Inputs, Overrides, load_script_scenario

HEAD = "import wsload\n\n"
CHAT = (
    HEAD
    + """
@wsload.script(
    target="ws://{{host}}/",
    variables={"host": "127.0.0.1:9000", "token": "s3cret"},
    secrets=["token"],
    headers={"Authorization": "Bearer {{token}}"},
    load={"connections": 5, "rate": "50/s", "duration": "2s"},
    names=["other"],
    aside=["late"],
)
async def chat(ws):
    await ws.request("login", name="login")
    async for _ in ws.iterations():
        await say(ws)
        await ws.request("x", name="inside")
    await ws.send("bye", name="bye")


async def say(ws):
    await ws.request("hello", name="say")
"""
)


def written(folder: Path, text: str) -> Path:
    path = folder / "chat.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_names_count_unless_they_stand_outside_the_iterations(tmp_path: Path) -> None:
    loaded = load_script(written(tmp_path, CHAT))
    assert loaded.iterates
    assert loaded.names == {
        "login": False,
        "bye": False,
        "inside": True,
        "say": True,
        "other": True,
        "late": False,
    }


def test_what_has_no_name_is_called_by_where_it_stands(tmp_path: Path) -> None:
    nameless = CHAT + "    await ws.send('bye')\n"
    names = load_script(written(tmp_path, nameless)).names
    assert (names["message"], names["opening"], names["say"]) == (True, False, True)


def test_without_iterations_everything_counts_and_nothing_is_scheduled(tmp_path: Path) -> None:
    text = HEAD + "@wsload.script(target='ws://127.0.0.1/')\nasync def f(ws):\n    await ws.request('x', name='a')\n"
    path = written(tmp_path, text)
    assert load_script(path).names == {"a": True}
    scenario = load_script_scenario(path, Inputs(), Overrides())
    assert scenario.load.idle
    assert scenario.program is not None
    assert scenario.program.script is not None
    assert not scenario.program.script.iterates


def test_options_are_those_of_a_scenario_file(tmp_path: Path) -> None:
    path = written(tmp_path, CHAT)
    scenario = load_script_scenario(path, Inputs({"host": "127.0.0.1:1"}), Overrides())
    assert scenario.target == "ws://127.0.0.1:1/"
    assert (scenario.load.connections, scenario.load.rate_per_s) == (5, 50)
    plan = build_plan(scenario)
    assert plan.program is not None
    assert [one.name for one in plan.program.variables if one.secret] == ["token"]
    assert "s3cret" not in plan.redacted().to_json()
    assert scenario.origin_file is not None
    assert "s3cret" not in scenario.origin_file.text
    assert [one.path for one in scenario.origin_file.files] == ["chat.py"]


def test_setup_gives_values_and_teardown_follows_once(tmp_path: Path) -> None:
    text = (
        HEAD
        + "told = []\n"
        + "@wsload.script(target='ws://127.0.0.1/', variables={'token': None, 'n': None},\n"
        + "    setup=lambda: {'token': 't', 'n': 3}, teardown=lambda: told.append(1))\n"
        + "async def f(ws):\n    await ws.send('x')\n"
    )
    path = written(tmp_path, text)
    scenario = load_script_scenario(path, Inputs(), Overrides())
    assert scenario.program is not None
    where = str(path.resolve())
    tear_down(where)
    assert set_up(where, ["token", "n"]) == {"token": "t", "n": "3"}
    tear_down(where)
    tear_down(where)
    assert vars(sys.modules["wsload_script_chat"])["told"] == [1]
    with pytest.raises(UsageError, match="there is no variable n"):
        set_up(where, ["token"])


SCRIPT = "@wsload.script(target='ws://127.0.0.1/'{})\nasync def f(ws):\n    pass\n"
BAD = {
    "no function": (HEAD, "chat.py: no function is marked with @wsload.script", "Mark one 'async def' with it."),
    "two functions": (
        HEAD + SCRIPT.format("") + SCRIPT.format("").replace(" f(", " g("),
        "chat.py: 2 functions are marked with @wsload.script",
        "Mark one 'async def' with it.",
    ),
    "no coroutine": (
        HEAD + SCRIPT.format("").replace("async ", ""),
        "chat.py:3: f is no coroutine function",
        "Write 'async def'.",
    ),
    "syntax": (HEAD + "async def f(:\n", "chat.py:3:13: invalid syntax", "Python cannot read it."),
    "import": (
        HEAD + "1 / 0\n",
        "chat.py:3: ZeroDivisionError: division by zero",
        "It was raised while the file was imported.",
    ),
    "steps": (
        HEAD + SCRIPT.format(",\n    iterate=[]"),
        "chat.py:4:13: iterate: a script has no such steps",
        "Write them into the function.",
    ),
    "unknown option": (
        HEAD + SCRIPT.format(",\n    laod={}"),
        "chat.py:4:10: laod: no such key here",
        "Did you mean load?",
    ),
    "bad value": (
        HEAD + SCRIPT.format(",\n    load={'connections': 2,\n          'rate': 'fast'}"),
        "chat.py:5:19: load.rate: 'fast'",
        "",
    ),
    "no target": (HEAD + "@wsload.script()\nasync def f(ws):\n    pass\n", "target", ""),
    "unknown variable": (
        HEAD + SCRIPT.format(", headers={'A': '{{who}}'}"),
        "{{who}}: no variable is called 'who'",
        "",
    ),
    "no data": (
        HEAD + SCRIPT.format(", variables={'a': object()}"),
        "chat.py:3:2: object is no value for an option",
        "Options are texts, numbers, lists and dicts, as in a scenario file.",
    ),
    "async setup": (
        HEAD + "async def s():\n    pass\n\n" + SCRIPT.format(", setup=s"),
        "chat.py:3: s is a coroutine function",
        "It is called once, beside the run: write 'def', and asyncio.run(...) in it.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    text, what, remedy = BAD[case]
    with pytest.raises(UsageError) as caught:
        load_script_scenario(written(tmp_path, text), Inputs(), Overrides())
    told = f"{caught.value}".replace(f"{tmp_path}/", "")
    assert what in told
    assert remedy in f"{told} {caught.value.remedy}"


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_script(tmp_path / "none.py")
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_script(tmp_path / "bytes.py")
