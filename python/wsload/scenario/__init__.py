"""What a person asks for, checked and resolved: Scenario in, Plan out."""

from wsload.scenario.alerts import Alert, parse_alerts
from wsload.scenario.build import build_plan
from wsload.scenario.model import LoadModel, Message, Scenario, Stage
from wsload.scenario.parts import ExponentialThink, FixedThink, Think, UniformThink
from wsload.scenario.plan import ClosedLoad, EchoLoad, IdleLoad, KeyMatching, OpenLoad, Plan, ReplayLoad
from wsload.scenario.record import Recording, parse_keep_on, parse_whole
from wsload.scenario.thresholds import Threshold, parse_threshold, parse_thresholds
from wsload.scenario.url import parse_address, parse_authority, redact_url
from wsload.scenario.wire import Compression, Proxy, TlsOptions, environment_proxy, parse_compression, parse_proxy

__all__ = [
    "Alert",
    "ClosedLoad",
    "Compression",
    "EchoLoad",
    "ExponentialThink",
    "FixedThink",
    "IdleLoad",
    "KeyMatching",
    "LoadModel",
    "Message",
    "OpenLoad",
    "Plan",
    "Proxy",
    "Recording",
    "ReplayLoad",
    "Scenario",
    "Stage",
    "Think",
    "Threshold",
    "TlsOptions",
    "UniformThink",
    "build_plan",
    "environment_proxy",
    "parse_address",
    "parse_alerts",
    "parse_authority",
    "parse_compression",
    "parse_keep_on",
    "parse_proxy",
    "parse_threshold",
    "parse_thresholds",
    "parse_whole",
    "redact_url",
]
