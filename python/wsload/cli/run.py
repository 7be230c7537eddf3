"""`wsload run`: flags to scenario, scenario to result."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from wsload.cli import exports, flags, scenarios, values
from wsload.cli.choices import Format, TlsVersion
from wsload.cli.sharing import part_of, takes_flags_of
from wsload.cli.web import beside
from wsload.errors import ExitCode
from wsload.units import parse_count, parse_duration, parse_rate, parse_size

if TYPE_CHECKING:
    from wsload.engine import RunRequest, RunResult
    from wsload.report.live import LiveView


class Manner:
    """How a run is watched, and what is said of it beside its summary."""

    def view(self, request: "RunRequest") -> "LiveView":
        """Who watches it."""
        from wsload.report.live import LiveView

        return LiveView(sys.stderr, request.scenario.thresholds)

    def after(self, file: Path) -> None:
        """What is printed when the summary has been."""


def request_of(
    context: typer.Context,
    target: flags.Target,
    var: flags.Variable = None,
    env: flags.Environment = None,
    env_file: flags.EnvFile = None,
    connections: flags.Connections = "1",
    duration: flags.Duration = None,
    iterations: flags.Iterations = None,
    rate: flags.Rate = None,
    rate_per_conn: flags.RatePerConn = None,
    stage: flags.StageFlag = None,
    arrivals: flags.ArrivalsFlag = None,
    grain: flags.Grain = "250us",
    in_flight: flags.InFlight = None,
    think: flags.ThinkFlag = None,
    publishers: flags.Publishers = None,
    idle: flags.Idle = False,
    echo: flags.Echo = False,
    warmup: flags.Warmup = "0s",
    message: flags.MessageText = None,
    message_file: flags.MessageFile = None,
    size: flags.Size = None,
    binary: flags.Binary = False,
    first_message: flags.FirstMessage = None,
    match: flags.MatchFlag = "order",
    match_received: flags.MatchReceived = None,
    reply_timeout: flags.ReplyTimeout = "10s",
    connect_rate: flags.ConnectRate = None,
    connect_timeout: flags.ConnectTimeout = "10s",
    connection_lifetime: flags.ConnectionLifetime = None,
    reconnect: flags.Reconnect = "never",
    reconnect_wait: flags.ReconnectWait = None,
    source_ip: flags.SourceIp = None,
    serialize_connects: flags.SerializeConnects = False,
    connect_to: flags.ConnectTos = None,
    every_address: flags.EveryAddress = False,
    proxy: flags.ProxyFlag = None,
    header: flags.HeaderFlag = None,
    param: flags.Param = None,
    cookie: flags.Cookie = None,
    cookie_jar: flags.CookieJar = False,
    user: flags.User = None,
    bearer: flags.Bearer = None,
    subprotocol: flags.Subprotocol = None,
    require_subprotocol: flags.RequireSubprotocol = False,
    origin: flags.Origin = None,
    compress: flags.CompressFlag = None,
    cacert: flags.CaCert = None,
    cert: flags.Cert = None,
    key: flags.Key = None,
    insecure: flags.Insecure = False,
    sni: flags.Sni = None,
    tls_resume: flags.TlsResume = False,
    tls_min: flags.TlsMin = TlsVersion.V1_2,
    tls_max: flags.TlsMax = TlsVersion.V1_3,
    fragment: flags.Fragment = None,
    max_frame: flags.MaxFrame = "64MiB",
    max_message: flags.MaxMessage = "64MiB",
    ping_interval: flags.PingInterval = None,
    ping_timeout: flags.PingTimeout = None,
    close_code: flags.CloseCode = "1000",
    close_reason: flags.CloseReason = "",
    record_connections: flags.RecordConnections = "1/100",
    keep_on: flags.KeepOnFlag = "error,close,p99.9",
    record_payload: flags.RecordPayload = "4KiB",
    record_limit: flags.RecordLimit = "64MiB",
    no_record: flags.NoRecord = False,
    redact: flags.Redact = None,
    threshold: flags.ThresholdFlag = None,
    alert: flags.AlertFlag = None,
    on_breach: flags.OnBreach = None,
    breach_every: flags.BreachEvery = "10m",
    watch_pid: flags.WatchPid = None,
    watch_url: flags.WatchUrl = None,
    watch_metric: flags.WatchMetric = None,
    workers: flags.Workers = None,
    on: flags.On = None,
    nodes: flags.Nodes = None,
    label: flags.Label = None,
    seed: flags.Seed = None,
    output: flags.Output = None,
) -> "RunRequest":
    """What the flags ask for.

    Raises:
        UsageError: what is wrong with which flag, or with the scenario.
    """
    from wsload.engine import RunRequest, WatchRequest
    from wsload.scenario import LoadModel, Message, Scenario, TlsOptions, parse_compression

    # Each field with the flag that sets it: over a scenario file only flags that were given have a say.
    load = {
        "connections": ("connections", values.quantity("--connections", parse_count, connections)),
        "connect_rate_per_s": ("connect_rate", values.maybe("--connect-rate", parse_rate, connect_rate)),
        "duration_ns": ("duration", values.maybe("--duration", parse_duration, duration)),
        "iterations": ("iterations", values.maybe("--iterations", parse_count, iterations)),
        "warmup_ns": ("warmup", values.quantity("--warmup", parse_duration, warmup)),
        "publishers": ("publishers", values.maybe("--publishers", parse_count, publishers)),
        "idle": ("idle", idle),
        "echo": ("echo", echo),
        "rate_per_s": ("rate", values.maybe("--rate", parse_rate, rate)),
        "rate_per_conn_per_s": ("rate_per_conn", values.maybe("--rate-per-conn", parse_rate, rate_per_conn)),
        "stages": ("stage", tuple(values.stage(text) for text in stage or ())),
        "arrivals": ("arrivals", arrivals.value if arrivals else None),
        "think": ("think", None if think is None else values.think(think)),
        "connection_lifetime_ns": (
            "connection_lifetime",
            values.maybe("--connection-lifetime", parse_duration, connection_lifetime),
        ),
        "in_flight": ("in_flight", values.maybe("--in-flight", parse_count, in_flight)),
        "grain_ns": ("grain", values.quantity("--grain", parse_duration, grain)),
    }
    tls = {
        "cacert": ("cacert", cacert),
        "cert": ("cert", cert),
        "key": ("key", key),
        "insecure": ("insecure", insecure),
        "server_name": ("sni", sni),
        "min_version": ("tls_min", tls_min.value),
        "max_version": ("tls_max", tls_max.value),
        "resume": ("tls_resume", tls_resume),
    }
    size_bytes = values.maybe("--size", parse_size, size)
    sources = [
        flag
        for flag, given in (("message", message), ("message_file", message_file), ("size", size), ("binary", binary))
        if given
    ]
    top = {
        "params": ("param", values.pairs("--param", param)),
        "headers": ("header", values.headers(header)),
        "cookies": ("cookie", values.pairs("--cookie", cookie)),
        "keep_cookies": ("cookie_jar", cookie_jar),
        "user": ("user", user),
        "bearer": ("bearer", bearer),
        "subprotocols": ("subprotocol", tuple(subprotocol or ())),
        "require_subprotocol": ("require_subprotocol", require_subprotocol),
        "origin": ("origin", origin),
        "compression": ("compress", None if compress is None else parse_compression(compress)),
        "connect_to": ("connect_to", tuple(connect_to or ())),
        "every_address": ("every_address", every_address),
        "message": (
            (sources or ["message"])[0],
            Message(text=message, file=message_file, size_bytes=size_bytes, binary=binary),
        ),
        "first_message": ("first_message", first_message),
        "match": ("match", match),
        "match_received": ("match_received", match_received),
        "connect_timeout_ns": (
            "connect_timeout",
            values.quantity("--connect-timeout", parse_duration, connect_timeout),
        ),
        "reply_timeout_ns": ("reply_timeout", values.quantity("--reply-timeout", parse_duration, reply_timeout)),
        "reconnect": ("reconnect", values.reconnect(reconnect)),
        "reconnect_wait": ("reconnect_wait", None if reconnect_wait is None else values.waits(reconnect_wait)),
        "source_ips": ("source_ip", tuple(source_ip or ())),
        "redact": ("redact", tuple(redact or ())),
        "serialize_connects": ("serialize_connects", serialize_connects),
        "max_frame_bytes": ("max_frame", values.quantity("--max-frame", parse_size, max_frame)),
        "max_message_bytes": ("max_message", values.quantity("--max-message", parse_size, max_message)),
        "fragment_bytes": ("fragment", values.maybe("--fragment", parse_size, fragment)),
        "ping_interval_ns": ("ping_interval", values.maybe("--ping-interval", parse_duration, ping_interval)),
        "ping_timeout_ns": ("ping_timeout", values.maybe("--ping-timeout", parse_duration, ping_timeout)),
        "close_code": ("close_code", values.close_code(close_code)),
        "close_reason": ("close_reason", close_reason),
        "record": (
            "record",
            None if no_record else values.recording(record_connections, keep_on, record_payload, record_limit),
        ),
        "thresholds": ("threshold", tuple(threshold or ())),
    }
    if seed is not None:
        top["seed"] = ("seed", values.seed(seed))
    if scenarios.is_scenario(target):
        given = scenarios.given_flags(context)
        if given & {"record_connections", "keep_on", "record_payload", "record_limit", "no_record"}:
            given = {*given, "record"}
        overrides = [
            {name: value for name, (flag, value) in part.items() if flag in given} for part in (top, load, tls)
        ]
        scenario = scenarios.read(target, values.variables(var), env, env_file, overrides, proxy)
    else:
        values.refuse_variables(var, env, env_file)
        every_top = {name: value for name, (_, value) in top.items()}
        scenario = Scenario(
            target=target,
            proxy=scenarios.proxy_of(proxy, target),
            load=LoadModel.model_validate({name: value for name, (_, value) in load.items()}),
            tls=TlsOptions.model_validate({name: value for name, (_, value) in tls.items()}),
            **every_top,
        )
    crew = None if workers is None else values.workers(workers)
    watch = WatchRequest(values.pid(watch_pid), watch_url, tuple(watch_metric or ()))
    alarm = values.alarm(alert, on_breach, breach_every)
    return RunRequest(scenario, output, crew, values.labels(label), watch, alarm, on=values.cluster(on, nodes))


def play(
    request: "RunRequest",
    manner: Manner,
    /,
    dry_run: flags.DryRun = False,
    export: flags.Export = None,
    format: flags.FormatFlag = Format.TEXT,  # noqa: A002
    strict: flags.Strict = False,
    web: flags.Web = None,
    quiet: flags.Quiet = False,
) -> int:
    """Makes a run and tells what came of it; the exit code."""
    exports.check_exports(export or ())
    if dry_run:
        scenarios.show_plan(request.scenario)
        return ExitCode.OK
    with beside(request, web) as named:
        result = _execute(named, manner, format, quiet=quiet)
    exports.finish_run(result, format, export or ())
    if format is Format.TEXT and result.summary.file:
        manner.after(Path(result.summary.file))
    suspect = strict and result.exit_code == ExitCode.OK and not result.summary.verdict.trusted
    return ExitCode.SUSPECT if suspect else result.exit_code


def _execute(request: "RunRequest", manner: Manner, format: Format, *, quiet: bool) -> "RunResult":  # noqa: A002
    from wsload.engine import execute

    if format is Format.NDJSON:
        from wsload.report.live import IntervalLines

        return execute(request, IntervalLines(sys.stdout))
    if quiet:
        return execute(request)
    with manner.view(request) as view:
        return execute(request, view)


@takes_flags_of(request_of, play)
def run(context: typer.Context, **given: Any) -> int:
    """Put load on a WebSocket service and measure it.

    FILE is a scenario: flags that are given have precedence over it. The file of a run repeats that run; --var gives
    again what is not in it, its secrets.

    Without a rate each connection sends, waits for the reply and sends again (closed loop). With --rate or
    --rate-per-conn messages are due on a schedule that does not wait for the server (open loop).

    Exit codes: 0 something was measured; 1 no connection opened, or replies were awaited and none came; 2 wrong
    usage, nothing was started; 99 a threshold does not hold; 5 the result is suspect, with --strict; 130 and 143
    stopped by SIGINT or SIGTERM.
    Ctrl-C stops sending, awaits replies, closes and saves; the second time it ends at once, and saves.
    """
    return play(request_of(context, **part_of(given, request_of)), Manner(), **part_of(given, play))
