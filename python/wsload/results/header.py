"""What is known of a run before its first message: stored at the head of its file."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from wsload import __version__, _core
from wsload.scenario import Plan, Scenario, redact_url
from wsload.scenario.parts import REDACTED


class Host(BaseModel):
    """The machine that generated the load."""

    model_config = ConfigDict(frozen=True)

    system: str
    machine: str
    cpus: int
    python: str
    uvloop: str
    congestion_control: str | None
    """TCP congestion control of new sockets; bbr paces what it sends."""


class Header(BaseModel):
    """A run before it begins. Secrets are redacted before they get here."""

    model_config = ConfigDict(frozen=True)

    wsload_version: str
    build_profile: str
    target: str
    plan: Plan
    scenario: dict[str, Any]
    labels: dict[str, str] = Field(default_factory=dict)
    workers: int
    host: Host
    started_at: datetime
    watched: list[str] = Field(default_factory=list)
    """What is watched of the target, in words."""

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Those that the run is held against, as they were written."""
        return tuple(self.scenario.get("thresholds", ()))

    @classmethod
    def describe(cls, scenario: Scenario, plan: Plan, labels: dict[str, str], workers: int) -> "Header":
        """The header of a run that begins now on this machine."""
        redacted = plan.redacted()
        resolved = scenario.model_dump(mode="json")
        resolved["target"] = redact_url(scenario.target)
        resolved["cookies"] = [[name, REDACTED] for name, _ in scenario.cookies]
        for secret in ("user", "bearer"):
            if resolved[secret]:
                resolved[secret] = REDACTED
        if scenario.proxy and scenario.proxy.authorization:
            resolved["proxy"]["authorization"] = REDACTED
        resolved["headers"] = [list(pair) for pair in redacted.handshake.headers]
        return cls(
            wsload_version=__version__,
            build_profile=build_profile(),
            target=redact_url(scenario.target),
            plan=redacted,
            scenario=resolved,
            labels=labels,
            workers=workers,
            host=this_host(),
            started_at=datetime.now(UTC),
        )


def build_profile() -> str:
    """How the Rust half was built: `release`, or `debug`, whose figures mean nothing."""
    return _core.build_info()["profile"]


def this_host() -> Host:
    """This machine, as far as it bears on results. Its name is nobody's business."""
    return Host(
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        uvloop=version("uvloop"),
        congestion_control=_read("/proc/sys/net/ipv4/tcp_congestion_control"),
    )


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
