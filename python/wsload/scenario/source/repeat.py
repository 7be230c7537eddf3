"""A stored scenario made whole again: secrets are given once more, files are compared with those that were used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsload.errors import UsageError
from wsload.scenario.model import LoadModel, Scenario
from wsload.scenario.origin import Origin
from wsload.scenario.parts import REDACTED
from wsload.scenario.script import SUFFIX
from wsload.scenario.source.load import Inputs, Overrides, compile_scenario
from wsload.scenario.source.script import load_script_scenario
from wsload.scenario.source.tree import read_tree
from wsload.scenario.wire import TlsOptions

_FLAGS = {
    "headers": "-H/--header",
    "cookies": "--cookie",
    "user": "-u/--user",
    "bearer": "--bearer",
    "proxy": "--proxy",
}
_OF_SOURCE = {
    "target",
    "params",
    "user",
    "bearer",
    "message",
    "load",
    "tls",
    "origin_file",
    "headers",
    "cookies",
    "proxy",
}


def repeat_scenario(stored: Mapping[str, Any], where: str, inputs: Inputs, overrides: Overrides) -> Scenario:
    """The scenario of a run, with what is given now over it.

    Raises:
        UsageError: a secret is missing, or a file is not the one that the run used.
    """
    kept = {key: value for key, value in stored.items() if key not in overrides.top}
    if stored.get("origin_file") is None:
        return _of_flags(kept, stored, where, inputs, overrides)
    origin = Origin.model_validate(stored["origin_file"])
    chosen = inputs.environment or origin.environment
    _ask_for_variables(origin, where, inputs, chosen)
    given = {name: value for name, value in origin.variables if value != REDACTED}
    again = Inputs({**given, **inputs.variables}, chosen, inputs.env_file)
    # Checked values: lists of JSON become what the model's fields hold.
    plain = Scenario.model_fields
    fields = {key: value for key, value in kept.items() if key in plain and key not in _OF_SOURCE}
    top: dict[str, Any] = {**fields}
    for key in ("headers", "cookies"):
        top[key] = tuple((name, value) for name, value in stored.get(key, ()) if value != REDACTED)
    top |= overrides.top
    if stored.get("proxy"):
        _ask(REDACTED not in str(stored["proxy"]) or "proxy" in overrides.top, "--proxy", "its password", where)
        top.setdefault("proxy", stored["proxy"])
    load = {**LoadModel.model_validate(stored["load"]).model_dump(exclude_unset=True), **overrides.load}
    tls = {**TlsOptions.model_validate(stored["tls"]).model_dump(exclude_unset=True), **overrides.tls}
    changes = Overrides(top, load, tls, stored=True)
    if origin.path.endswith(SUFFIX):
        made = load_script_scenario(Path(origin.path), again, changes)
    else:
        made = compile_scenario(origin.text, Path(origin.path), again, changes)
    for key in ("headers", "cookies"):
        have = {name.lower() for name, value in getattr(made, key) if value != REDACTED}
        for name, _ in stored.get(key, ()):
            automatic = name.lower() == "authorization" and (made.bearer or made.user)
            _ask(name.lower() in have or bool(automatic), _FLAGS[key], name, where)
    for key in ("user", "bearer"):
        _ask(getattr(made, key) != REDACTED, _FLAGS[key], "its value", where)
    _compare(origin, made)
    return made


def _of_flags(
    kept: dict[str, Any], stored: Mapping[str, Any], where: str, inputs: Inputs, overrides: Overrides
) -> Scenario:
    if inputs.variables or inputs.environment or inputs.env_file:
        raise UsageError(f"--var: the run of {where} has no variables", "Drop it.")
    for key, flag in _FLAGS.items():
        value = kept.get(key)
        if key == "headers" and value and (stored.get("user") or stored.get("bearer")):
            kept[key] = value = [pair for pair in value if pair[0].lower() != "authorization"]
        _ask(REDACTED not in str(value), flag, "a secret", where)
    _ask("***@" not in str(kept["target"]), "-u/--user", "the password in its URL", where)
    merged = {**kept, **overrides.top}
    merged["load"] = {**stored["load"], **overrides.load}
    merged["tls"] = {**stored["tls"], **overrides.tls}
    return Scenario.model_validate(merged)


def _ask_for_variables(origin: Origin, where: str, inputs: Inputs, environment: str | None) -> None:
    hidden = {name for name, value in origin.variables if value == REDACTED}
    # A script is read again, and the secrets that it holds itself with it.
    if not origin.path.endswith(SUFFIX):
        held = read_tree(origin.text, origin.path).value
        scopes = [held.get("variables") or {}, (held.get("environments") or {}).get(environment) or {}]
        hidden |= {name for scope in scopes for name, value in scope.items() if value == REDACTED}
    if inputs.env_file is None:
        for name in sorted(hidden):
            _ask(name in inputs.variables, "--var", name, where, f"Give it again: --var {name}=….")


def _ask(holds: bool, flag: str, what: str, where: str, remedy: str = "") -> None:
    if not holds:
        raise UsageError(
            f"{flag}: {where} does not hold {what}", remedy or f"Secrets are not stored: give {flag} again."
        )


def _compare(origin: Origin, made: Scenario) -> None:
    now = {one.path: one.sha256 for one in made.origin_file.files} if made.origin_file else {}
    for one in origin.files:
        if now.get(one.path) != one.sha256:
            what = f"{one.path}: not the file that the run used (SHA-256 {one.sha256[:16]}…)"
            raise UsageError(what, "Bring it back, or run the scenario file itself.")
