"""Keywords of the Python API: the flags of `wsload run`, with `_` for `-` and the plural where a flag is repeatable.

Each has one row in `FIELDS`: which part and field of the scenario it sets, and how its value is read. Quantities are
written as on the command line (`"10s"`, `"20k/s"`, `"64KiB"`) or are plain numbers of seconds, per second, bytes.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from wsload.errors import UsageError
from wsload.scenario import (
    Compression,
    Proxy,
    Stage,
    Think,
    environment_proxy,
    parse_address,
    parse_compression,
    parse_proxy,
)
from wsload.scenario.parts import Reconnect, Waits
from wsload.scenario.words import parse_reconnect, parse_seed, parse_stage, parse_think, parse_waits
from wsload.units import UnitError, parse_count, parse_duration, parse_rate, parse_size

T = TypeVar("T")
Duration = str | float | timedelta
Rate = str | float
Count = str | int
Size = str | int
File = str | os.PathLike[str]
Pairs = Mapping[str, str] | Iterable[tuple[str, str]]


class ScenarioOptions(TypedDict, total=False):
    """What a scenario may be made of beside its target; `None` is as good as leaving it out."""

    connections: Count
    duration: Duration | None
    iterations: Count | None
    rate: Rate | None
    rate_per_conn: Rate | None
    stages: Sequence[str | tuple[Duration, Rate]]
    arrivals: Literal["constant", "poisson"] | None
    grain: Duration
    in_flight: Count | None
    think: Duration | None
    publishers: Count | None
    idle: bool
    echo: bool
    warmup: Duration
    message: str | None
    message_file: File | None
    size: Size | None
    binary: bool
    first_message: str | None
    match: str
    match_received: str | None
    reply_timeout: Duration
    connect_rate: Rate | None
    connect_timeout: Duration
    connection_lifetime: Duration | None
    reconnect: str | int
    reconnect_wait: str | tuple[Duration, Duration] | None
    source_ips: Sequence[str]
    redact: Sequence[str]
    serialize_connects: bool
    connect_to: str | Sequence[str] | None
    every_address: bool
    proxy: str | None
    headers: Pairs
    params: Pairs
    cookies: Pairs
    cookie_jar: bool
    user: str | None
    bearer: str | None
    subprotocols: Sequence[str]
    require_subprotocol: bool
    origin: str | None
    compress: bool | str | None
    cacert: File | None
    cert: File | None
    key: File | None
    insecure: bool
    sni: str | None
    tls_resume: bool
    tls_min: Literal["1.2", "1.3"]
    tls_max: Literal["1.2", "1.3"]
    fragment: Size | None
    max_frame: Size
    max_message: Size
    ping_interval: Duration | None
    ping_timeout: Duration | None
    close_code: int
    close_reason: str
    thresholds: Sequence[str]
    seed: str | int | None


class RunOptions(ScenarioOptions, total=False):
    """What a run may be told as well."""

    output: File | None
    workers: int | None
    labels: Mapping[str, str]


def duration(value: Any) -> int:
    """Nanoseconds of `"1m30s"`, of a number of seconds or of a timedelta."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return parse_duration(value) if isinstance(value, str) else _scaled(value, 10**9, "seconds", "10s")


def _rate(value: Any) -> float:
    return parse_rate(value) if isinstance(value, str) else float(_number(value, "messages per second", "20k/s"))


def _count(value: Any) -> int:
    return parse_count(value) if isinstance(value, str) else _whole(value, "a whole number", "50k")


def _size(value: Any) -> int:
    return parse_size(value) if isinstance(value, str) else _whole(value, "a number of bytes", "64KiB")


def _stages(value: Any) -> tuple[Stage, ...]:
    def one(stage: Any) -> Stage:
        if isinstance(stage, Stage):
            return stage
        if isinstance(stage, str):
            return parse_stage(stage)
        try:
            span, target = stage
        except (TypeError, ValueError):
            raise UnitError(f"{stage!r} is no stage", 'Write "30s:20k/s" or ("30s", "20k/s").') from None
        return Stage(duration_ns=duration(span), target_per_s=_rate(target))

    return tuple(one(stage) for stage in ([value] if isinstance(value, str) else value))


def _think(value: Any) -> Think:
    # A number is a fixed wait, as a plain "1s" is.
    return parse_think(value if isinstance(value, str) else f"{duration(value)}ns")


def _reconnect(value: Any) -> Reconnect:
    if isinstance(value, int) and not isinstance(value, bool):
        return Reconnect() if value == 0 else parse_reconnect(str(value))
    return parse_reconnect(_text(value))


def _waits(value: Any) -> Waits:
    if isinstance(value, str):
        return parse_waits(value)
    try:
        first, longest = value
    except (TypeError, ValueError):
        raise UnitError(f"{value!r} are no two waits", 'Write "1s,30s" or ("1s", "30s").') from None
    return Waits(first_ns=duration(first), longest_ns=duration(longest))


