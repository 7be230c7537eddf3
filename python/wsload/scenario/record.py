"""Which messages of a run are kept, as a person asks for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from wsload import _core
from wsload.errors import UsageError
from wsload.scenario.plan import CountOf, OneIn, PlanRecord, PlanSecret
from wsload.units import UnitError, parse_count

EXCHANGES_PER_INTERVAL = 50
LEAST_SECRET = 4
"""Characters; anything shorter stands in messages by chance."""
REMEDY_CONNECTIONS = "Write a share such as 1/100, a number of connections such as 20, or 0."
REMEDY_KEEP_ON = "Write any of error, close and a percentile such as p99.9, or never."


class Recording(BaseModel):
    """What the timeline keeps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    one_in: int | None = 100
    """Every so-manieth connection whole; None: `count` says how many."""
    count: int = 0
    on_error: bool = True
    on_close: bool = True
    slow_quantile: float | None = 0.999
    payload_bytes: int = 4 << 10
    limit_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class KeepOn:
    """For which mishaps the last events of a connection are kept."""

    error: bool
    close: bool
    slow_quantile: float | None


def parse_whole(text: str) -> tuple[int | None, int]:
    """`1/100` as (100, 0), `20` as (None, 20).

    Raises:
        UsageError: it is neither.
    """
    share, slash, number = text.strip().partition("/")
    try:
        if slash:
            if share.strip() != "1" or parse_count(number) < 1:
                raise UsageError(f"--record-connections: {text!r} is no share of them", REMEDY_CONNECTIONS)
            return parse_count(number), 0
        return None, parse_count(share)
    except UnitError:
        what = f"--record-connections: {text!r} is no number of connections"
        raise UsageError(what, REMEDY_CONNECTIONS) from None


def parse_keep_on(text: str) -> KeepOn:
    """`error,close,p99.9` or `never`.

    Raises:
        UsageError: a word that means nothing here.
    """
    error = close = False
    quantile = None
    words = [word.strip() for word in text.split(",")]
    for word in words if words != ["never"] else []:
        percentile = re.fullmatch(r"p(\d{1,2}(?:\.\d{1,4})?)", word)
        if word == "error":
            error = True
        elif word == "close":
            close = True
        elif percentile and float(percentile[1]) > 0:
            quantile = float(percentile[1]) / 100
        else:
            raise UsageError(f"--keep-on: {word!r} is nothing to keep messages on", REMEDY_KEEP_ON)
    return KeepOn(error, close, quantile)


def check_recording(recording: Recording) -> None:
    """Checks the limits.

    Raises:
        UsageError: one is out of its range.
    """
    if not 0 <= recording.payload_bytes <= 1 << 20:
        raise UsageError(f"--record-payload: {recording.payload_bytes} bytes", "It takes 0 bytes to 1 MiB.")
    if not 1 << 16 <= recording.limit_bytes <= 1 << 40:
        raise UsageError(f"--record-limit: {recording.limit_bytes} bytes", "It takes 64 KiB to 1 TiB.")


def check_redacted(paths: Sequence[str]) -> None:
    """Checks what is not to be stored or shown of messages.

    Raises:
        UsageError: one is no JSONPath.
    """
    for path in paths:
        try:
            _core.JsonPath(path)
        except ValueError as error:
            remedy = "Write a JSONPath (RFC 9535), such as $.token or $..password."
            raise UsageError(f"--redact: {error}", remedy) from None


def plan_record(recording: Recording | None, secrets: dict[str, str]) -> PlanRecord | None:
    """What workers are told; `secrets` are values by name."""
    if recording is None:
        return None
    count = CountOf(of=recording.count)
    # The longest first: a value may hold another.
    hidden = sorted(secrets.items(), key=lambda pair: -len(pair[1]))
    return PlanRecord(
        connections=count if recording.one_in is None else OneIn(one_in=recording.one_in),
        on_error=recording.on_error,
        on_close=recording.on_close,
        slow_quantile=recording.slow_quantile,
        exchanges=EXCHANGES_PER_INTERVAL,
        payload_bytes=recording.payload_bytes,
        limit_bytes=recording.limit_bytes,
        secrets=tuple(PlanSecret(name=name, value=value) for name, value in hidden if len(value) >= LEAST_SECRET),
    )
