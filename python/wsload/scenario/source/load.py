"""A scenario file with its inputs, and flags over it: a `Scenario` with its program."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsload.errors import UsageError
from wsload.scenario.model import Scenario, Stage
from wsload.scenario.origin import FileUsed, Origin
from wsload.scenario.parts import REDACTED
from wsload.scenario.plan import SECRET_HEADERS
from wsload.scenario.program import Program
from wsload.scenario.source.compile import Compiler
from wsload.scenario.source.conditions import ConditionCompiler
from wsload.scenario.source.file import ScenarioFile
from wsload.scenario.source.inputs import Rows, read_env_file, read_rows, read_text
from wsload.scenario.source.messages import MessageCompiler
from wsload.scenario.source.names import Names, Placeholder, pieces
from wsload.scenario.source.problems import Problems, nearest
from wsload.scenario.source.shape import read_shape
from wsload.scenario.source.tree import MAX_FILE_BYTES, Place, Tree, read_tree
from wsload.scenario.thresholds import parse_thresholds
from wsload.scenario.url import redact_url

_DEFAULT_REPLY_TIMEOUT_NS = 10 * 10**9
_BEFORE = "it must be known before the run"
_LOAD_FIELDS = {
    "connections": "connections",
    "connect_rate": "connect_rate_per_s",
    "rate": "rate_per_s",
    "rate_per_connection": "rate_per_conn_per_s",
    "arrivals": "arrivals",
    "in_flight": "in_flight",
    "think": "think",
    "duration": "duration_ns",
    "iterations": "iterations",
    "warmup": "warmup_ns",
    "connection_lifetime": "connection_lifetime_ns",
    "publishers": "publishers",
    "grain": "grain_ns",
}
_TOP_FIELDS = {
    "cookie_jar": "keep_cookies",
    "require_subprotocol": "require_subprotocol",
    "compress": "compression",
    "connect_to": "connect_to",
    "every_address": "every_address",
    "connect_timeout": "connect_timeout_ns",
    "reply_timeout": "reply_timeout_ns",
    "reconnect": "reconnect",
    "reconnect_wait": "reconnect_wait",
    "source_ips": "source_ips",
    "redact": "redact",
    "serialize_connects": "serialize_connects",
    "fragment": "fragment_bytes",
    "max_frame": "max_frame_bytes",
    "max_message": "max_message_bytes",
    "ping_interval": "ping_interval_ns",
    "ping_timeout": "ping_timeout_ns",
    "close_code": "close_code",
    "close_reason": "close_reason",
    "seed": "seed",
}
_TLS_FIELDS = {
    "cacert": "cacert",
    "cert": "cert",
    "key": "key",
    "insecure": "insecure",
    "sni": "server_name",
    "resume": "resume",
    "min": "min_version",
    "max": "max_version",
}
_KEY_OF_FLAG: dict[str, Place] = {
    **{f"--{key.replace('_', '-')}": ("load", key) for key in _LOAD_FIELDS},
    **{f"--{key.replace('_', '-')}": (key,) for key in _TOP_FIELDS},
    **{f"--{key}": ("tls", key) for key in ("cacert", "cert", "key", "sni")},
    "--rate-per-conn": ("load", "rate_per_connection"),
    "--stage": ("load", "stages"),
    "-k/--insecure": ("tls", "insecure"),
    "--tls-resume": ("tls", "resume"),
    "--tls-min": ("tls", "min"),
    "--tls-max": ("tls", "max"),
    "-H/--header": ("headers",),
    "--cookie": ("cookies",),
    "--param": ("params",),
    "-u/--user": ("user",),
    "--bearer": ("bearer",),
    "--subprotocol": ("subprotocols",),
    "--origin": ("origin",),
    "--source-ip": ("source_ips",),
    "URL": ("target",),
}
_FLAG = re.compile(r"(?<![\w-])(-[a-zA-Z]/)?--[a-z][a-z-]+|\bURL\b")


@dataclass(frozen=True, slots=True)
class Inputs:
    """Values from outside the file."""

    variables: Mapping[str, Any] = field(default_factory=dict)
    environment: str | None = None
    env_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """What flags say: fields of the scenario, of its load, and of its TLS options."""

    top: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    tls: Mapping[str, Any] = field(default_factory=dict)
    stored: bool = False
    """They come from a stored scenario: what is a template there is one."""


def load_scenario(path: Path, inputs: Inputs | None = None, overrides: Overrides | None = None) -> Scenario:
    """Reads and compiles a scenario file.

    Raises:
        UsageError: everything that is wrong with it, each with file, line, column, key and remedy.
    """
    text = read_text(path, "", MAX_FILE_BYTES)
    return compile_scenario(text, path, inputs or Inputs(), overrides or Overrides())


def compile_scenario(text: str, path: Path, inputs: Inputs, overrides: Overrides) -> Scenario:
    """Compiles the text of a scenario file; what it names is looked for beside `path`.

    Raises:
        UsageError: as for `load_scenario`.
    """
    return compile_tree(read_tree(text, str(path)), path, inputs, overrides)


def compile_tree(
    tree: Tree,
    path: Path,
    inputs: Inputs,
    overrides: Overrides,
    scripted: Callable[[Program], Program] | None = None,
) -> Scenario:
    """Compiles what a scenario file holds; `scripted` puts a script in the place of steps.

    Raises:
        UsageError: as for `load_scenario`.
    """
    problems = Problems(tree)
    file = read_shape(tree, problems)
    rows = _rows(file, path.parent, problems)
    names = _names(file, inputs, rows, problems)
    if scripted:
        names.set_later()
    reply_timeout_ns = overrides.top.get("reply_timeout_ns", file.reply_timeout)
    reply_timeout_ns = _DEFAULT_REPLY_TIMEOUT_NS if reply_timeout_ns is None else reply_timeout_ns
    conditions = ConditionCompiler(names, problems, reply_timeout_ns)
    messages = MessageCompiler(file.messages, names, problems, path.parent, reply_timeout_ns)
    program = Compiler(file, names, problems, conditions, messages, scripted is not None).compile()
    if scripted:
        names.use_all()
        program = scripted(program)
    fields, template = _handshake(file, names)
    names.unused_secrets(("secrets",))
    _check_thresholds(file, problems)
    _check_in_flight(file, overrides, problems)
    problems.check()
    # Texts of the handshake may have named variables of their own.
    columns, values = names.columns()
    data = program.data and program.data.model_copy(
        update={"columns": columns, "rows": values or tuple(() for _ in program.data.rows)}
    )
    program = program.model_copy(update={"variables": names.table(), "data": data, "handshake_template": template})
    given = _given(inputs)
    origin = Origin(
        path=str(path),
        text=redacted_text(tree, file),
        name=file.name,
        environment=inputs.environment,
        variables=tuple((name, REDACTED if name in file.secrets else given[name]) for name in sorted(given)),
        files=(*((FileUsed(path=rows.path, sha256=rows.sha256),) if rows and rows.path else ()), *messages.files),
    )
    return _scenario(file, fields, overrides, {"program": program, "origin_file": origin}, problems)


def _rows(file: ScenarioFile, folder: Path, problems: Problems) -> Rows | None:
    spec = file.data
    if spec is None:
        return None
    if (spec.file is None) == (spec.rows is None):
        problems.add(("data",), "it takes file or rows", "Write 'file: users.csv'.")
        return None
    if spec.file is not None:
        try:
            return read_rows(folder / spec.file, "")
        except UsageError as error:
            problems.add(("data", "file"), error.what, error.remedy)
            return None
    rows = spec.rows or []
    if not rows or not rows[0]:
        problems.add(("data", "rows"), "it has no values", "Write [{name: value}, …].")
        return None
    for at, row in enumerate(rows):
        if set(row) != set(rows[0]):
            odd = min(set(row) ^ set(rows[0]))
            problems.add(("data", "rows", at), f"{odd!r} is not in every row", "All rows have the same names.")
    problems.check()
    return Rows(tuple(rows[0]), tuple(tuple(row[name] for name in rows[0]) for row in rows))


def _names(file: ScenarioFile, inputs: Inputs, rows: Rows | None, problems: Problems) -> Names:
    known: dict[str, Any] = dict(file.variables)
    places: dict[str, Place] = {name: ("variables", name) for name in known}
    if inputs.environment is not None:
        chosen = file.environments.get(inputs.environment)
        if chosen is None:
            if "=" in inputs.environment:
                remedy = f"A variable is given by --var {inputs.environment}."
                raise UsageError(f"--env: {inputs.environment!r} is no name of an environment", remedy)
            remedy = nearest(inputs.environment, file.environments, "The file has")
            raise UsageError(
                f"--env: no environment is called {inputs.environment!r}",
                remedy or "The file has no 'environments:'.",
            )
        known |= chosen
        places |= {name: ("environments", inputs.environment, name) for name in chosen}
    if inputs.env_file is not None:
        known |= read_env_file(inputs.env_file)
    for name, value in inputs.variables.items():
        wanted = {*known, *(rows.columns if rows else ()), *file.secrets}
        if name not in wanted and not _mentioned(file, name):
            raise UsageError(f"--var: the scenario has no variable {name!r}", nearest(name, sorted(wanted), "It has"))
        known[name] = value
    if rows is not None:
        # Given by hand, a value is the same for everybody: a column of that name is not read.
        columns = tuple(name for name in rows.columns if name not in inputs.variables)
        keep = [rows.columns.index(name) for name in columns]
        rows = Rows(columns, tuple(tuple(row[at] for at in keep) for row in rows.rows), rows.path, rows.sha256)
    by_iteration = file.data is not None and file.data.bind == "iteration"
    return Names(problems, known, places, frozenset(file.secrets), rows, by_iteration)


def _given(inputs: Inputs) -> dict[str, Any]:
    of_file = {} if inputs.env_file is None else read_env_file(inputs.env_file)
    return {**of_file, **inputs.variables}


def _mentioned(file: ScenarioFile, name: str) -> bool:
    return re.search(rf"\{{\{{\s*{re.escape(name)}\b", file.model_dump_json()) is not None


def _handshake(file: ScenarioFile, names: Names) -> tuple[dict[str, Any], bool]:
    """Target and handshake, and whether they differ from connection to connection."""
    fields: dict[str, Any] = {
        "target": _target(file.target, names),
        "params": _pairs(file.params, "params", names, "url"),
        "headers": _pairs(file.headers, "headers", names, ""),
        "cookies": _pairs(file.cookies, "cookies", names, "url"),
        "subprotocols": tuple(
            names.resolve(text, ("subprotocols", at), fixed=_BEFORE) for at, text in enumerate(file.subprotocols)
        ),
    }
    if file.origin is not None:
        fields["origin"] = names.resolve(file.origin, ("origin",), fixed=_BEFORE)
    if file.user is not None:
        fields["user"] = names.resolve(file.user, ("user",), fixed=_BEFORE, secrets=True)
    if file.bearer is not None:
        fields["bearer"] = names.resolve(file.bearer, ("bearer",))
    texts = [fields["target"], fields.get("bearer", "")]
    texts += [value for key in ("params", "headers", "cookies") for _, value in fields[key]]
    template = any(isinstance(piece, Placeholder) for text in texts for piece in pieces(text))
    if not template:
        fields["target"] = _bare(fields["target"])
        if "bearer" in fields:
            fields["bearer"] = _bare(fields["bearer"])
        for key in ("params", "headers", "cookies"):
            fields[key] = tuple((name, _bare(value)) for name, value in fields[key])
    return fields, template


def _bare(text: str) -> str:
    """A text that is no template: what was escaped in it is meant."""
    return text.replace("\\{{", "{{")


def _pairs(found: Mapping[str, str], key: str, names: Names, default: str) -> tuple[tuple[str, str], ...]:
    resolved = []
    for name, value in found.items():
        # Parameters are encoded as a whole when the URL is made: what is known is put in as it is.
        text = names.resolve(value, (key, name), default=default, late_only=key == "params")
        resolved.append((name, text))
    return tuple(resolved)


def _target(text: str, names: Names) -> str:
    """Host and port must be known; what stands behind them may differ from connection to connection."""
    made = ""
    for piece in pieces(text):
        if isinstance(piece, str):
            made += piece
            continue
        _, scheme, rest = made.partition("://")
        behind = bool(scheme) and re.search(r"[/?]", rest) is not None
        fixed = "" if behind else "host and port must be known before the run"
        made += names.resolve(piece.text, ("target",), default="url" if behind else "", fixed=fixed)
    return made


def _check_thresholds(file: ScenarioFile, problems: Problems) -> None:
    for at, text in enumerate(file.thresholds):
        try:
            parse_thresholds([text], "")
        except UsageError as error:
            problems.add(("thresholds", at), error.what.removeprefix(": "), error.remedy)


def _check_in_flight(file: ScenarioFile, overrides: Overrides, problems: Problems) -> None:
    if file.load.in_flight in {None, 1} or "in_flight" in overrides.load:
        return
    alone = len(file.iterate) == 1 and file.iterate[0].model_fields_set == {"send"} and not file.users
    if not alone:
        what = "only iterations of one send without expect may overlap"
        problems.add(("load", "in_flight"), what, "Drop it: an iteration of several steps runs one at a time.")


def _scenario(  # noqa: C901 - one rule for each part
    file: ScenarioFile, fields: dict[str, Any], overrides: Overrides, extra: dict[str, Any], problems: Problems
) -> Scenario:
    given = file.model_dump(include=set(_TOP_FIELDS), exclude_none=True)
    for key in given:
        # Models of their own stay what they are.
        fields[_TOP_FIELDS[key]] = getattr(file, key)
    load = {name: getattr(file.load, key) for key, name in _LOAD_FIELDS.items() if getattr(file.load, key) is not None}
    if file.load.stages is not None:
        load["stages"] = tuple(Stage(duration_ns=one.duration, target_per_s=one.target) for one in file.load.stages)
    for one in ("rate_per_s", "rate_per_conn_per_s", "stages"):
        # A schedule of the command line replaces that of the file, in whatever form it is written.
        if overrides.load.get(one):
            for other in ("rate_per_s", "rate_per_conn_per_s", "stages"):
                load.pop(other, None)
            if one == "stages":
                load.pop("duration_ns", None)
    program: Program = extra["program"]
    if not (program.script.iterates if program.script else any(user.iterate for user in program.users)):
        load["idle"] = True
    tls = {name: getattr(file.tls, key) for key, name in _TLS_FIELDS.items() if getattr(file.tls, key) is not None}
    top = dict(overrides.top)
    for key in ("params", "headers", "cookies"):
        if key in top:
            # A flag replaces what the file has under that name. It is no template.
            escape = extra["program"].handshake_template and not overrides.stored
            added = [(name, value.replace("{{", "\\{{") if escape else value) for name, value in top[key]]
            named = {name.lower() for name, _ in added}
            top[key] = (*((name, value) for name, value in fields[key] if name.lower() not in named), *added)
    merged = {**fields, "thresholds": tuple(file.thresholds), **top, **extra}
    merged |= {"load": {**load, **overrides.load}, "tls": {**tls, **overrides.tls}}
    try:
        return Scenario(**merged)
    except UsageError as error:
        _blame(error, problems)
        problems.check()
        raise


def _blame(error: UsageError, problems: Problems) -> None:
    """An error of the rules over several fields, at the key that the flag in it stands for."""
    match = _FLAG.match(error.what)
    place = _KEY_OF_FLAG.get(match[0]) if match else None
    if match is None or place is None or not problems.knows(place):
        raise error
    rest = error.what[match.end() :].removeprefix(":").strip()
    problems.add(place, _in_keys(rest), _in_keys(error.remedy))


def _in_keys(text: str) -> str:
    def key(match: re.Match[str]) -> str:
        place = _KEY_OF_FLAG.get(match[0])
        return str(place[-1]) if place and match[0] != "URL" else match[0]

    text = text.replace("drop the flag", "drop the key").replace("needs a scenario", "has think among its steps")
    return _FLAG.sub(key, text)


def redacted_text(tree: Tree, file: ScenarioFile) -> str:
    """The file's text with `***` for the values of secrets, so that it may be stored."""
    places: list[Place] = [("variables", name) for name in file.secrets]
    places += [("environments", env, name) for env in file.environments for name in file.secrets]
    places += [("headers", name) for name in file.headers if name.lower() in SECRET_HEADERS]
    places += [("cookies", name) for name in file.cookies] + [("user",), ("bearer",)]
    if file.data and file.data.rows:
        places += [("data", "rows", at, name) for at in range(len(file.data.rows)) for name in file.secrets]
    text = tree.text
    spans = {tree.values[place]: '"***"' for place in places if place in tree.values and not _only_names(tree, place)}
    if redact_url(file.target) != file.target:
        spans[tree.values[("target",)]] = f'"{redact_url(file.target)}"'
    for span, instead in sorted(spans.items(), key=lambda item: -item[0].start):
        text = text[: span.start] + instead + text[span.end :]
    return text


def _only_names(tree: Tree, place: Place) -> bool:
    """Whether a handshake value names its secret rather than holding it."""
    span = tree.values[place]
    return place[0] in {"headers", "cookies", "user", "bearer"} and "{{" in tree.text[span.start : span.end]