def _seed(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_seed(f"{value:x}")
    return parse_seed(_text(value))


def _compression(value: Any) -> Compression | None:
    if isinstance(value, bool):
        return Compression() if value else None
    return parse_compression(_text(value))


def _proxy(value: Any, target: str) -> Proxy | None:
    text = _text(value)
    return environment_proxy(parse_address(target, []), dict(os.environ)) if text == "env" else parse_proxy(text)


def pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """Of a mapping or of pairs."""
    # What stands in one may be a secret: no error shows a value.
    found = []
    for pair in value.items() if isinstance(value, Mapping) else value:
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise UnitError("it holds no pairs of texts", 'Write {"Name": "value"} or [("Name", "value")].')
        found.append((pair[0], pair[1]))
    return tuple(found)


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(_text(one) for one in value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnitError("it is no text", "Write a str.")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UnitError(f"{value!r} is neither True nor False", "Write True or False.")
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise UnitError(f"{value!r} is no path", "Name a file.")
    return Path(value)


def _scaled(value: Any, scale: int, what: str, example: str) -> int:
    number = _number(value, what, example)
    # Exact where it can be: 0.1 s is 100,000,000 ns.
    return number * scale if isinstance(number, int) else round(number * scale)


def _whole(value: Any, what: str, example: str) -> int:
    number = _number(value, what, example)
    if not isinstance(number, int):
        raise UnitError(f"{value!r} is not {what}", f'Write an int, or a text such as "{example}".')
    return number


def _number(value: Any, what: str, example: str) -> int | float:
    # NaN is not above or below anything.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise UnitError(f"{value!r} is not a number of {what}", f'Write a number, or a text such as "{example}".')
    return value


@dataclass(frozen=True, slots=True)
class Field:
    """Where a keyword goes: a field of the scenario, or of one of its parts."""

    part: Literal["", "load", "message", "tls"]
    name: str
    read: Callable[[Any], Any]


FIELDS: dict[str, Field] = {
    "connections": Field("load", "connections", _count),
    "duration": Field("load", "duration_ns", duration),
    "iterations": Field("load", "iterations", _count),
    "rate": Field("load", "rate_per_s", _rate),
    "rate_per_conn": Field("load", "rate_per_conn_per_s", _rate),
    "stages": Field("load", "stages", _stages),
    "arrivals": Field("load", "arrivals", _text),
    "grain": Field("load", "grain_ns", duration),
    "in_flight": Field("load", "in_flight", _count),
    "think": Field("load", "think", _think),
    "publishers": Field("load", "publishers", _count),
    "idle": Field("load", "idle", _flag),
    "echo": Field("load", "echo", _flag),
    "warmup": Field("load", "warmup_ns", duration),
    "connect_rate": Field("load", "connect_rate_per_s", _rate),
    "connection_lifetime": Field("load", "connection_lifetime_ns", duration),
    "message": Field("message", "text", _text),
    "message_file": Field("message", "file", _path),
    "size": Field("message", "size_bytes", _size),
    "binary": Field("message", "binary", _flag),
    "cacert": Field("tls", "cacert", _path),
    "cert": Field("tls", "cert", _path),
    "key": Field("tls", "key", _path),
    "insecure": Field("tls", "insecure", _flag),
    "sni": Field("tls", "server_name", _text),
    "tls_resume": Field("tls", "resume", _flag),
    "tls_min": Field("tls", "min_version", _text),
    "tls_max": Field("tls", "max_version", _text),
    "first_message": Field("", "first_message", _text),
    "match": Field("", "match", _text),
    "match_received": Field("", "match_received", _text),
    "reply_timeout": Field("", "reply_timeout_ns", duration),
    "connect_timeout": Field("", "connect_timeout_ns", duration),
    "reconnect": Field("", "reconnect", _reconnect),
    "reconnect_wait": Field("", "reconnect_wait", _waits),
    "source_ips": Field("", "source_ips", _texts),
    "redact": Field("", "redact", _texts),
    "serialize_connects": Field("", "serialize_connects", _flag),
    "connect_to": Field("", "connect_to", _texts),
    "every_address": Field("", "every_address", _flag),
    "headers": Field("", "headers", pairs),
    "params": Field("", "params", pairs),
    "cookies": Field("", "cookies", pairs),
    "cookie_jar": Field("", "keep_cookies", _flag),
    "user": Field("", "user", _text),
    "bearer": Field("", "bearer", _text),
    "subprotocols": Field("", "subprotocols", _texts),
    "require_subprotocol": Field("", "require_subprotocol", _flag),
    "origin": Field("", "origin", _text),
    "compress": Field("", "compression", _compression),
    "fragment": Field("", "fragment_bytes", _size),
    "max_frame": Field("", "max_frame_bytes", _size),
    "max_message": Field("", "max_message_bytes", _size),
    "ping_interval": Field("", "ping_interval_ns", duration),
    "ping_timeout": Field("", "ping_timeout_ns", duration),
    "close_code": Field("", "close_code", _count),
    "close_reason": Field("", "close_reason", _text),
    "thresholds": Field("", "thresholds", _texts),
    "seed": Field("", "seed", _seed),
    # Which proxy the environment names depends on the target: see `read_option`.
    "proxy": Field("", "proxy", _text),
}


def read_option(name: str, value: Any, target: str) -> Any:
    """The value that the scenario's field takes.

    Raises:
        UsageError: it is none that this keyword takes.
    """
    if name == "proxy":
        return read(name, lambda text: _proxy(text, target), value)
    return read(name, FIELDS[name].read, value)


def read(name: str, reader: Callable[[Any], T], value: Any) -> T:
    """What a reader makes of a value; its errors name the keyword.

    Raises:
        UsageError: the value will not do.
    """
    try:
        return reader(value)
    except UnitError as error:
        raise UsageError(f"{name}: {error.what}", error.remedy) from None
    except TypeError:
        raise UsageError(f"{name}: a value of type {type(value).__name__} will not do", "Write a list.") from None
