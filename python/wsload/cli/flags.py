"""The flags of `wsload run`: names, help, and the group under which the help lists each."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from wsload.cli.choices import Arrivals, Format, TlsVersion, offered
from wsload.cli.exports import EXPORT_HELP
from wsload.cli.web import HELP as WEB_HELP

SCENARIO = "Scenario"
LOAD = "Load"
MESSAGES = "Messages"
CONNECTIONS = "Connections"
HANDSHAKE = "Handshake"
TLS = "TLS (wss://)"
PROTOCOL = "Protocol"
TIMELINE = "Timeline"
RESULT = "Run and result"


def _default(text: str) -> str:
    """A default that is decided later, written like those that are known."""
    return f"  [default: {text}]"


Url = Annotated[
    str, Argument(metavar="URL", help="Where to connect: ws://host:port/path, wss:// for TLS", show_default=False)
]
Target = Annotated[
    str,
    Argument(
        metavar="URL|FILE",
        help="Where to connect: ws://host:port/path, wss:// for TLS; or a scenario: a .yaml or .py file,"
        " or the .wsload file of a run to repeat",
        show_default=False,
    ),
]
ScenarioPath = Annotated[Path, Argument(metavar="FILE", help="A scenario (.yaml, .py).", show_default=False)]
Variable = Annotated[
    list[str] | None,
    Option("--var", metavar="NAME=VALUE", help="Variable of the scenario. Repeatable.", rich_help_panel=SCENARIO),
]
Environment = Annotated[
    str | None,
    Option("--env", metavar="NAME", help="Use the variables of this environment.", rich_help_panel=SCENARIO),
]
EnvFile = Annotated[
    Path | None,
    Option("--env-file", metavar="FILE", help="Variables from a dotenv or YAML file.", rich_help_panel=SCENARIO),
]
DryRun = Annotated[
    bool, Option("--dry-run", help="Print the resolved plan and send nothing.", rich_help_panel=SCENARIO)
]

Connections = Annotated[
    str, Option("-c", "--connections", metavar="COUNT", help="Connections to hold open.", rich_help_panel=LOAD)
]
Duration = Annotated[
    str | None,
    Option(
        "-d",
        "--duration",
        metavar="TIME",
        help="How long to measure, such as 30s, 2m or 72h." + _default("10s, unless -n is given"),
        rich_help_panel=LOAD,
    ),
]
Iterations = Annotated[
    str | None,
    Option(
        "-n",
        "--iterations",
        metavar="COUNT",
        help="End after so many messages, all connections together, warm-up included.",
        rich_help_panel=LOAD,
    ),
]
Rate = Annotated[
    str | None,
    Option(
        "--rate",
        metavar="RATE",
        help="Open loop: messages per second, all connections together, such as 20k/s." + _default("closed loop"),
        rich_help_panel=LOAD,
    ),
]
RatePerConn = Annotated[
    str | None,
    Option(
        "--rate-per-conn",
        metavar="RATE",
        help="Open loop: messages per second on each connection.",
        rich_help_panel=LOAD,
    ),
]
Publishers = Annotated[
    str | None,
    Option(
        "--publishers",
        metavar="COUNT",
        help="Fan-out: so many connections send, all are to receive; takes one worker." + _default("all send"),
        rich_help_panel=LOAD,
    ),
]
StageFlag = Annotated[
    list[str] | None,
    Option(
        "--stage",
        metavar="TIME:RATE",
        help="Open loop: reach the rate linearly over the time, such as 30s:20k/s; 0s:20k/s is a step. Repeatable.",
        rich_help_panel=LOAD,
    ),
]
ArrivalsFlag = Annotated[
    Arrivals | None,
    Option(
        "--arrivals",
        help="Open loop: equal gaps, or those of independent users." + _default("constant"),
        rich_help_panel=LOAD,
    ),
]
Grain = Annotated[
    str,
    Option("--grain", metavar="TIME", help="Open loop: messages are due on ticks so far apart.", rich_help_panel=LOAD),
]
InFlight = Annotated[
    str | None,
    Option(
        "--in-flight",
        metavar="COUNT",
        help="Closed loop: messages awaiting their reply on each connection." + _default("1"),
        rich_help_panel=LOAD,
    ),
]
ThinkFlag = Annotated[
    str | None,
    Option(
        "--think",
        metavar="TIME|LAW",
        help="Closed loop: wait between a reply and the next message: 1s, uniform:1s,3s or exp:2s.",
        rich_help_panel=LOAD,
    ),
]
Idle = Annotated[bool, Option("--idle", help="Send nothing: hold connections and listen.", rich_help_panel=LOAD)]
Echo = Annotated[
    bool,
    Option("--echo", help="Send back what is received, and nothing else.", rich_help_panel=LOAD),
]
Warmup = Annotated[
    str,
    Option("--warmup", metavar="TIME", help="Load before the measured part, kept apart from it.", rich_help_panel=LOAD),
]

MessageText = Annotated[
    str | None,
    Option(
        "-m",
        "--message",
        metavar="TEXT",
        help="The message to send. {{$id}} (unique), {{$seq}}, {{$conn}}, {{$uuid}}, {{$timestamp}}, {{$sentNs}},"
        " {{$randomInt(1,6)}}, {{$randomString(8)}} and {{$pick(a,b)}} differ from send to send.",
        rich_help_panel=MESSAGES,
    ),
]
MessageFile = Annotated[
    Path | None,
    Option(
        "-f", "--message-file", metavar="FILE", help="A file whose content is the message.", rich_help_panel=MESSAGES
    ),
]
Size = Annotated[
    str | None,
    Option(
        "--size",
        metavar="SIZE",
        help="Size of a made-up message, such as 64KiB." + _default("32 bytes"),
        rich_help_panel=MESSAGES,
    ),
]
Binary = Annotated[bool, Option("--binary", help="Send it as binary, not as text.", rich_help_panel=MESSAGES)]
FirstMessage = Annotated[
    str | None,
    Option(
        "--first-message",
        metavar="TEXT",
        help="Goes out once on each new connection; no reply is awaited, and it is not counted.",
        rich_help_panel=MESSAGES,
    ),
]
MatchFlag = Annotated[
    str,
    Option(
        "--match",
        metavar="HOW",
        help="Which reply answers which message: order (the n-th the n-th), none (none is awaited), or the one with the"
        " same key: echo, json:PATH or regex:EXPRESSION, such as json:$.id for a message '{\"id\": {{$id}}}'.",
        autocompletion=offered("order", "none", "echo", "json:", "regex:"),
        rich_help_panel=MESSAGES,
    ),
]
MatchReceived = Annotated[
    str | None,
    Option(
        "--match-received",
        metavar="HOW",
        help="Where the key stands in replies, if elsewhere." + _default("as in --match"),
        rich_help_panel=MESSAGES,
    ),
]
ReplyTimeout = Annotated[
    str,
    Option(
        "--reply-timeout",
        metavar="TIME",
        help="When a reply is given up; its connection is opened anew.",
        rich_help_panel=MESSAGES,
    ),
]

ConnectRate = Annotated[
    str | None,
    Option(
        "--connect-rate",
        metavar="RATE",
        help="New connections per second." + _default("as fast as they open, 256 at a time"),
        rich_help_panel=CONNECTIONS,
    ),
]
ConnectTimeout = Annotated[
    str,
    Option("--connect-timeout", metavar="TIME", help="For TCP and upgrade together.", rich_help_panel=CONNECTIONS),
]
ConnectionLifetime = Annotated[
    str | None,
    Option(
        "--connection-lifetime",
        metavar="TIME",
        help="Close and replace connections older than this, when nothing is in flight on them.",
        rich_help_panel=CONNECTIONS,
    ),
]
Reconnect = Annotated[
    str,
    Option(
        "--reconnect",
        metavar="HOW",
        help="Open lost connections again: never, forever, until so many attempts in a row have failed, or as a storm:"
        " all at once and for ever.",
        autocompletion=offered("never", "forever", "storm"),
        rich_help_panel=CONNECTIONS,
    ),
]
ReconnectWait = Annotated[
    str | None,
    Option(
        "--reconnect-wait",
        metavar="FIRST,LONGEST",
        help="Random wait before the first attempt, at most; then waits double up to the longest." + _default("1s,30s"),
        rich_help_panel=CONNECTIONS,
    ),
]
SourceIp = Annotated[
    list[str] | None,
    Option(
        "--source-ip",
        metavar="ADDRESS|NETWORK",
        help="Local address to connect from, or a network such as 10.0.0.16/28; several take turns. Repeatable.",
        rich_help_panel=CONNECTIONS,
    ),
]
SerializeConnects = Annotated[
    bool,
    Option(
        "--serialize-connects",
        help="One connection in the opening handshake at a time, as RFC 6455 asks of clients; takes one worker.",
        rich_help_panel=CONNECTIONS,
    ),
]
ConnectTo = Annotated[
    str | None,
    Option(
        "--connect-to",
        metavar="HOST:PORT",
        help="Open TCP to this address; Host header and TLS name stay the URL's.",
        rich_help_panel=CONNECTIONS,
    ),
]
ConnectTos = Annotated[
    list[str] | None,
    Option(
        "--connect-to",
        metavar="HOST:PORT",
        help="Open TCP to this address; Host header and TLS name stay the URL's. Several take turns. Repeatable.",
        rich_help_panel=CONNECTIONS,
    ),
]
EveryAddress = Annotated[
    bool,
    Option(
        "--every-address",
        help="Connections take turns over all addresses that the target's name has."
        + _default("the first one that works"),
        rich_help_panel=CONNECTIONS,
    ),
]
ProxyFlag = Annotated[
    str | None,
    Option(
        "--proxy",
        metavar="URL|env",
        help="HTTP proxy to CONNECT through: http://[user:password@]host:port, or what HTTP_PROXY, HTTPS_PROXY and"
        " NO_PROXY say.",
        rich_help_panel=CONNECTIONS,
    ),
]

HeaderFlag = Annotated[
    list[str] | None,
    Option(
        "-H",
        "--header",
        metavar="'NAME: VALUE'",
        help="Header of the upgrade request. Repeatable.",
        rich_help_panel=HANDSHAKE,
    ),
]
Param = Annotated[
    list[str] | None,
    Option("--param", metavar="NAME=VALUE", help="Query parameter. Repeatable.", rich_help_panel=HANDSHAKE),
]
Cookie = Annotated[
    list[str] | None, Option("--cookie", metavar="NAME=VALUE", help="Cookie. Repeatable.", rich_help_panel=HANDSHAKE)
]
CookieJar = Annotated[
    bool,
    Option(
        "--cookie-jar",
        help="Each connection keeps the cookies it is given and sends them when it is opened again.",
        rich_help_panel=HANDSHAKE,
    ),
]
User = Annotated[
    str | None,
    Option("-u", "--user", metavar="NAME:PASSWORD", help="Basic authorization.", rich_help_panel=HANDSHAKE),
]
Bearer = Annotated[
    str | None, Option("--bearer", metavar="TOKEN", help="Bearer authorization.", rich_help_panel=HANDSHAKE)
]
RequireSubprotocol = Annotated[
    bool,
    Option(
        "--require-subprotocol",
        help="A server that chooses none of those offered has failed.",
        rich_help_panel=HANDSHAKE,
    ),
]
CompressFlag = Annotated[
    str | None,
    Option(
        "--compress",
        metavar="on|PARAMETERS",
        help="Offer permessage-deflate; parameters as RFC 7692 names them, and level, such as"
        " client_no_context_takeover,server_max_window_bits=10,level=1.",
        rich_help_panel=HANDSHAKE,
    ),
]
CaCert = Annotated[
    Path | None,
    Option(
        "--cacert",
        metavar="FILE",
        help="Authorities to believe (PEM)." + _default("those this machine trusts"),
        rich_help_panel=TLS,
    ),
]
Cert = Annotated[Path | None, Option("--cert", metavar="FILE", help="Client certificate (PEM).", rich_help_panel=TLS)]
Key = Annotated[Path | None, Option("--key", metavar="FILE", help="Its private key (PEM).", rich_help_panel=TLS)]
Insecure = Annotated[
    bool,
    Option("-k", "--insecure", help="Do not check the server's certificate; the result says so.", rich_help_panel=TLS),
]
Sni = Annotated[
    str | None,
    Option(
        "--sni",
        metavar="NAME",
        help="Name to ask for and to check the certificate against." + _default("the URL's host"),
        rich_help_panel=TLS,
    ),
]
TlsResume = Annotated[
    bool,
    Option(
        "--tls-resume",
        help="Resume earlier sessions." + _default("every handshake is a full one"),
        rich_help_panel=TLS,
    ),
]
TlsMin = Annotated[
    TlsVersion, Option("--tls-min", help="Lowest version to offer." + _default("1.2"), rich_help_panel=TLS)
]
TlsMax = Annotated[
    TlsVersion, Option("--tls-max", help="Highest version to offer." + _default("1.3"), rich_help_panel=TLS)
]
Fragment = Annotated[
    str | None,
    Option(
        "--fragment",
        metavar="SIZE",
        help="Send messages in frames of at most this size." + _default("one frame each"),
        rich_help_panel=PROTOCOL,
    ),
]
MaxFrame = Annotated[
    str, Option("--max-frame", metavar="SIZE", help="Longest frame to accept.", rich_help_panel=PROTOCOL)
]
MaxMessage = Annotated[
    str,
    Option("--max-message", metavar="SIZE", help="Longest message to accept, inflated.", rich_help_panel=PROTOCOL),
]
PingInterval = Annotated[
    str | None,
    Option(
        "--ping-interval",
        metavar="TIME",
        help="Ping each connection so often, and measure." + _default("no pings"),
        rich_help_panel=PROTOCOL,
    ),
]
PingTimeout = Annotated[
    str | None,
    Option(
        "--ping-timeout",
        metavar="TIME",
        help="A connection without a pong for so long is lost." + _default("10s"),
        rich_help_panel=PROTOCOL,
    ),
]
CloseCode = Annotated[
    str, Option("--close-code", metavar="CODE", help="Close code sent at the end.", rich_help_panel=PROTOCOL)
]
CloseReason = Annotated[
    str, Option("--close-reason", metavar="TEXT", help="Close reason sent with it.", rich_help_panel=PROTOCOL)
]
Subprotocol = Annotated[
    list[str] | None,
    Option("--subprotocol", metavar="NAME", help="Offer it, best first. Repeatable.", rich_help_panel=HANDSHAKE),
]
Origin = Annotated[
    str | None, Option("--origin", metavar="ORIGIN", help="Origin, as a browser sends it.", rich_help_panel=HANDSHAKE)
]

ThresholdFlag = Annotated[
    list[str] | None,
    Option(
        "--threshold",
        metavar="TEXT",
        help="What must be so, such as 'response.p99 < 50ms' or 'unanswered == 0'; add 'abort after 10s' to stop early."
        " Exit code 99 if it is not so. Repeatable.",
        rich_help_panel=RESULT,
    ),
]
AlertFlag = Annotated[
    list[str] | None,
    Option(
        "--alert",
        metavar="TEXT",
        help="What must be so in every window of time: 'response.p99 < 250ms over 5m'."
        + _default("over 1m")
        + " Repeatable.",
        rich_help_panel=RESULT,
    ),
]
OnBreach = Annotated[
    str | None,
    Option(
        "--on-breach",
        metavar="COMMAND",
        help="Run this, in no shell, when an alert is broken and when it holds again: JSON on its standard input.",
        rich_help_panel=RESULT,
    ),
]
BreachEvery = Annotated[
    str,
    Option("--breach-every", metavar="TIME", help="No more often for one alert.", rich_help_panel=RESULT),
]
WatchPid = Annotated[
    str | None,
    Option(
        "--watch-pid",
        metavar="PID",
        help="Watch memory, descriptors, threads and CPU of this process and its children.",
        rich_help_panel=RESULT,
    ),
]
WatchUrl = Annotated[
    str | None,
    Option("--watch-url", metavar="URL", help="Watch the target's Prometheus page.", rich_help_panel=RESULT),
]
WatchMetric = Annotated[
    list[str] | None,
    Option(
        "--watch-metric",
        metavar="NAME",
        help="Of that page, with labels or without; repeatable."
        + _default("process_resident_memory_bytes, process_open_fds, process_cpu_seconds_total"),
        rich_help_panel=RESULT,
    ),
]
Workers = Annotated[
    str | None,
    Option(
        "--workers",
        metavar="COUNT",
        help="Processes that make the load." + _default("one per core, never more than connections"),
        rich_help_panel=RESULT,
    ),
]
On = Annotated[
    str | None,
    Option(
        "--on",
        metavar="ray[://HOST:PORT]",
        help="Make the load on the nodes of a Ray cluster: this machine's, or the one at HOST. "
        "--workers is for each of them." + _default("this machine alone"),
        rich_help_panel=RESULT,
    ),
]
Nodes = Annotated[
    str | None,
    Option(
        "--nodes",
        metavar="COUNT",
        help="How many of the cluster's nodes." + _default("all"),
        rich_help_panel=RESULT,
    ),
]
Label = Annotated[
    list[str] | None,
    Option(
        "--label",
        metavar="KEY=VALUE",
        help="Kept with the result; the label `name` names the file. Repeatable.",
        rich_help_panel=RESULT,
    ),
]
Seed = Annotated[
    str | None,
    Option(
        "--seed",
        metavar="HEX",
        help="Repeats the schedule and the made-up message of the run that printed it." + _default("random"),
        rich_help_panel=RESULT,
    ),
]
Output = Annotated[
    Path | None,
    Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Run file to write; it must not exist yet." + _default("PATH-DATE-TIME.wsload"),
        rich_help_panel=RESULT,
    ),
]
Export = Annotated[list[Path] | None, Option("--export", metavar="FILE", help=EXPORT_HELP, rich_help_panel=RESULT)]
RecordConnections = Annotated[
    str,
    Option(
        "--record-connections",
        metavar="1/N|COUNT",
        help="Connections of which the timeline keeps every message.",
        rich_help_panel=TIMELINE,
    ),
]
KeepOnFlag = Annotated[
    str,
    Option(
        "--keep-on",
        metavar="WHAT",
        help="Keep the last messages of a connection on these: error, close, replies slower than a percentile; or"
        " never.",
        rich_help_panel=TIMELINE,
    ),
]
RecordPayload = Annotated[
    str,
    Option("--record-payload", metavar="SIZE", help="Most of a message that is kept.", rich_help_panel=TIMELINE),
]
RecordLimit = Annotated[
    str,
    Option(
        "--record-limit",
        metavar="SIZE",
        help="Most of all messages together, spread over the run.",
        rich_help_panel=TIMELINE,
    ),
]
Redact = Annotated[
    list[str] | None,
    Option(
        "--redact",
        metavar="JSONPATH",
        help="Values in messages that are neither stored nor shown, such as $.token. Repeatable.",
        rich_help_panel=TIMELINE,
    ),
]
NoRecord = Annotated[bool, Option("--no-record", help="Keep no messages.", rich_help_panel=TIMELINE)]
FormatFlag = Annotated[
    Format,
    Option("--format", help="What is printed; ndjson prints intervals as they happen.", rich_help_panel=RESULT),
]
Strict = Annotated[
    bool,
    Option("--strict", help="End with exit code 5 when the result is suspect.", rich_help_panel=RESULT),
]
Web = Annotated[str | None, Option("--web", metavar="[ADDRESS]", help=WEB_HELP, rich_help_panel=RESULT)]
Quiet = Annotated[
    bool,
    Option("--quiet", help="No progress while it runs; the result is printed all the same.", rich_help_panel=RESULT),
]
