"""From what a person writes on the command line to what a scenario holds; errors name the flag."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from wsload.errors import UsageError
from wsload.units import UnitError, parse_count, parse_duration, parse_size

if TYPE_CHECKING:
    from wsload.engine.alarm import AlarmRequest
    from wsload.engine.ray import Cluster
    from wsload.scenario import Recording, Stage, Think
    from wsload.scenario.parts import Reconnect, Waits

T = TypeVar("T")
MAX_WORKERS = 1024


def quantity(flag: str, parse: Callable[[str], T], text: str) -> T:
    """A quantity of `wsload.units`."""
    try:
        return parse(text)
    except UnitError as error:
        raise UsageError(f"{flag}: {error.what}", error.remedy) from None


def maybe(flag: str, parse: Callable[[str], T], text: str | None) -> T | None:
    """A quantity of `wsload.units`, if there is one."""
    return None if text is None else quantity(flag, parse, text)


def headers(texts: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Header lines: `Name: value`. What stands in one may be a secret: an error shows no more than its name."""
    return tuple(_split("-H/--header", text, ":", "Write -H 'Name: value'.") for text in texts or ())


def pairs(flag: str, texts: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Pairs: `NAME=VALUE`."""
    return tuple(_split(flag, text, "=", f"Write {flag} NAME=VALUE.") for text in texts or ())


def variables(texts: Sequence[str] | None) -> dict[str, str]:
    """Variables: `NAME=VALUE`; the last of a name holds."""
    return dict(pairs("--var", texts))


def refuse_variables(var: object, env: object, env_file: object) -> None:
    """Without a scenario there are no variables."""
    for flag, given in (("--var", var), ("--env", env), ("--env-file", env_file)):
        if given:
            remedy = "Name a scenario file instead of a URL; `wsload init` writes one."
            raise UsageError(f"{flag}: only a scenario has variables", remedy)


def labels(texts: Sequence[str] | None) -> dict[str, str]:
    """Labels: `KEY=VALUE`, each key once."""
    found: dict[str, str] = {}
    for key, value in pairs("--label", texts):
        if key in found:
            raise UsageError(f"--label: {key} is given twice", "A run has one value for each label.")
        found[key] = value
    return found


def reconnect(text: str) -> "Reconnect":
    """`never`, `forever`, `storm` or a number of attempts."""
    from wsload.scenario.words import parse_reconnect

    return quantity("--reconnect", parse_reconnect, text)


def waits(text: str) -> "Waits":
    """Two waits: `1s,30s`."""
    from wsload.scenario.words import parse_waits

    return quantity("--reconnect-wait", parse_waits, text)


def seed(text: str) -> int:
    """A seed in the form in which results print it."""
    from wsload.scenario.words import parse_seed

    return quantity("--seed", parse_seed, text)


def workers(text: str) -> int:
    """A number of worker processes."""
    return _whole("--workers", text, range(1, MAX_WORKERS + 1), "a number of processes")


def stage(text: str) -> "Stage":
    """A stage: `30s:20k/s`."""
    from wsload.scenario.words import parse_stage

    return quantity("--stage", parse_stage, text)


def think(text: str) -> "Think":
    """A law of waits: `1s`, `uniform:1s,3s`, `exp:2s`."""
    from wsload.scenario.words import parse_think

    return quantity("--think", parse_think, text)


def recording(connections: str, keep_on: str, payload: str, limit: str) -> "Recording":
    """What the timeline keeps."""
    from wsload.scenario import Recording, parse_keep_on, parse_whole

    one_in, count = parse_whole(connections)
    kept = parse_keep_on(keep_on)
    return Recording(
        one_in=one_in,
        count=count,
        on_error=kept.error,
        on_close=kept.close,
        slow_quantile=kept.slow_quantile,
        payload_bytes=quantity("--record-payload", parse_size, payload),
        limit_bytes=quantity("--record-limit", parse_size, limit),
    )


def close_code(text: str) -> int:
    """A close code; which may be sent is the scenario's business."""
    return _whole("--close-code", text, range(5000), "a close code")


def port(text: str) -> int:
    """A port to listen on; 0 for any that is free."""
    return _whole("--port", text, range(1 << 16), "a port")


def alarm(texts: Sequence[str] | None, command: str | None, every: str) -> "AlarmRequest":
    """What is to hold all the time, and what to run when it does not."""
    from wsload.engine.alarm import AlarmRequest, parse_command
    from wsload.scenario import parse_alerts

    if command is not None and not texts:
        raise UsageError("--on-breach: there is no alert that could be broken", "Add --alert 'response.p99 < 250ms'.")
    every_ns = quantity("--breach-every", parse_duration, every)
    return AlarmRequest(parse_alerts(texts or ()), parse_command(command), every_ns)


def pid(text: str | None) -> int | None:
    """A process, if there is one."""
    return None if text is None else _whole("--watch-pid", text, range(1, 1 << 22), "a process number")


def share(flag: str, text: str) -> float:
    """A share of 0 to 100 %: `5%`."""
    number = text.strip().removesuffix("%").strip()
    if not text.strip().endswith("%") or not re.fullmatch(r"\d+(\.\d+)?", number) or float(number) > 100:
        raise UsageError(f"{flag}: {text!r} is no share", "Write a percentage of 0 to 100, such as 5%.")
    return float(number) / 100


def metrics(flag: str, texts: Sequence[str] | None) -> list[str] | None:
    """The metrics of names and groups, such as `response.p99` or `response`; None if none are given."""
    from wsload.analysis.metrics import NAMES

    if not texts:
        return None
    found: list[str] = []
    for text in texts:
        fitting = [name for name in NAMES if text in {name, name.partition(".")[0]}]
        if not fitting:
            raise UsageError(f"{flag}: {text!r} is no metric", f"Metrics: {', '.join(NAMES)}.")
        found += [name for name in fitting if name not in found]
    return found


def _whole(flag: str, text: str, allowed: range, what: str) -> int:
    if not text.isdecimal() or int(text) not in allowed:
        raise UsageError(f"{flag}: {text!r} is not {what}", f"It takes {allowed[0]} to {allowed[-1]}.")
    return int(text)


def _split(flag: str, text: str, separator: str, remedy: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    name = name.strip()
    if not found or not name:
        shown = name.split()[0] if name else ""
        raise UsageError(f"{flag}: {shown!r} has no {'name' if found else repr(separator)}", remedy)
    return name, value.strip() if separator == ":" else value


def cluster(on: str | None, nodes: str | None) -> "Cluster | None":
    """Where to make the load: `ray` is the cluster of this machine, `ray://HOST:PORT` another."""
    if on is None:
        if nodes is not None:
            raise UsageError("--nodes: of which cluster is not said", "Add --on ray, or --on ray://HOST:PORT.")
        return None
    from wsload.engine.ray import Cluster

    if on != "ray" and not re.fullmatch(r"ray://(\[[0-9a-fA-F:]+\]|[^\s/:]+):\d{1,5}", on):
        raise UsageError(f"--on: {on!r} is no cluster", "Write ray for the one of this machine, or ray://HOST:PORT.")
    count = None if nodes is None else quantity("--nodes", parse_count, nodes)
    if count == 0:
        raise UsageError("--nodes: 0 nodes", "It takes at least 1.")
    return Cluster(None if on == "ray" else on, count)
