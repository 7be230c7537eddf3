"""Scenario files: what their parts become."""

import json
from pathlib import Path

import pytest

from wsload import _core
from wsload.errors import UsageError
from wsload.scenario import Plan, Scenario, build_plan
from wsload.scenario.plan import IdleLoad, OpenLoad
from wsload.scenario.program import Program, SendStep, SetStep, Variable
from wsload.scenario.source import Inputs, Overrides, load_scenario, repeat_scenario
from wsload.scenario.source.file import scenario_schema

ROOT = Path(__file__).parents[2]
HEAD = "target: ws://h/\n"


def plan_of(text: str, folder: Path, inputs: Inputs | None = None, overrides: Overrides | None = None) -> Plan:
    """The plan of a file, as Rust accepts it."""
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    plan = build_plan(load_scenario(path, inputs, overrides))
    _core.check_plan(plan.to_json())
    return plan


def program_of(text: str, folder: Path, inputs: Inputs | None = None) -> Program:
    program = plan_of(text, folder, inputs).program
    assert program is not None
    return program


def payload(text: str, folder: Path) -> str:
    return program_of(text, folder).messages[0].payload.decode()


def test_the_published_schema_is_that_of_the_model() -> None:
    written = json.loads((ROOT / "docs" / "schema" / "scenario.schema.json").read_text(encoding="utf-8"))
    assert written == scenario_schema()
    shipped = json.loads((ROOT / "python/wsload/scenario/scenario.schema.json").read_text(encoding="utf-8"))
    assert shipped == written


def test_scopes_of_variables_in_their_order(tmp_path: Path) -> None:
    text = "target: ws://{{host}}/\nvariables: {host: a}\nenvironments: {e: {host: b}}\niterate: [ping]\n"
    dotenv = tmp_path / ".env"
    dotenv.write_text("# who\nexport host='c'\n", encoding="utf-8")
    yaml = tmp_path / "env.yaml"
    yaml.write_text("host: d\n", encoding="utf-8")
    expected = [
        ("a", Inputs()),
        ("b", Inputs(environment="e")),
        ("c", Inputs(environment="e", env_file=dotenv)),
        ("d", Inputs(environment="e", env_file=yaml)),
        ("v", Inputs({"host": "v"}, "e", dotenv)),
    ]
    assert [plan_of(text, tmp_path, inputs).target.host for _, inputs in expected] == [host for host, _ in expected]


def test_what_is_known_is_put_in_and_escaped_for_its_place(tmp_path: Path) -> None:
    variables = "variables: {say: 'a \"b\" {{n}}', n: 5, user: {tags: [x, {y: z}]}}\n"
    step = "iterate: [{send: {json: {t: '{{say}} \\{{x}} {{user.tags[1].y}}', n: '{{n|raw}}', o: '{{user|raw}}'}}}]\n"
    sent = payload(HEAD + variables + step, tmp_path)
    assert sent == r'{"t":"a \"b\" 5 \{{x}} z","n":5,"o":{"tags":["x",{"y":"z"}]}}'
    assert payload(HEAD + variables + "iterate: [{send: {text: '{{say}}'}}]\n", tmp_path) == 'a "b" 5'


def test_a_row_s_values_become_variables_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "u.json").write_text('[{"user": {"tags": ["a", "b"]}, "n": 1}, {"user": {"tags": ["c", "d"]}, "n": 2}]')
    text = HEAD + "data: {file: u.json}\niterate: [{send: {text: '{{user.tags[1]}} {{n}}'}}]\n"
    program = program_of(text, tmp_path)
    assert program.variables == (Variable(name="user.tags[1]"), Variable(name="n"))
    assert program.data is not None
    assert (program.data.columns, program.data.rows) == ((0, 1), (("b", "1"), ("d", "2")))
    assert program.messages[0].payload == b"{{user.tags[1]}} {{n}}"


def test_handshake_with_values_of_the_connection(tmp_path: Path) -> None:
    text = """
target: ws://{{host}}/r/{{room}}?t={{token}}
params: {q: "{{who}} x"}
headers: {X-Who: "{{who}}"}
cookies: {sid: "s{{who}}"}
bearer: "{{token}}"
variables: {host: "a:9", room: "a b", token: t/1}
data: {rows: [{who: ann}]}
secrets: [token]
iterate: [ping]
"""
    plan = plan_of(text, tmp_path)
    assert plan.program is not None
    assert plan.program.handshake_template
    assert (plan.target.host, plan.target.port) == ("a", 9)
    assert plan.target.resource == "/r/a%20b?t={{token|url}}&q={{who|url}}%20x"
    assert plan.handshake.headers == (("X-Who", "{{who}}"), ("Authorization", "Bearer {{token}}"))
    assert plan.handshake.cookies == (("sid", "s{{who|url}}"),)
    assert "t/1" not in plan.redacted().to_json()
    assert "t/1" in plan.to_json()


def test_lives_of_captured_values(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
on_open: [{expect: {capture: {a: $.a, b: {json: $.b, sticky: true}}}}]
iterate: [{expect: {capture: {c: $.c, a: {regex: "a=(.)"}}}}, {set: {d: "{{c}}"}}]
on_message: [{when: {type: binary}, capture: {e: {bytes: [0, 2]}}, continue: true}]
"""
    )
    program = program_of(text, tmp_path)
    lives = {one.name: one.lives for one in program.variables}
    assert lives == {"a": "connection", "b": "slot", "c": "iteration", "d": "iteration", "e": "connection"}
    assert program.users[0].on_message[0].pass_on
    assert program.users[0].iterate[1] == SetStep(variable=[*lives].index("d"), value="{{c}}")


def test_names_of_messages_and_what_counts_in_the_totals(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
messages: {say: {text: x}}
on_open: [{send: {json: {type: login}}}, {send: say}]
iterate: [{send: {text: a}}, {send: {text: b}}, {send: say}, {send: {name: own, text: c}}]
every: {period: 5s, send: {text: hb, name: beat}}
"""
    )
    names = {one.name: one.total for one in program_of(text, tmp_path).names}
    assert names == {"message": True, "message 2": True, "say": True, "own": True, "beat": False, "login": False}


