"""From scenario to plan: every reference resolved, every default filled in."""

import random
import string
from pathlib import Path
from typing import Literal

from wsload.errors import UsageError
from wsload.scenario.model import DEFAULT_SIZE_BYTES, MAX_MESSAGE_BYTES, Scenario
from wsload.scenario.parts import Waits
from wsload.scenario.plan import (
    SECRET_HEADERS,
    Authorities,
    BackoffPause,
    ClosedLoad,
    EchoLoad,
    IdleLoad,
    KeyMatching,
    OpenLoad,
    Plan,
    PlanClose,
    PlanCompression,
    PlanDial,
    PlanHandshake,
    PlanIdentity,
    PlanMessage,
    PlanOffer,
    PlanPing,
    PlanProxy,
    PlanReconnect,
    PlanStage,
    PlanTarget,
    PlanTls,
    StormPause,
)
from wsload.scenario.record import plan_record
from wsload.scenario.sources import expand_sources
from wsload.scenario.url import Address
from wsload.scenario.wire import Compression, basic, parse_dial, parse_matching, read_pem

INTERVAL_NS = 10**9
PING_TIMEOUT_NS = 10 * 10**9
WAITS = Waits(first_ns=10**9, longest_ns=30 * 10**9)
"""Before a lost connection is opened again, unless other pauses are asked for."""
STORM_NS = 10**9
"""Between the attempts of a storm."""
MESSAGE_NAME = "message"
PUBLISHED = '{"id": {{$id}}}'
"""What publishers send unless told otherwise."""


def build_plan(scenario: Scenario) -> Plan:
    """Resolves a scenario.

    Raises:
        UsageError: a message file cannot be read, or is not text and should be.
    """
    address = scenario.address
    first = scenario.first_message
    return Plan(
        target=PlanTarget(
            host=address.host, port=address.port, resource=address.resource, host_header=address.host_header
        ),
        dials=_dials(scenario, address),
        every_address=scenario.every_address or len(scenario.connect_to) > 1,
        proxy=_proxy(scenario, address),
        tls=_tls(scenario, address),
        handshake=PlanHandshake(
            headers=_headers(scenario, address),
            cookies=scenario.cookies,
            keep_cookies=scenario.keep_cookies,
            subprotocols=scenario.subprotocols,
            require_subprotocol=scenario.require_subprotocol,
            origin=scenario.origin,
            compression=_compression(scenario.compression),
        ),
        connections=scenario.load.connections,
        connect_rate_per_s=scenario.load.connect_rate_per_s,
        connect_timeout_ns=scenario.connect_timeout_ns,
        reply_timeout_ns=scenario.reply_timeout_ns,
        source_ips=expand_sources(scenario.source_ips),
        connection_lifetime_ns=scenario.load.connection_lifetime_ns,
        reconnect=_reconnect(scenario),
        load=_load(scenario),
        message=None if scenario.unscheduled or scenario.program else _message(scenario),
        first_message=None
        if first is None
        else PlanMessage(name="first", kind="text", payload=first.encode(), template="{{" in first),
        matching=_matching(scenario),
        program=scenario.program,
        publishers=scenario.load.publishers,
        duration_ns=scenario.duration_ns,
        iterations=scenario.load.iterations,
        warmup_ns=scenario.load.warmup_ns,
        interval_ns=INTERVAL_NS,
        grain_ns=scenario.load.grain_ns,
        seed=scenario.seed,
        max_frame_bytes=scenario.max_frame_bytes,
        max_message_bytes=scenario.max_message_bytes,
        fragment_bytes=scenario.fragment_bytes,
        ping=_ping(scenario),
        close=PlanClose(code=scenario.close_code, reason=scenario.close_reason),
        max_opening=1 if scenario.serialize_connects else None,
        record=plan_record(scenario.record, _secrets(scenario)),
        redact=scenario.redact,
    )


def _secrets(scenario: Scenario) -> dict[str, str]:
    """Values that must not be stored should they stand in a message, by name."""
    found = {f"cookie {name}": value for name, value in scenario.cookies}
    found |= {name: value for name, value in scenario.headers if name.lower() in SECRET_HEADERS}
    if scenario.bearer:
        found["bearer"] = scenario.bearer
    if scenario.user:
        found["password"] = scenario.user.partition(":")[2]
    return found


def _matching(scenario: Scenario) -> Literal["order", "none"] | KeyMatching:
    if scenario.load.echo:
        return "none"
    if scenario.load.publishers is not None and scenario.match == "order":
        # The message is our own, see `_message`.
        return parse_matching("json:$.id", None)
    return parse_matching(scenario.match, scenario.match_received)


