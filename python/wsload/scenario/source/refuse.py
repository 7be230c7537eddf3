"""What Rust would refuse, asked for one part at a time, so that the file's line can be named.

Expressions, paths, schemas and templates have one implementation, the one that runs: a plan with nothing but the part
in question is given to it.
"""

import base64
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from wsload import _core
from wsload.scenario.build import build_plan
from wsload.scenario.model import Scenario
from wsload.scenario.program import Condition, Variable


def json_path(text: str) -> str:
    """Why a text is no JSONPath query; empty if it is one."""
    try:
        _core.JsonPath(text)
    except ValueError as error:
        return str(error)
    return ""


def condition(found: Condition) -> str:
    """Why a condition cannot be tested; empty if it can."""
    part = json.loads(found.model_dump_json(by_alias=True))
    return _refusal({"on_message": [{"when": [part], "captures": [], "steps": [], "pass_on": False}]}, [], [])


def template(payload: bytes, variables: Sequence[Variable]) -> str:
    """Why a payload is no template; empty if it is one."""
    message = {
        "name": 0,
        "kind": "text",
        "payload": base64.b64encode(payload).decode(),
        "template": True,
        "reply": None,
    }
    names = [{"name": one.name, "value": None, "lives": "connection", "secret": True} for one in variables]
    found = _refusal({}, [message], names)
    # What comes before it is the whole template.
    return found[found.rfind("the placeholder") :] if "the placeholder" in found else found


def _refusal(user: dict[str, Any], messages: list[dict[str, Any]], variables: list[dict[str, Any]]) -> str:
    plain = {"name": "user", "weight": 1, "on_open": [], "iterate": [], "on_message": [], "every": [], "on_close": []}
    program = {
        "names": [{"name": "message", "total": True}],
        "variables": variables,
        "data": None,
        "messages": messages,
        "users": [{**plain, "on_error": "next", **user}],
        "handshake_template": False,
        "script": None,
    }
    try:
        _core.check_plan(json.dumps({**_frame(), "program": program}))
    except ValueError as error:
        # An expression is drawn with an arrow below it: the reason is the last line.
        lines = str(error).removeprefix("scenario: ").splitlines()
        return lines[0] if len(lines) == 1 else f"{lines[0].rpartition(': ')[0]}: {lines[-1].removeprefix('error: ')}"
    return ""


@lru_cache(maxsize=1)
def _frame() -> dict[str, Any]:
    plan = build_plan(Scenario(target="ws://localhost/", seed=0))
    frame: dict[str, Any] = json.loads(plan.model_copy(update={"message": None}).to_json())
    return frame
