"""From scenario to plan: every reference resolved, every default filled in."""

import random
import string
from pathlib import Path

from wsload.errors import UsageError
from wsload.scenario.model import DEFAULT_SIZE_BYTES, MAX_MESSAGE_BYTES, Scenario
from wsload.scenario.plan import (
    ClosedLoad,
    IdleLoad,
    OpenLoad,
    Plan,
    PlanHandshake,
    PlanMessage,
    PlanTarget,
)
from wsload.scenario.url import Address, parse_address

INTERVAL_NS = 10**9
MESSAGE_NAME = "message"


def build_plan(scenario: Scenario) -> Plan:
    """Resolves a scenario.

    Raises:
        UsageError: a message file cannot be read, or is not text and should be.
    """
    address = parse_address(scenario.target, list(scenario.params))
    first = scenario.first_message
    return Plan(
        target=PlanTarget(
            host=address.host, port=address.port, resource=address.resource, host_header=address.host_header
        ),
        handshake=PlanHandshake(
            headers=_headers(scenario, address), subprotocols=scenario.subprotocols, origin=scenario.origin
        ),
        connections=scenario.load.connections,
        connect_rate_per_s=scenario.load.connect_rate_per_s,
        connect_timeout_ns=scenario.connect_timeout_ns,
        reply_timeout_ns=scenario.reply_timeout_ns,
        source_ips=scenario.source_ips,
        reconnect_attempts=scenario.reconnect_attempts,
        load=_load(scenario),
        message=None if scenario.load.idle else _message(scenario),
        first_message=None if first is None else PlanMessage(name="first", kind="text", payload=first.encode()),
        matching=scenario.match,
        duration_ns=scenario.duration_ns,
        iterations=scenario.load.iterations,
        warmup_ns=scenario.load.warmup_ns,
        interval_ns=INTERVAL_NS,
        grain_ns=scenario.load.grain_ns,
        seed=scenario.seed,
        max_message_bytes=scenario.max_message_bytes,
    )


def _load(scenario: Scenario) -> ClosedLoad | OpenLoad | IdleLoad:
    if scenario.load.idle:
        return IdleLoad()
    if scenario.total_rate_per_s:
        return OpenLoad(rate_per_s=scenario.total_rate_per_s, arrivals=scenario.load.arrivals or "constant")
    return ClosedLoad(in_flight=scenario.load.in_flight or 1)


def _headers(scenario: Scenario, address: Address) -> tuple[tuple[str, str], ...]:
    headers = list(scenario.headers)
    named = {name.lower() for name, _ in headers}
    if address.authorization:
        if "authorization" in named:
            raise UsageError(
                "-H/--header: Authorization is given, and the URL has a user as well", "Name one of the two."
            )
        headers.append(("Authorization", address.authorization))
    if scenario.cookies:
        headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in scenario.cookies)))
    return tuple(headers)


def _message(scenario: Scenario) -> PlanMessage:
    message = scenario.message
    kind = "binary" if message.binary else "text"
    if message.text is not None:
        payload = message.text.encode()
    elif message.file is not None:
        payload = _read(message.file, text=not message.binary)
    else:
        size = DEFAULT_SIZE_BYTES if message.size_bytes is None else message.size_bytes
        payload = _filler(size, scenario.seed, binary=message.binary)
    return PlanMessage(name=MESSAGE_NAME, kind=kind, payload=payload)


def _read(path: Path, *, text: bool) -> bytes:
    try:
        with path.open("rb") as file:
            payload = file.read(MAX_MESSAGE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"--message-file: {path}: {reason}", "Name a file that can be read.") from None
    if len(payload) > MAX_MESSAGE_BYTES:
        raise UsageError(f"--message-file: {path} is larger than 64 MiB", "A message is at most 64 MiB.")
    if text:
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            what = f"--message-file: {path} is not UTF-8 text (byte {error.start})"
            raise UsageError(what, "Add --binary to send it as a binary message.") from None
    return payload


def _filler(size: int, seed: int, *, binary: bool) -> bytes:
    """Bytes that a seed repeats and no compressor shrinks much; printable when sent as text."""
    source = random.Random(seed)  # noqa: S311 - a payload, not a secret
    if binary:
        return source.randbytes(size)
    return bytes(source.choices((string.ascii_letters + string.digits).encode(), k=size))