def _reconnect(scenario: Scenario) -> PlanReconnect:
    asked, waits = scenario.reconnect, scenario.reconnect_wait or WAITS
    if asked.storm:
        return PlanReconnect(attempts=asked.attempts, pause=StormPause(every_ns=STORM_NS))
    if scenario.reconnect_wait is not None and not asked.attempts:
        raise UsageError("--reconnect-wait: nothing is opened again", "Add --reconnect forever.")
    pause = BackoffPause(first_ns=waits.first_ns, longest_ns=waits.longest_ns)
    return PlanReconnect(attempts=asked.attempts, pause=pause)


def _dials(scenario: Scenario, address: Address) -> tuple[PlanDial, ...]:
    if scenario.proxy:
        return (PlanDial(host=scenario.proxy.host, port=scenario.proxy.port),)
    return tuple(PlanDial(host=host, port=port) for host, port in _servers(scenario, address))


def _servers(scenario: Scenario, address: Address) -> list[tuple[str, int]]:
    given = dict.fromkeys(map(parse_dial, scenario.connect_to))
    return list(given) or [(address.host, address.port)]


def _proxy(scenario: Scenario, address: Address) -> PlanProxy | None:
    if scenario.proxy is None:
        return None
    host, port = _servers(scenario, address)[0]
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return PlanProxy(authority=authority, authorization=scenario.proxy.authorization)


def _tls(scenario: Scenario, address: Address) -> PlanTls | None:
    options = scenario.tls
    if address.scheme != "wss":
        return None
    trust: Authorities | Literal["anyone", "system"] = "anyone" if options.insecure else "system"
    if options.cacert:
        trust = Authorities(authorities=read_pem("--cacert", options.cacert))
    identity = None
    if options.cert and options.key:
        identity = PlanIdentity(certificate=read_pem("--cert", options.cert), key=read_pem("--key", options.key))
    return PlanTls(
        server_name=options.server_name or address.host,
        trust=trust,
        identity=identity,
        min_version=options.min_version,
        max_version=options.max_version,
        resume=options.resume,
    )


def _compression(asked: Compression | None) -> PlanCompression | None:
    if asked is None:
        return None
    return PlanCompression(offer=PlanOffer(**asked.model_dump(exclude={"level"})), level=asked.level)


def _ping(scenario: Scenario) -> PlanPing | None:
    if scenario.ping_interval_ns is None:
        return None
    timeout_ns = PING_TIMEOUT_NS if scenario.ping_timeout_ns is None else scenario.ping_timeout_ns
    return PlanPing(interval_ns=scenario.ping_interval_ns, timeout_ns=timeout_ns)


def _load(scenario: Scenario) -> ClosedLoad | OpenLoad | IdleLoad | EchoLoad:
    if scenario.load.idle:
        return IdleLoad()
    if scenario.load.echo:
        return EchoLoad()
    if scenario.total_rate_per_s:
        stages = tuple(PlanStage(**stage.model_dump()) for stage in scenario.load.stages)
        arrivals = scenario.load.arrivals or "constant"
        return OpenLoad(rate_per_s=scenario.total_rate_per_s, stages=stages, arrivals=arrivals)
    return ClosedLoad(in_flight=scenario.load.in_flight or 1, think=scenario.load.think)


def _headers(scenario: Scenario, address: Address) -> tuple[tuple[str, str], ...]:
    headers = list(scenario.headers)
    named = {name.lower() for name, _ in headers}
    sources = {
        "-H/--header Authorization": "authorization" in named,
        "-u/--user": scenario.user is not None and basic(scenario.user),
        "--bearer": scenario.bearer is not None and f"Bearer {scenario.bearer}",
        "the user in the URL": address.authorization,
    }
    given = [(source, value) for source, value in sources.items() if value]
    if len(given) > 1:
        raise UsageError(f"{given[0][0]}: {given[1][0]} is given as well", "Name the credentials once.")
    headers += [("Authorization", value) for _, value in given if isinstance(value, str)]
    return tuple(headers)


def _message(scenario: Scenario) -> PlanMessage:
    message = scenario.message
    kind = "binary" if message.binary else "text"
    if message.text is not None:
        payload = message.text.encode()
    elif message.file is not None:
        payload = _read(message.file, text=not message.binary)
    elif scenario.load.publishers is not None:
        payload = PUBLISHED.encode()
    else:
        size = DEFAULT_SIZE_BYTES if message.size_bytes is None else message.size_bytes
        payload = _filler(size, scenario.seed, binary=message.binary)
    # What is made up has no placeholders, and binary is sent as it is.
    template = kind == "text" and b"{{" in payload
    return PlanMessage(name=MESSAGE_NAME, kind=kind, payload=payload, template=template)


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
