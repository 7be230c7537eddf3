"""`wsload replay` and `wsload timeline diff`: recorded connections against another release."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.cli import flags, values
from wsload.cli.choices import TlsVersion
from wsload.cli.reach import reach
from wsload.errors import ExitCode, UsageError
from wsload.units import format_count, format_latency, parse_count, parse_duration

if TYPE_CHECKING:
    from wsload.client.replay import Replayed
    from wsload.timeline.diff import Diff, Masks
    from wsload.timeline.script import Script

PACE = "Pace"
DIFF = "Comparison"

Mask = Annotated[
    str | None,
    typer.Option(
        "--mask",
        metavar="PATHS",
        help="Values that may differ: JSONPaths, '$.ts,$.id'.",
        rich_help_panel=DIFF,
    ),
]
AutoMask = Annotated[
    bool,
    typer.Option(
        "--auto-mask/--no-auto-mask",
        help="Leave out values that differ from message to message within the recording.",
        rich_help_panel=DIFF,
    ),
]
FailOnDiff = Annotated[
    bool, typer.Option("--fail-on-diff", help="End with exit code 3 when something differs.", rich_help_panel=DIFF)
]


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A run file with a timeline.", show_default=False)],
    url: flags.Url,
    conn: Annotated[
        list[str] | None,
        typer.Option(
            "--conn",
            metavar="N[.ATTEMPT]",
            help="Only this connection, as far as it was kept. Repeatable.  [default: all that were kept whole]",
            rich_help_panel=PACE,
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", metavar="FACTOR", help="Faster or slower than recorded.", rich_help_panel=PACE)
    ] = "1",
    asap: Annotated[bool, typer.Option("--asap", help="Wait for no time at all.", rich_help_panel=PACE)] = False,
    wait_replies: Annotated[
        bool,
        typer.Option(
            "--wait-replies",
            help="Send a message only when as many have come as had come before it in the recording.",
            rich_help_panel=PACE,
        ),
    ] = False,
    copies: Annotated[
        str,
        typer.Option("--copies", metavar="COUNT", help="Play each connection so many times.", rich_help_panel=PACE),
    ] = "1",
    var: Annotated[
        list[str] | None,
        typer.Option(
            "--var",
            metavar="NAME=VALUE",
            help="A secret that the recording does not hold; {copy} in it is the number of the copy. Repeatable.",
            rich_help_panel=PACE,
        ),
    ] = None,
    reply_timeout: Annotated[
        str,
        typer.Option("--reply-timeout", metavar="TIME", help="How long to wait for replies.", rich_help_panel=PACE),
    ] = "5s",
    mask: Mask = None,
    auto_mask: AutoMask = True,
    fail_on_diff: FailOnDiff = False,
    header: flags.HeaderFlag = None,
    param: flags.Param = None,
    cookie: flags.Cookie = None,
    user: flags.User = None,
    bearer: flags.Bearer = None,
    subprotocol: flags.Subprotocol = None,
    origin: flags.Origin = None,
    cacert: flags.CaCert = None,
    cert: flags.Cert = None,
    key: flags.Key = None,
    insecure: flags.Insecure = False,
    sni: flags.Sni = None,
    tls_min: flags.TlsMin = TlsVersion.V1_2,
    tls_max: flags.TlsMax = TlsVersion.V1_3,
    connect_to: flags.ConnectTo = None,
    proxy: flags.ProxyFlag = None,
    connect_timeout: flags.ConnectTimeout = "10s",
    output: flags.Output = None,
) -> int:
    """Play recorded connections again, and compare what comes back with what came then.

    Messages go out when they did in the recording. The result is a run file with a timeline of its own.

    Exit codes: 0 played; 1 no connection; 2 wrong usage; 3 something differs, with --fail-on-diff.
    """
    from wsload.client.replay import Pace, run_replay
    from wsload.timeline.store import save

    count = values.quantity("--copies", parse_count, copies)
    if count < 1:
        raise UsageError("--copies: none at all", "It takes at least 1.")
    pace = Pace(
        speed=0.0 if asap else _factor(speed),
        wait_replies=wait_replies,
        reply_timeout_s=values.quantity("--reply-timeout", parse_duration, reply_timeout) / 1e9,
    )
    variables = dict(values.pairs("--var", var))
    scripts = _scripts(file, conn, variables)
    plan = reach(
        url,
        connections=count * len(scripts),
        header=header,
        param=param,
        cookie=cookie,
        user=user,
        bearer=bearer,
        subprotocol=subprotocol,
        origin=origin,
        cacert=cacert,
        cert=cert,
        key=key,
        insecure=insecure,
        sni=sni,
        tls_min=tls_min,
        tls_max=tls_max,
        connect_to=connect_to,
        proxy=proxy,
        connect_timeout=connect_timeout,
    )
    path = output or Path(f"replay-{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}.wsload")
    if path.exists():
        raise UsageError(f"--output: {path} exists already", "Name another file.")
    masks = _masks(mask, scripts, automatic=auto_mask)
    result = run_replay(plan, scripts, pace, copies=count, variables=variables)
    save(path, url, result.epoch_unix_ns, result.events, source=f"replay of {file.name}")
    _tell(result, scripts, count)
    from wsload.timeline.diff import compare

    pairs = (
        (number, scripts[number % len(scripts)].received, result.received(number))
        for number in range(count * len(scripts))
    )
    diff = compare(pairs, masks)
    _print(diff)
    typer.echo(f"saved {path}")
    return ExitCode.REGRESSED if fail_on_diff and diff.differences else ExitCode.OK


def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A run file with a timeline.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Another one.")],
    mask: Mask = None,
    auto_mask: AutoMask = True,
    fail_on_diff: FailOnDiff = False,
) -> int:
    """Compare what was received in two recordings, connection by connection in the order of their numbers."""
    from wsload.results import RunFile
    from wsload.timeline.diff import compare
    from wsload.timeline.script import read_scripts

    with RunFile.open(before) as one, RunFile.open(after) as other:
        first, second = read_scripts(one, ()).scripts, read_scripts(other, ()).scripts
    masks = _masks(mask, first, automatic=auto_mask)
    if len(first) != len(second):
        typer.echo(f"{len(first)} connections were kept whole before, {len(second)} after: the first ones are compared")
    pairs = ((one.connection, one.received, other.received) for one, other in zip(first, second, strict=False))
    found = compare(pairs, masks)
    _print(found)
    return ExitCode.REGRESSED if fail_on_diff and found.differences else ExitCode.OK


def _scripts(file: Path, conn: list[str] | None, variables: dict[str, str]) -> "tuple[Script, ...]":
    from wsload.cli.timeline import connection_of
    from wsload.results import RunFile
    from wsload.timeline.script import has_secrets, missing_variables, read_scripts

    with RunFile.open(file) as run:
        recorded = read_scripts(run, [connection_of(text) for text in conn or ()])
        missing = missing_variables(recorded.scripts, has_secrets(run), variables)
    if missing:
        flag = " ".join(f"--var '{name}=...'" for name in missing)
        raise UsageError(f"{file}: secrets were left out of it: {', '.join(missing)}", f"Give them: {flag}.")
    if recorded.incomplete:
        what = f"{format_count(recorded.incomplete)} connections were not recorded whole and are left out"
        typer.echo(what, err=True)
    return recorded.scripts


def _masks(mask: str | None, scripts: "tuple[Script, ...]", *, automatic: bool) -> "Masks":
    from wsload.timeline.diff import Masks

    paths = [path for path in (mask or "").split(",") if path.strip()]
    return Masks(paths, (event for script in scripts for event in script.received), automatic=automatic)


def _tell(result: "Replayed", scripts: "tuple[Script, ...]", copies: int) -> None:
    sent = sum(event.is_message and event.direction == "sent" for event in result.events)
    received = sum(event.is_message and event.direction == "received" for event in result.events)
    owed = sum(len(script.received) for script in scripts) * copies
    connections = len(scripts) * copies
    parts = [
        f"{format_count(connections)} connections",
        f"{format_count(sent)} sent",
        f"{format_count(received)} received where {format_count(owed)} were recorded",
    ]
    if result.failed:
        parts.append(f"{format_count(result.failed)} could not connect")
    if result.unsent:
        parts.append(f"{format_count(result.unsent)} not sent")
    if result.lateness_ns:
        late = sorted(result.lateness_ns)
        p99 = late[min(len(late) * 99 // 100, len(late) - 1)]
        parts.append(f"sent p99 {format_latency(p99)}, at most {format_latency(late[-1])} after the recording's time")
    typer.echo(" · ".join(parts))


def _print(diff: "Diff") -> None:
    from wsload.report.diff import lines
    from wsload.report.pager import show

    sys.stdout.flush()
    show(lines(diff), paged=False)


def _factor(text: str) -> float:
    try:
        factor = float(text.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0.001 <= factor <= 1_000:
        raise UsageError(f"--speed: {text!r} is no factor", "Write a number such as 2 or 0.5, or use --asap.")
    return factor