def test_every_kind_of_payload(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"\x00\xff")
    text = (
        HEAD
        + """
iterate:
  - send: {hex: "01ff"}
  - send: {base64: AQI=}
  - send: {file: m.bin, binary: true}
  - send: {xml: "<a/>"}
  - send: {json: null}
  - send: {json: [1, 1.5, true, {a: é}]}
"""
    )
    sent = [(one.kind, one.payload) for one in program_of(text, tmp_path).messages]
    assert sent == [
        ("binary", b"\x01\xff"), ("binary", b"\x01\x02"), ("binary", b"\x00\xff"),
        ("text", b"<a/>"), ("text", b"null"), ("text", '[1,1.5,true,{"a":"é"}]'.encode()),
    ]  # fmt: skip


def test_a_rule_awaits_nothing_even_of_a_saved_message(tmp_path: Path) -> None:
    text = HEAD + "messages: {say: {text: x, reply: order}}\niterate: [{send: say}]\n"
    program = program_of(text + "on_message: [{when: {prefix: {hex: '09'}}, send: say}]\n", tmp_path)
    assert program.users[0].on_message[0].steps == (SendStep(message=1),)
    assert [one.reply is None for one in program.messages] == [False, True]


@pytest.mark.parametrize(
    ("text", "dials"),
    [("127.0.0.2:80", 1), ("[127.0.0.2:80, 127.0.0.3:80]", 2)],
)
def test_one_address_to_connect_to_or_several(text: str, dials: int, tmp_path: Path) -> None:
    plan = plan_of(
        f"target: ws://h/\nconnect_to: {text}\nevery_address: true\niterate: [{{send: {{text: hi}}}}]\n", tmp_path
    )
    assert (len(plan.dials), plan.every_address) == (dials, True)


def test_flags_override_the_file(tmp_path: Path) -> None:
    text = HEAD + "headers: {X-A: a, X-B: b}\nload: {connections: 3, rate: 5, duration: 1m}\niterate: [ping]\n"
    overrides = Overrides({"headers": (("x-a", "{{c}}"),)}, {"rate_per_conn_per_s": 2.0})
    plan = plan_of(text, tmp_path, None, overrides)
    assert plan.handshake.headers == (("X-B", "b"), ("x-a", "{{c}}"))
    assert plan.load == OpenLoad(rate_per_s=6.0, arrivals="constant")
    assert plan.duration_ns == 60 * 10**9


def test_without_iterations_connections_listen(tmp_path: Path) -> None:
    plan = plan_of(HEAD + "on_message: [{when: {equals: '2'}, send: {text: '3'}}]\n", tmp_path)
    assert plan.load == IdleLoad()


def test_a_stored_scenario_is_repeated_and_has_no_secret(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("who\nann\nbob\n", encoding="utf-8")
    path = tmp_path / "s.yaml"
    path.write_text(
        HEAD + "variables: {token: hidden}\nsecrets: [token]\ndata: {file: u.csv}\n"
        "iterate: [{send: {text: '{{who}} {{token}}'}}]\nload: {connections: 7}\n",
        encoding="utf-8",
    )
    first = load_scenario(path, None, Overrides({"reply_timeout_ns": 5}, {"rate_per_s": 9.0}))
    stored = json.loads(first.model_dump_json())
    assert "hidden" not in json.dumps(stored)
    assert "hidden" not in build_plan(first).redacted().to_json()
    with pytest.raises(UsageError, match=r"--var: r\.wsload does not hold token"):
        repeat_scenario(stored, "r.wsload", Inputs(), Overrides())
    again = repeat_scenario(stored, "r.wsload", Inputs({"token": "hidden"}), Overrides())
    assert build_plan(again).to_json() == build_plan(first).to_json()
    more = repeat_scenario(stored, "r.wsload", Inputs({"token": "hidden"}), Overrides({}, {"connections": 2}))
    assert more.load.connections == 2
    (tmp_path / "u.csv").write_text("who\nann\neve\n", encoding="utf-8")
    with pytest.raises(UsageError, match="not the file that the run used"):
        repeat_scenario(stored, "r.wsload", Inputs({"token": "hidden"}), Overrides())


def test_a_run_of_flags_is_repeated_as_well() -> None:
    first = Scenario(target="ws://h/", headers=(("X-A", "b"),), seed=5)
    stored = json.loads(first.model_dump_json())
    again = repeat_scenario(stored, "r.wsload", Inputs(), Overrides({}, {"connections": 4}))
    assert build_plan(again) == build_plan(first).model_copy(update={"connections": 4})
    stored["headers"] = [["Authorization", "***"]]
    with pytest.raises(UsageError, match=r"-H/--header: r\.wsload does not hold a secret"):
        repeat_scenario(stored, "r.wsload", Inputs(), Overrides())


BLOCKS = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8").split("```yaml\n")[1:]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_examples_of_the_docs_are_scenarios(number: int, tmp_path: Path) -> None:
    program_of(BLOCKS[number].partition("```")[0], tmp_path)


def test_the_starter_is_a_scenario(tmp_path: Path) -> None:
    from wsload.scenario.source.starter import STARTER

    assert [one.name for one in program_of(STARTER, tmp_path).names] == ["say", "pong", "login", "subscribe"]
