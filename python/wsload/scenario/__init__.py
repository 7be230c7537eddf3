"""What a person asks for, checked and resolved: Scenario in, Plan out."""

from wsload.scenario.build import build_plan
from wsload.scenario.model import LoadModel, Message, Scenario
from wsload.scenario.plan import ClosedLoad, IdleLoad, OpenLoad, Plan
from wsload.scenario.url import redact_url

__all__ = [
    "ClosedLoad",
    "IdleLoad",
    "LoadModel",
    "Message",
    "OpenLoad",
    "Plan",
    "Scenario",
    "build_plan",
    "redact_url",
]
