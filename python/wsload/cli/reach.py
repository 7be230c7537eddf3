"""How a service is reached: the flags that `run`, `connect` and `replay` share, as a scenario without load."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsload.cli import values
from wsload.cli.choices import TlsVersion
from wsload.units import parse_duration

if TYPE_CHECKING:
    from wsload.scenario import Plan


def reach(
    url: str,
    *,
    connections: int = 1,
    header: Sequence[str] | None,
    param: Sequence[str] | None,
    cookie: Sequence[str] | None,
    user: str | None,
    bearer: str | None,
    subprotocol: Sequence[str] | None,
    origin: str | None,
    cacert: Path | None,
    cert: Path | None,
    key: Path | None,
    insecure: bool,
    sni: str | None,
    tls_min: TlsVersion,
    tls_max: TlsVersion,
    connect_to: str | None,
    proxy: str | None,
    connect_timeout: str,
) -> "Plan":
    """The plan of connections that only listen."""
    from wsload.scenario import (
        LoadModel,
        Scenario,
        TlsOptions,
        build_plan,
        environment_proxy,
        parse_address,
        parse_proxy,
    )

    through = None
    if proxy is not None:
        through = environment_proxy(parse_address(url, []), dict(os.environ)) if proxy == "env" else parse_proxy(proxy)
    scenario = Scenario(
        target=url,
        params=values.pairs("--param", param),
        headers=values.headers(header),
        cookies=values.pairs("--cookie", cookie),
        user=user,
        bearer=bearer,
        subprotocols=tuple(subprotocol or ()),
        origin=origin,
        connect_to=(connect_to,) if connect_to else (),
        proxy=through,
        tls=TlsOptions(
            cacert=cacert,
            cert=cert,
            key=key,
            insecure=insecure,
            server_name=sni,
            min_version=tls_min.value,
            max_version=tls_max.value,
        ),
        load=LoadModel(connections=connections, idle=True),
        connect_timeout_ns=values.quantity("--connect-timeout", parse_duration, connect_timeout),
    )
    return build_plan(scenario)
